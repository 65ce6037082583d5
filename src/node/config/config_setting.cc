#include "node/config/config_setting.h"

#include <optional>
#include <string>

#include "node/config/config_sections.h"
#include "node/config/keys/key_list.h"

namespace tw::node {
namespace {

const std::string source = "set";

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

constexpr const char* see_docs = "name a key of [relay], as docs/configuration.md has them";

/// Returns why the key is not to be set by hand; none: it is, or there is no such key of [relay],
/// which its reader says better. `facts`: of the key; null: there is none of that name.
std::optional<ConfigMistake> refusal(std::string_view key, const KeyFacts* facts) {
  const Change change = facts == nullptr ? Change::live : facts->change;
  if (change == Change::restart) {
    return mistake(key, "cannot be set while the node runs", "change the file and restart");
  }
  if (!key.starts_with("relay")) {
    return mistake(key, "cannot be set while the node runs",
                   "change the file and reload, or name a key of [relay]");
  }
  if (change == Change::relay) {
    return mistake(key, "cannot be set while the relay runs", "change the file and reload");
  }
  return std::nullopt;
}

}  // namespace

std::expected<NodeConfig, ConfigMistake> with_setting(const NodeConfig& now, std::string_view key,
                                                      std::string_view value) {
  if (!is_key(key)) return std::unexpected{mistake(key, "is not the name of a key", see_docs)};
  // A table that is one switch with details may be named itself.
  std::string path{key};
  if (const std::string inside = path + ".enabled"; find_key(inside) != nullptr) path = inside;
  if (auto refused = refusal(key, find_key(path))) return std::unexpected{*std::move(refused)};
  if (!now.relay.enabled) {
    return std::unexpected{
        mistake(key, "the relay is disabled", "set relay.enabled = true in the file and reload")};
  }
  if (value.find_first_of("\n\r") != std::string_view::npos) {
    return std::unexpected{mistake(key, "a value has one line", "take the line break out")};
  }
  const std::string text = path + " = " + as_toml(value);
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
