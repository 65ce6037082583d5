#include "node/config/config_setting.h"

#include <algorithm>
#include <array>
#include <string>

#include "node/config/config_sections.h"

namespace tw::node {
namespace {

const std::string source = "set";

/// What the relay is made with: a reload makes it anew.
constexpr std::array<std::string_view, 5> fixed_keys{"relay.enabled", "relay.listen_port",
                                                     "relay.leg_port", "relay.local_targets",
                                                     "relay.client_devices"};
/// Tables that are one switch with details.
constexpr std::array<std::string_view, 3> switches{"relay.pool", "relay.early_syn",
                                                   "relay.client_start"};

ConfigMistake mistake(std::string_view key, std::string what, std::string mend) {
  return {
      .file = source, .key = std::string{key}, .what = std::move(what), .mend = std::move(mend)};
}

bool is_key(std::string_view key) noexcept {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789_.";
  return !key.empty() && key.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_number(std::string_view value) noexcept {
  return !value.empty() && value.find_first_not_of("+-0123456789_") == std::string_view::npos;
}

/// A word of a shell as a value of TOML. A quote inside a word has no business in any of our keys.
std::string as_toml(std::string_view value) {
  if (value == "on" || value == "true") return "true";
  if (value == "off" || value == "false") return "false";
  if (is_number(value) || value.starts_with('"') || value.starts_with('[')) {
    return std::string{value};
  }
  return "\"" + std::string{value} + "\"";
}

}  // namespace

std::expected<NodeConfig, ConfigMistake> with_setting(const NodeConfig& now, std::string_view key,
                                                      std::string_view value) {
  if (!is_key(key) || !key.starts_with("relay.")) {
    return std::unexpected{mistake(key, "cannot be set while the node runs",
                                   "change the file and reload, or name a key of [relay]")};
  }
  if (std::ranges::find(fixed_keys, key) != fixed_keys.end()) {
    return std::unexpected{
        mistake(key, "cannot be set while the relay runs", "change the file and reload")};
  }
  if (!now.relay.enabled) {
    return std::unexpected{
        mistake(key, "the relay is disabled", "set relay.enabled = true in the file and reload")};
  }
  if (value.find_first_of("\n\r") != std::string_view::npos) {
    return std::unexpected{mistake(key, "a value has one line", "take the line break out")};
  }
  std::string text{key};
  if (std::ranges::find(switches, key) != switches.end()) text += ".enabled";
  text += " = " + as_toml(value);
  const auto tree = read_tree(text, source);
  if (!tree) return std::unexpected{tree.error()};
  MistakeList mistakes{source};
  TableReader root{*tree, {}, mistakes};
  NodeConfig next = now;
  read_relay_settings(root, next.relay);
  root.close();
  if (!mistakes.empty()) return std::unexpected{mistakes.take().front()};
  return next;
}

}  // namespace tw::node
