#include "cli/control/control_answer.h"

#include <fmt/core.h>

#include "cli/leftovers.h"
#include "node/control/control_server.h"

namespace tw::cli {

Result<nlohmann::json> ask_node(const std::string& socket, const nlohmann::json& request,
                                std::chrono::seconds patience) {
  const auto replace = nlohmann::json::error_handler_t::replace;
  const Result<std::string> answer =
      node::ask_control(socket, request.dump(-1, ' ', false, replace), patience);
  if (!answer) return std::unexpected(answer.error());
  auto json = nlohmann::json::parse(*answer, nullptr, false);
  if (json.is_object()) return json;
  return make_error(Error::Kind::protocol, socket + " answered something else: " + *answer);
}

std::optional<nlohmann::json> ask_any(std::string_view command, const ControlTarget& target,
                                      const nlohmann::json& request,
                                      std::chrono::seconds patience) {
  const Result<std::string> path = control_path(target);
  auto answer = path ? ask_node(*path, request, patience) : std::unexpected(path.error());
  if (answer) return *std::move(answer);
  fmt::print(stderr, "thalweg {}: {}\n", command, answer.error().text());
  if (answer.error().kind != Error::Kind::protocol) warn_of_leftovers();
  return std::nullopt;
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
