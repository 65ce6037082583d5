#include "node/config/keys/key_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "node/config/keys/relay_keys.h"
#include "node/config/keys/tunnel_keys.h"

namespace tw::node {
namespace {

template <typename Section>
std::string type_of(const Key<Section>& key) {
  const Kind<Section>& kind = key.kind;
  if (!kind.type.empty()) return std::string{kind.type};
  if (kind.words != nullptr) {
    std::string words = kind.words();
    for (std::size_t at = 0; (at = words.find('"', at)) != std::string::npos;) {
      const bool opens = at == 0 || words[at - 1] == ' ';
      words.insert(opens ? at : at + 1, "`");
      at += 2;
    }
    return words;
  }
  return fmt::format("{} to {}{}{}", kind.lowest, kind.highest, kind.unit.empty() ? "" : " ",
                     kind.unit);
}

template <typename Section>
std::string fallback_of(const Key<Section>& key) {
  if (!key.required.empty()) return {};
  if (!key.otherwise.empty()) return std::string{key.otherwise};
  const std::string shown = key.kind.shown(Section{});
  const bool is_number = key.kind.type.empty() && key.kind.words == nullptr;
  return is_number ? shown : '`' + shown + '`';
}

std::vector<KeyFacts> make_keys() {
  std::vector<KeyFacts> all;
  const auto add = [&]<typename Section, std::size_t N>(std::string_view table,
                                                        const std::array<Key<Section>, N>& keys,
                                                        bool repeated = false) {
    for (const Key<Section>& key : keys) {
      all.push_back({.table = table,
                     .repeated = repeated,
                     .name = key.name,
                     .type = type_of(key),
                     .fallback = fallback_of(key),
                     .change = key.change,
                     .help = key.help});
    }
  };
  add("node", node_keys);
  add("tunnel", tunnel_keys);
  add("tunnel.offloads", offload_keys);
  add("workers", worker_keys);
  add("peer", peer_keys, true);
  add("group", group_keys, true);
  add("gateway", gateway_keys);
  add("relay", relay_keys);
  add("relay.turbo", turbo_keys);
  add("relay.client_start", client_start_keys);
  add("relay.pool", pool_keys);
  add("relay.early_syn", early_syn_keys);
  add("relay.log", relay_log_keys);
  add("pop", pop_keys, true);
  add("policy", policy_keys, true);
  return all;
}

/// Returns the first key of Change::restart whose values differ; empty: there is none.
template <typename Section, std::size_t N>
std::string_view fixed_and_changed(const std::array<Key<Section>, N>& keys, const Section& now,
                                   const Section& next) {
  for (const Key<Section>& key : keys) {
    if (key.change == Change::restart && !key.kind.same(now, next)) return key.name;
  }
  return {};
}

}  // namespace

std::string KeyFacts::path() const {
  return fmt::format("{}{}.{}", table, repeated ? "[]" : "", name);
}

const std::vector<KeyFacts>& all_keys() {
  static const std::vector<KeyFacts> keys = make_keys();
  return keys;
}

const KeyFacts* find_key(std::string_view path) {
  const auto found = std::ranges::find_if(
      all_keys(), [&](const KeyFacts& key) { return !key.repeated && key.path() == path; });
  return found == all_keys().end() ? nullptr : &*found;
}

std::string needs_restart(const NodeConfig& now, const NodeConfig& next) {
  const DeviceOffloads &offloads = now.tunnel.tuning.offloads,
                       &wanted = next.tunnel.tuning.offloads;
  if (const auto name = fixed_and_changed(tunnel_keys, now.tunnel, next.tunnel); !name.empty()) {
    return fmt::format("tunnel.{}", name);
  }
  if (const auto name = fixed_and_changed(offload_keys, offloads, wanted); !name.empty()) {
    return fmt::format("tunnel.offloads.{}", name);
  }
  if (const auto name = fixed_and_changed(worker_keys, now.workers, next.workers); !name.empty()) {
    return fmt::format("workers.{}", name);
  }
  if (const auto name = fixed_and_changed(node_keys, now.process, next.process); !name.empty()) {
    return fmt::format("node.{}", name);
  }
  return {};
}

std::string key_table(std::string_view table) {
  std::string text;
  for (const KeyFacts& key : all_keys()) {
    if (key.table != table) continue;
    if (text.empty()) text = "| key | type | default | change | meaning |\n|---|---|---|---|---|\n";
    text += fmt::format("| `{}` | {} | {} | {} | {} |\n", key.name, key.type,
                        key.fallback.empty() ? "*required*" : key.fallback,
                        change_names[static_cast<std::size_t>(key.change)], key.help);
  }
  return text;
}

std::string change_table() {
  std::string relay, restart;
  for (const KeyFacts& key : all_keys()) {
    std::string* const list = key.change == Change::relay     ? &relay
                              : key.change == Change::restart ? &restart
                                                              : nullptr;
    if (list != nullptr) *list += fmt::format("{}`{}`", list->empty() ? "" : ", ", key.path());
  }
  return fmt::format(
      "| change | keys | how |\n|---|---|---|\n"
      "| `live` | all others | at once; what did not change does not notice. Those of `[relay]` "
      "and "
      "its tables by `thalweg set`, too |\n"
      "| `relay` | {} | by a reload, which opens the relay's listening sockets anew, the new "
      "before the old; not by `thalweg set` |\n"
      "| `restart` | {} | not while the node runs: the log names the key, and nothing is changed "
      "|\n",
      relay, restart);
}

}  // namespace tw::node
