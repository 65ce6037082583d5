// One line about one connection, as its operator wants it: text with {fields}, taken to pieces when
// the configuration is read, so that writing a line is copying. "{{" and "}}" stand for braces: a
// line may be JSON.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "relay/log/stage_times.h"
#include "wire/address.h"

namespace tw::relay {

enum class LogField : std::uint8_t {
  text,  ///< no field: what stands between them
  time,
  client,
  target,
  from,
  way,
  leg,
  early,
  claim_ms,
  connect_ms,
  request_ms,
  first_byte_ms,
  total_ms,
  bytes_up,
  bytes_down,
  outcome,
  error,
  active,
};
/// Beside LogField, from `time` on.
inline constexpr std::array<std::string_view, 17> log_field_names{
    "time",     "client",     "target",     "from",       "way",           "leg",
    "early",    "claim_ms",   "connect_ms", "request_ms", "first_byte_ms", "total_ms",
    "bytes_up", "bytes_down", "outcome",    "errno",      "active"};

/// The facts that a line can say. Views are of the caller's; an empty one is written as "-".
struct LogRecord {
  WallTime time;            ///< when it ended
  Endpoint client, target;  ///< port 0: unknown
  std::string_view from;    ///< the PoP whose leg it was; empty: a client of ours
  std::string_view way;     ///< "direct", or the PoP it went to; empty: nowhere
  std::string_view leg;     ///< "warm" or "fresh"
  bool early = false;       ///< begun at the client's SYN
  ConnectionTimes times{Instant{}};
  std::uint64_t bytes_up = 0, bytes_down = 0;
  std::string_view outcome;
  int os_errno = 0;
  std::uint64_t active = 0;  ///< connections at that moment, with this one
};

class LogFormat {
 public:
  /// Longer formats are a mistake; a longer line is cut.
  static constexpr std::size_t longest_format = 1024, longest_line = 2048;
  static constexpr std::string_view default_text =
      "{from} {client} {target} {way}/{leg}/{early} "
      "{claim_ms}/{connect_ms}/{first_byte_ms}/{total_ms} "
      "{bytes_up} {bytes_down} {outcome} {errno} {active}";

  struct Mistake {
    enum class Kind : std::uint8_t { unknown_field, lone_brace, control_character, length };
    Kind kind;
    std::string field{};  ///< unknown_field: as it was written
  };

  /// default_text.
  LogFormat();
  static std::expected<LogFormat, Mistake> parse(std::string_view text);

  const std::string& text() const noexcept { return text_; }
  bool has_time() const noexcept;
  /// Writes the line to `out`, without a newline, as far as it fits. Returns its length. Never
  /// allocates.
  std::size_t write(const LogRecord& record, std::span<char> out) const noexcept;

  friend bool operator==(const LogFormat& left, const LogFormat& right) noexcept {
    return left.text_ == right.text_;
  }

 private:
  struct Piece {
    LogField field = LogField::text;
    std::string text{};
  };
  LogFormat(std::string_view text, std::vector<Piece> pieces);
  std::string text_;
  std::vector<Piece> pieces_;
};

/// "2026-11-21T10:15:00.123Z" to `out`; its length, 0 if it does not fit.
std::size_t write_time(WallTime time, std::span<char> out) noexcept;

}  // namespace tw::relay
