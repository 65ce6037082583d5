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
/// never the process; how many were lost is said once there is room again.
Result<void> open(Level lowest, const std::string& file = {});

bool enabled(Level level) noexcept;
void write(Level level, std::string_view line) noexcept;

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
