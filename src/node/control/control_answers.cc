#include "node/control/control_answers.h"

#include <nlohmann/json.hpp>

#include "node/control/control_request.h"

namespace tw::node {

namespace {

std::string identity_json(const NodeIdentity& identity) {
  return nlohmann::json{{"ok", true},
                        {"config_file", identity.config_file},
                        {"interface", identity.interface},
                        {"listen_port", identity.listen_port}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string answer_control(std::string_view request, const ControlCommands& commands) {
  const auto asked = ControlRequest::parse(request);
  if (!asked) return control_error(asked.error());
  using enum ControlRequest::Command;
  switch (asked->command) {
    case status:
      return to_json(commands.status());
    case reload:
      return to_json(commands.reload(asked->dry_run));
    case set: {
      const Result<void> done = commands.set(asked->key, asked->value);
      return done ? R"({"ok":true})" : control_error(done.error().text());
    }
    case identify:
      return identity_json(commands.identify());
    case drain:
      break;
  }
  const Result<std::uint64_t> active = commands.drain();
  if (!active) return control_error(active.error().text());
  return nlohmann::json{{"ok", true}, {"active", *active}}.dump();
}

}  // namespace tw::node
