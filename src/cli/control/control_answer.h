// One request to a running node, for the commands that talk to it.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "cli/control/control_path.h"

namespace tw::cli {

/// The node's answer, whatever it says; empty, and said on stderr in the name of `command`, if
/// there was none. Waits at most `patience` for each part of it.
std::optional<nlohmann::json> ask_any(std::string_view command, const ControlTarget& target,
                                      const nlohmann::json& request, std::chrono::seconds patience);
/// The node's answer; empty, and said on stderr in the name of `command`, if there was none or it
/// was an error.
std::optional<nlohmann::json> ask(std::string_view command, const ControlTarget& target,
                                  const nlohmann::json& request);

}  // namespace tw::cli
