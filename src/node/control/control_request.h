// A line of the control socket as what it asks for, and the answers that are no status. Whoever can
// open the socket is root, but his program may be of another version, or no program of ours at all.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tw::node {

struct ControlRequest {
  enum class Command : std::uint8_t { status, reload, set, drain, identify };

  Command command = Command::status;
  std::string key{}, value{};  ///< of `set`, else empty
  bool dry_run = false;        ///< of `reload`

  /// Reads {"command": "set", "key": …, "value": …}, {"command": "reload", "dry_run": …}; members
  /// that are not known are ignored. Else says what is wrong with the line, in a sentence for
  /// whoever wrote it.
  static std::expected<ControlRequest, std::string> parse(std::string_view line);

  friend bool operator==(const ControlRequest&, const ControlRequest&) = default;
};

/// One line of JSON, {"error": …}, whatever bytes are in `what`.
std::string control_error(std::string_view what);

}  // namespace tw::node
