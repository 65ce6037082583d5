#include "node/control/control_request.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace tw::node {
namespace {

using Json = nlohmann::json;
using Command = ControlRequest::Command;

constexpr std::array<std::pair<std::string_view, Command>, 5> commands{
    {{"status", Command::status},
     {"reload", Command::reload},
     {"set", Command::set},
     {"drain", Command::drain},
     {"identify", Command::identify}}};

std::optional<std::string> text_of(const Json& request, const char* name) {
  const auto member = request.find(name);
  if (member == request.end() || !member->is_string()) return std::nullopt;
  return member->get<std::string>();
}

}  // namespace

std::expected<ControlRequest, std::string> ControlRequest::parse(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) {
    return std::unexpected{R"(a request is a JSON object in one line, as {"command":"status"})"};
  }
  const auto word = text_of(json, "command");
  ControlRequest request;
  const auto* const known =
      std::ranges::find_if(commands, [&](const auto& one) { return word == one.first; });
  if (known == commands.end()) {
    return std::unexpected{"unknown command; known are status, reload, set, drain and identify"};
  }
  request.command = known->second;
  if (request.command == Command::reload) {
    const auto dry_run = json.find("dry_run");
    if (dry_run == json.end()) return request;
    // Taken for false, a mistake would change what was only to be tried.
    if (!dry_run->is_boolean()) return std::unexpected{R"(reload's "dry_run" is true or false)"};
    request.dry_run = dry_run->get<bool>();
  }
  if (request.command != Command::set) return request;
  auto key = text_of(json, "key");
  auto value = text_of(json, "value");
  if (!key || !value) {
    return std::unexpected{R"(set takes "key" and "value", both of them strings)"};
  }
  request.key = *std::move(key);
  request.value = *std::move(value);
  return request;
}

std::string control_error(std::string_view what) {
  return Json{{"error", what}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tw::node
