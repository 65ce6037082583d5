#include "cli/control/control_answer.h"

#include <fmt/core.h>

#include "cli/leftovers.h"
#include "node/control/control_server.h"

namespace tw::cli {

std::optional<nlohmann::json> ask_any(std::string_view command, const ControlTarget& target,
                                      const nlohmann::json& request,
                                      std::chrono::seconds patience) {
  const auto replace = nlohmann::json::error_handler_t::replace;
  const Result<std::string> path = control_path(target);
  const Result<std::string> answer =
      path ? node::ask_control(*path, request.dump(-1, ' ', false, replace), patience)
           : std::unexpected(path.error());
  if (!answer) {
    fmt::print(stderr, "thalweg {}: {}\n", command, answer.error().text());
    warn_of_leftovers();
    return std::nullopt;
  }
  auto json = nlohmann::json::parse(*answer, nullptr, false);
  if (!json.is_object()) {
    fmt::print(stderr, "thalweg {}: {} answered something else: {}\n", command, *path, *answer);
    return std::nullopt;
  }
  return json;
}

std::optional<nlohmann::json> ask(std::string_view command, const ControlTarget& target,
                                  const nlohmann::json& request) {
  auto json = ask_any(command, target, request, std::chrono::seconds{5});
  if (!json || !json->contains("error")) return json;
  const nlohmann::json& error = (*json)["error"];
  fmt::print(stderr, "thalweg {}: {}\n", command,
             error.is_string() ? error.get<std::string>() : json->dump());
  return std::nullopt;
}

}  // namespace tw::cli
