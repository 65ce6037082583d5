// Log lines for operators. Set up once by `cli`, used by `node` and `relay`'s sockets; what is
// sans-I/O (wg, steer, the decisions of relay) never logs. No secret is ever an argument.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace tw::log {

enum class Level : std::uint8_t { debug, info, warning, error };

/// Where lines go from now on: stderr, and `file` too unless it is empty. A full disk loses lines,
/// never the process; how many were lost is said once there is room again. Before the first call
/// lines of `info` and above go to stderr. Calling it again opens the file anew (log rotation); on
/// failure everything stays as it was. The process must ignore SIGPIPE.
Result<void> open(Level lowest, const std::string& file = {});

bool enabled(Level level) noexcept;
/// One line, without its newline, from any thread. Control characters are written as \xNN: a string
/// from outside cannot begin a line of its own.
void write(Level level, std::string_view line) noexcept;
/// Lines that could not be written, since the start and over all outputs.
std::uint64_t lost_lines() noexcept;

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tw::log
