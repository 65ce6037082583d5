#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/file/line_writer.h"
#include "base/file/new_file.h"
#include "base/unique_fd.h"

namespace tw::log {
namespace {

constexpr std::array spdlog_levels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                   spdlog::level::err};
constexpr std::array<std::string_view, 4> colours{"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};

std::atomic<Level> lowest_level{Level::info};
// Counted across every open(): what the sinks could not write, and what never reached one.
std::atomic<std::uint64_t> lost_before{0};

class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(int fd) : writer_(fd), coloured_(writer_.is_terminal()) {}
  explicit LineSink(UniqueFd owned) : LineSink(owned.get()) { owned_ = std::move(owned); }
  std::uint64_t lost() const noexcept { return writer_.lost(); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t buffer;
    formatter_->format(message, buffer);
    const std::string_view line{buffer.data(), buffer.size()};
    if (!coloured_ || message.color_range_end <= message.color_range_start) {
      writer_.write(line);
      return;
    }
    std::string painted{line.substr(0, message.color_range_start)};
    painted += colour_of(message.level);
    painted +=
        line.substr(message.color_range_start, message.color_range_end - message.color_range_start);
    painted += "\x1b[0m";
    painted += line.substr(message.color_range_end);
    writer_.write(painted);
  }
  void flush_() override {}  // nothing is buffered

 private:
  static std::string_view colour_of(spdlog::level::level_enum level) noexcept {
    for (std::size_t i = 0; i < spdlog_levels.size(); ++i) {
      if (spdlog_levels[i] == level) return colours[i];
    }
    return colours.back();
  }
  UniqueFd owned_;
  LineWriter writer_;
  bool coloured_;
};

struct Output {
  std::mutex mutex;
  std::vector<std::shared_ptr<LineSink>> sinks;
  std::shared_ptr<spdlog::logger> logger;
};

std::shared_ptr<spdlog::logger> make_logger(const std::vector<std::shared_ptr<LineSink>>& sinks) {
  auto logger = std::make_shared<spdlog::logger>("thalweg", sinks.begin(), sinks.end());
  logger->set_level(spdlog::level::trace);  // lowest_level decides, before a line is formatted
  logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ %v", spdlog::pattern_time_type::utc));
  logger->set_error_handler([](const std::string&) { lost_before.fetch_add(1); });
  return logger;
}

/// Never destroyed: a thread may log while the process ends.
Output& output() {
  static Output* const only = [] {
    auto* made = new Output;
    made->sinks.push_back(std::make_shared<LineSink>(STDERR_FILENO));
    made->logger = make_logger(made->sinks);
    return made;
  }();
  return *only;
}

/// Strings from outside must not begin a line of their own, nor drive the reader's terminal.
std::string without_controls(std::string_view line) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(line.size());
  for (const char character : line) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x20 && byte != 0x7f) {
      out += character;
      continue;
    }
    out += "\\x";
    out += digits[byte >> 4U];
    out += digits[byte & 0x0fU];
  }
  return out;
}

}  // namespace

Result<void> open(Level lowest, const std::string& file) {
  std::vector<std::shared_ptr<LineSink>> sinks{std::make_shared<LineSink>(STDERR_FILENO)};
  if (!file.empty()) {
    Result<UniqueFd> fd = open_to_append(file);
    if (!fd) return std::unexpected(std::move(fd.error()));
    sinks.push_back(std::make_shared<LineSink>(std::move(*fd)));
  }
  Output& out = output();
  const std::lock_guard lock{out.mutex};
  for (const auto& sink : out.sinks) lost_before.fetch_add(sink->lost());
  out.logger = make_logger(sinks);
  out.sinks = std::move(sinks);
  lowest_level.store(lowest, std::memory_order_relaxed);
  return {};
}

bool enabled(Level level) noexcept { return level >= lowest_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view line) noexcept {
  if (!enabled(level)) return;
  try {
    Output& out = output();
    const std::string safe = without_controls(line);
    const std::lock_guard lock{out.mutex};
    out.logger->log(spdlog_levels[std::to_underlying(level)],
                    spdlog::string_view_t{safe.data(), safe.size()});
  } catch (const std::exception&) {
    lost_before.fetch_add(1);  // no memory for a line: the process matters more
  }
}

std::uint64_t lost_lines() noexcept {
  Output& out = output();
  const std::lock_guard lock{out.mutex};
  std::uint64_t sum = lost_before.load();
  for (const auto& sink : out.sinks) sum += sink->lost();
  return sum;
}

}  // namespace tw::log
