#include "node/config/config_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "node/config/keys/relay_keys.h"
#include "node/config/keys/tunnel_keys.h"

namespace tw::node {
namespace {

template <typename Section, std::size_t N>
void add_keys(std::vector<std::string>& changes, std::string_view table,
              const std::array<Key<Section>, N>& keys, const Section& now, const Section& next) {
  for (const Key<Section>& key : keys) {
    if (key.kind.same(now, next)) continue;
    const std::string before = key.kind.shown(now), after = key.kind.shown(next);
    const bool told = !before.empty() && !after.empty();
    changes.push_back(told ? fmt::format("{}.{}: {}, now {}", table, key.name, before, after)
                           : fmt::format("{}.{}: changed", table, key.name));
  }
}

// By hand: an entry of the file is read into a draft, whose keys these are.
std::string peer_difference(const PeerConfig& now, const PeerConfig& next) {
  std::string keys;
  const auto add = [&](bool same, std::string_view name) {
    if (!same) keys += (keys.empty() ? "" : ", ") + std::string{name};
  };
  add(now.public_key == next.public_key, "public_key");
  add(now.preshared_key == next.preshared_key, "preshared_key_file");
  add(now.endpoint == next.endpoint, "endpoint");
  add(now.allowed_ips == next.allowed_ips, "allowed_ips");
  add(now.persistent_keepalive_s == next.persistent_keepalive_s, "persistent_keepalive_s");
  return keys;
}

std::string pop_difference(const PopConfig& now, const PopConfig& next) {
  return now.pop == next.pop ? "" : "settings";
}

/// Entries that have names, in the order of `next`; those that are gone come first.
template <typename Entry>
void add_entries(std::vector<std::string>& changes, std::string_view table,
                 const std::vector<Entry>& now, const std::vector<Entry>& next,
                 std::string Entry::* name, std::string (*difference)(const Entry&, const Entry&)) {
  std::unordered_map<std::string_view, const Entry*> before, after;
  for (const Entry& entry : now) before.emplace(entry.*name, &entry);
  for (const Entry& entry : next) after.emplace(entry.*name, &entry);
  for (const Entry& entry : now) {
    if (!after.contains(entry.*name)) {
      changes.push_back(fmt::format("{} {}: removed", table, entry.*name));
    }
  }
  for (const Entry& entry : next) {
    const auto known = before.find(entry.*name);
    if (known == before.end()) {
      changes.push_back(fmt::format("{} {}: added", table, entry.*name));
    } else if (const std::string keys = difference(*known->second, entry); !keys.empty()) {
      changes.push_back(fmt::format("{} {}: {} changed", table, entry.*name, keys));
    }
  }
}

}  // namespace

std::vector<std::string> config_changes(const NodeConfig& now, const NodeConfig& next) {
  std::vector<std::string> changes;
  add_keys(changes, "node", node_keys, now.process, next.process);
  add_keys(changes, "tunnel", tunnel_keys, now.tunnel, next.tunnel);
  add_keys(changes, "tunnel.offloads", offload_keys, now.tunnel.tuning.offloads,
           next.tunnel.tuning.offloads);
  add_keys(changes, "workers", worker_keys, now.workers, next.workers);
  add_entries(changes, "peer", now.peers, next.peers, &PeerConfig::name, peer_difference);
  add_keys(changes, "gateway", gateway_keys, now.gateway, next.gateway);
  add_keys(changes, "relay", relay_keys, now.relay, next.relay);
  add_keys(changes, "relay.turbo", turbo_keys, now.relay.turbo, next.relay.turbo);
  add_keys(changes, "relay.client_start", client_start_keys, now.relay.client_start,
           next.relay.client_start);
  add_keys(changes, "relay.pool", pool_keys, now.relay.pool, next.relay.pool);
  add_keys(changes, "relay.early_syn", early_syn_keys, now.relay.early_syn, next.relay.early_syn);
  add_keys(changes, "relay.log", relay_log_keys, now.relay.log, next.relay.log);
  add_entries(changes, "pop", now.pops, next.pops, &PopConfig::peer, pop_difference);
  if (now.policy.size() != next.policy.size()) {
    changes.push_back(
        fmt::format("policy: {} rules, now {}", now.policy.size(), next.policy.size()));
  } else if (now.policy != next.policy) {
    changes.emplace_back("policy: changed");
  }
  return changes;
}

}  // namespace tw::node
