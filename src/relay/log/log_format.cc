#include "relay/log/log_format.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace tw::relay {
namespace {

constexpr std::string_view nothing = "-";

static_assert(std::to_underlying(LogField::active) == log_field_names.size());

// The line as it grows: what does not fit is left out.
class Line {
 public:
  explicit Line(std::span<char> out) noexcept : out_(out) {}

  void add(std::string_view text) noexcept {
    size_ += text.copy(out_.data() + size_, out_.size() - size_);
  }
  void add_or_nothing(std::string_view text) noexcept { add(text.empty() ? nothing : text); }
  void add(std::uint64_t number) noexcept {
    const fmt::format_int digits{number};
    add(std::string_view{digits.data(), digits.size()});
  }
  void add(const Endpoint& endpoint) noexcept {
    if (endpoint.port == 0) return add(nothing);
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool v4 = endpoint.address.is_v4();
    if (::inet_ntop(v4 ? AF_INET : AF_INET6, endpoint.address.bytes().data(), text.data(),
                    text.size()) == nullptr) {
      return add(nothing);
    }
    if (!v4) add("[");
    add(std::string_view{text.data()});
    add(v4 ? ":" : "]:");
    add(std::uint64_t{endpoint.port});
  }
  // Milliseconds with their microseconds.
  void add(std::optional<Duration> after) noexcept {
    if (!after) return add(nothing);
    const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(*after).count(), 0));
    std::array<char, 4> fraction{'.', '0', '0', '0'};
    std::uint64_t rest = us % 1000;
    for (std::size_t digit = 3; digit > 0; --digit) {
      fraction[digit] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    }
    add(us / 1000);
    add(std::string_view{fraction.data(), fraction.size()});
  }
  void add_errno(int code) noexcept {
    const char* const name = code == 0 ? nullptr : ::strerrorname_np(code);
    add(name == nullptr ? nothing : std::string_view{name});
  }
  std::size_t size() const noexcept { return size_; }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
};

void add_field(Line& line, LogField field, const LogRecord& record) noexcept {
  switch (field) {
    case LogField::text:
      return;
    case LogField::time: {
      std::array<char, 32> text{};
      return line.add(std::string_view{text.data(), write_time(record.time, text)});
    }
    case LogField::client:
      return line.add(record.client);
    case LogField::target:
      return line.add(record.target);
    case LogField::from:
      return line.add(record.from.empty() ? std::string_view{"client"} : record.from);
    case LogField::way:
      return line.add_or_nothing(record.way);
    case LogField::leg:
      return line.add_or_nothing(record.leg);
    case LogField::early:
      return line.add(record.early ? "early" : nothing);
    case LogField::claim_ms:
      return line.add(record.times.after(Stage::claim));
    case LogField::connect_ms:
      return line.add(record.times.after(Stage::connect));
    case LogField::request_ms:
      return line.add(record.times.after(Stage::request));
    case LogField::first_byte_ms:
      return line.add(record.times.after(Stage::first_byte));
    case LogField::total_ms:
      return line.add(record.times.after(Stage::end));
    case LogField::bytes_up:
      return line.add(record.bytes_up);
    case LogField::bytes_down:
      return line.add(record.bytes_down);
    case LogField::outcome:
      return line.add_or_nothing(record.outcome);
    case LogField::error:
      return line.add_errno(record.os_errno);
    case LogField::active:
      return line.add(record.active);
  }
}

bool is_control(char character) noexcept {
  const auto byte = static_cast<unsigned char>(character);
  return (byte < 0x20 && character != '\t') || byte == 0x7f;
}

}  // namespace

LogFormat::LogFormat() { *this = parse(default_text).value(); }

std::expected<LogFormat, LogFormat::Mistake> LogFormat::parse(std::string_view text) {
  using Kind = Mistake::Kind;
  if (text.empty() || text.size() > longest_format) return std::unexpected{Mistake{Kind::length}};
  if (std::ranges::any_of(text, is_control)) {
    return std::unexpected{Mistake{Kind::control_character}};
  }
  std::vector<Piece> pieces;
  std::string between;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char here = text[at];
    if (here != '{' && here != '}') {
      between += here;
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == here) {
      between += here;
      ++at;
      continue;
    }
    const std::size_t end = text.find_first_of("{}", at + 1);
    if (here == '}' || end == std::string_view::npos || text[end] == '{') {
      return std::unexpected{Mistake{Kind::lone_brace}};
    }
    const std::string_view name = text.substr(at + 1, end - at - 1);
    const auto known = std::ranges::find(log_field_names, name);
    if (known == log_field_names.end()) {
      return std::unexpected{Mistake{Kind::unknown_field, std::string{name}}};
    }
    if (!between.empty()) pieces.push_back({.text = std::exchange(between, {})});
    const auto number = static_cast<std::size_t>(known - log_field_names.begin()) + 1;
    pieces.push_back({.field = LogField{static_cast<std::uint8_t>(number)}});
    at = end;
  }
  if (!between.empty()) pieces.push_back({.text = std::move(between)});
  LogFormat format{text, std::move(pieces)};
  return format;
}

LogFormat::LogFormat(std::string_view text, std::vector<Piece> pieces)
    : text_(text), pieces_(std::move(pieces)) {}

bool LogFormat::has_time() const noexcept {
  return std::ranges::find(pieces_, LogField::time, &Piece::field) != pieces_.end();
}

std::size_t LogFormat::write(const LogRecord& record, std::span<char> out) const noexcept {
  Line line{out};
  for (const Piece& piece : pieces_) {
    line.add(piece.text);
    add_field(line, piece.field, record);
  }
  return line.size();
}

std::size_t write_time(WallTime time, std::span<char> out) noexcept {
  using namespace std::chrono;
  const sys_time<milliseconds> at{duration_cast<milliseconds>(time.since_epoch)};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss clock{at - day};
  const auto done = fmt::format_to_n(
      out.data(), out.size(), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", int{date.year()},
      unsigned{date.month()}, unsigned{date.day()}, clock.hours().count(), clock.minutes().count(),
      clock.seconds().count(), clock.subseconds().count());
  return done.size <= out.size() ? done.size : 0;
}

}  // namespace tw::relay
