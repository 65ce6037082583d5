#include "relay/log/connection_log.h"

#include <fmt/format.h>

#include <array>
#include <span>
#include <utility>

#include "base/log.h"

namespace tw::relay {
namespace {

// A twentieth of a second of 40,000 connections a second.
constexpr std::size_t spool_bytes = 512U << 10U;

}  // namespace

void ConnectionLog::apply(const LogSettings& settings) {
  settings_ = settings;
  if (!settings.connections) return;
  if (!spool_) {
    auto started = LineSpool::start(spool_bytes);
    if (!started) {
      log::warning("relay: connections are not logged: {}", started.error().text());
      return;
    }
    spool_ = *std::move(started);
  }
  spool_->send_to(settings.file);
}

void ConnectionLog::relayed(LogRecord record) noexcept {
  if (!enabled() || relayed_++ % settings_.sample != 0) return;
  say(record);
}

void ConnectionLog::failed(LogRecord record, Instant now) noexcept {
  if (!enabled()) return;
  if (!failures_.has_token(failures_per_second, failures_at_once, now)) {
    ++left_out_;
    return;
  }
  failures_.take(failures_per_second, now);
  say(record);
}

void ConnectionLog::say(LogRecord& record) noexcept {
  say_left_out();
  std::array<char, LogFormat::longest_line + 64> text;
  std::span<char> room{text};
  record.time = clock_.wall();
  std::size_t size = 0;
  // The program's log puts the time before each line by itself.
  if (!settings_.file.empty() && !settings_.format.has_time()) {
    size = write_time(record.time, room);
    text[size++] = ' ';
  }
  size += settings_.format.write(record, room.subspan(size, LogFormat::longest_line));
  if (spool_->append({text.data(), size})) ++lines_;
}

void ConnectionLog::say_left_out() noexcept {
  if (left_out_ == left_out_said_) return;
  std::array<char, 96> text;
  const auto done = fmt::format_to_n(text.data(), text.size(), "({} failed connections not logged)",
                                     left_out_ - left_out_said_);
  if (spool_->append({text.data(), done.size})) left_out_said_ = left_out_;
}

ConnectionLogCounters ConnectionLog::counters() const noexcept {
  return {.lines = lines_, .left_out = left_out_, .lost = spool_ ? spool_->lost() : 0};
}

}  // namespace tw::relay
