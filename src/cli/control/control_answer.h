// One request to a running node, for the commands that talk to it.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/control/control_path.h"

namespace tw::cli {

/// The answer of the node at that socket, an object, whatever it says. Waits at most `patience` for
/// each part of it.
Result<nlohmann::json> ask_node(const std::string& socket, const nlohmann::json& request,
                                std::chrono::seconds patience);
/// The patience for a reload: ten thousand peers, and a machine that is busy.
inline constexpr std::chrono::seconds reload_patience{60};

/// The member of an answer; `fallback` if it lacks it, or has another type: the node may be of
/// another version.
template <typename Value>
Value member(const nlohmann::json& answer, const char* name, Value fallback) {
  try {
    return answer.value(name, fallback);
  } catch (const nlohmann::json::type_error&) {
    return fallback;
  }
}
/// The same of a list of texts.
inline std::vector<std::string> lines_of(const nlohmann::json& answer, const char* name) {
  return member(answer, name, std::vector<std::string>{});
}

/// The node's answer, whatever it says; empty, and said on stderr in the name of `command`, if
/// there was none. Waits at most `patience` for each part of it.
std::optional<nlohmann::json> ask_any(std::string_view command, const ControlTarget& target,
                                      const nlohmann::json& request, std::chrono::seconds patience);
/// The node's answer; empty, and said on stderr in the name of `command`, if there was none or it
/// was an error.
std::optional<nlohmann::json> ask(std::string_view command, const ControlTarget& target,
                                  const nlohmann::json& request);

}  // namespace tw::cli
