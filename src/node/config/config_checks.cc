#include "node/config/config_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "crypto/primitives.h"
#include "node/config/config_values.h"

namespace tw::node {
namespace {

/// A key in one of the files.
struct Owner {
  std::string key;
  const MistakeList* file;
};

/// Remembers who has each value first, and reports the second.
template <typename T>
class Owners {
 public:
  /// The earlier owner as `file` has to name it; nothing if there is none.
  std::optional<std::string> claim(const T& value, const std::string& key,
                                   const MistakeList& file) {
    const auto [place, is_new] = owners_.try_emplace(value, Owner{key, &file});
    if (is_new) return std::nullopt;
    return key_seen_from(file, place->second.key, *place->second.file);
  }

 private:
  std::map<T, Owner> owners_;
};

/// Claims the name of a peer or PoP that has a name.
std::optional<std::string> claim_name(Owners<std::string>& names, const std::string& name,
                                      const std::string& key, const MistakeList& file) {
  return name.empty() ? std::nullopt : names.claim(name, key, file);
}

void check_addresses(const ConfigDraft& draft, MistakeList& mistakes) {
  Owners<IpAddress> owners;
  bool has_v6 = false;
  for (const auto& [address, key] : draft.addresses) {
    has_v6 = has_v6 || !address.address.is_v4();
    if (const auto earlier = owners.claim(address.address, key, mistakes)) {
      mistakes.add(key, "the same address as " + *earlier, "take one out");
    }
  }
  if (has_v6 && draft.config.tunnel.mtu < lowest_mtu_v6) {
    mistakes.add("tunnel.mtu", std::to_string(draft.config.tunnel.mtu) + " is too small for IPv6",
                 "write at least 1280, or take the IPv6 addresses out");
  }
}

void check_peers(const ConfigDraft& draft, MistakeList& mistakes) {
  Owners<std::string> names;
  Owners<crypto::PublicKey> keys;
  Owners<Prefix> allowed;
  std::optional<crypto::PublicKey> own;
  if (!draft.config.tunnel.private_key.is_zero()) {
    own = crypto::public_key_of(draft.config.tunnel.private_key);
  }
  if (draft.peers.size() > most_peers) {
    const PeerDraft& beyond = draft.peers[most_peers];
    beyond.mistakes(mistakes).add(
        beyond.key, "is one peer more than the " + std::to_string(most_peers) + " of a device",
        "divide the peers among several nodes");
  }
  for (const PeerDraft& peer : draft.peers) {
    MistakeList& file = peer.mistakes(mistakes);
    const std::string& name = peer.peer.name;
    if (const auto earlier = claim_name(names, name, peer.key, file)) {
      file.add(peer.key + ".name", "the same name as " + *earlier + ", " + shown(name),
               "give each peer a name of its own");
    }
    if (peer.peer.public_key != crypto::PublicKey{}) {
      if (const auto earlier = keys.claim(peer.peer.public_key, peer.key, file)) {
        file.add(peer.key + ".public_key", "the same key as " + *earlier,
                 "make the two one, or give each machine a key of its own");
      }
      if (peer.peer.public_key == own) {
        file.add(peer.key + ".public_key", "is this node's own key",
                 "write the peer's: it is made on the peer's machine");
      }
    }
    for (const auto& [prefix, key] : peer.allowed_ips) {
      if (const auto earlier = allowed.claim(prefix, key, file)) {
        file.add(key, prefix.text() + " is " + *earlier + " too",
                 "an allowed IP belongs to one peer: take one out");
      }
    }
  }
}

void check_groups(const ConfigDraft& draft, MistakeList& mistakes) {
  Owners<std::string> names;
  std::vector<std::string> known;
  for (const GroupDraft& group : draft.groups) {
    MistakeList& file = group.included == nullptr ? mistakes : *group.included;
    if (const auto earlier = claim_name(names, group.name, group.key, file)) {
      file.add(group.key + ".name", "the same name as " + *earlier + ", " + shown(group.name),
               "make the two one, or give each a name of its own");
    }
    if (const auto peer = draft.by_name.find(group.name);
        !group.name.empty() && peer != draft.by_name.end()) {
      const PeerDraft& other = *peer->second;
      file.add(group.key + ".name",
               "the same name as " + key_seen_from(file, other.key, other.mistakes(mistakes)),
               "rules would not know which is meant: take another");
    }
    Owners<std::string> members;
    for (const auto& [name, key] : group.peers) {
      if (const auto earlier = members.claim(name, key, file)) {
        file.add(key, shown(name) + " is " + *earlier + " too", "take one out");
      }
      if (draft.by_name.contains(name)) continue;
      if (known.empty()) {
        for (const PeerDraft& peer : draft.peers) known.push_back(peer.peer.name);
      }
      file.add(key, "no [[peer]] has the name " + shown(name),
               did_you_mean(name, known, "name a peer, or take it out"));
    }
  }
}

/// The peer that packets to `address` go to; null if there is none.
const PeerDraft* peer_towards(const IpAddress& address,
                              const std::map<Prefix, const PeerDraft*>& peers) {
  for (std::size_t length = address.bits() + 1; length-- > 0;) {
    const auto found = peers.find(Prefix::of(address, static_cast<std::uint8_t>(length)));
    if (found != peers.end()) return found->second;
  }
  return nullptr;
}

/// Says what is wrong with the one PoP by itself; `by_prefix` leads from allowed IPs to peers.
void check_pop(const PopDraft& pop, const ConfigDraft& draft,
               const std::map<Prefix, const PeerDraft*>& by_prefix, MistakeList& mistakes) {
  const std::string& name = pop.pop.peer;
  const auto peer = std::ranges::find_if(
      draft.peers, [&](const PeerDraft& candidate) { return candidate.peer.name == name; });
  if (!name.empty() && peer == draft.peers.end()) {
    std::vector<std::string> names;
    names.reserve(draft.peers.size());
    for (const PeerDraft& known : draft.peers) names.push_back(known.peer.name);
    mistakes.add(pop.key + ".peer", "no [[peer]] has the name " + shown(name),
                 did_you_mean(name, names, "name the peer that is this PoP"));
  }
  if (!pop.has_overlay_address) return;
  const IpAddress& address = pop.pop.pop.overlay_address;
  const std::string key = pop.key + ".overlay_address";
  const auto is_own = [&](const auto& own) { return own.value.address == address; };
  const auto has_family = [&](const auto& own) {
    return own.value.address.family() == address.family();
  };
  if (std::ranges::any_of(draft.addresses, is_own)) {
    mistakes.add(key, address.text() + " is this node's own address",
                 "write the address that the PoP has in the tunnel");
  } else if (peer != draft.peers.end() && peer_towards(address, by_prefix) != &*peer) {
    mistakes.add(key, address.text() + " is not routed to peer " + shown(name),
                 "add it to allowed_ips of " + peer->seen_from(mistakes));
  }
  if (draft.config.relay.enabled && !draft.addresses.empty() &&
      std::ranges::none_of(draft.addresses, has_family)) {
    mistakes.add(key, address.text() + " has no counterpart in tunnel.addresses",
                 "give the tunnel an address of the same family");
  }
}

void check_pops(const ConfigDraft& draft, MistakeList& mistakes) {
  std::map<Prefix, const PeerDraft*> by_prefix;
  for (const PeerDraft& peer : draft.peers) {
    for (const auto& allowed : peer.allowed_ips) by_prefix.try_emplace(allowed.value, &peer);
  }
  Owners<std::string> names;
  Owners<IpAddress> addresses;
  for (const PopDraft& pop : draft.pops) {
    check_pop(pop, draft, by_prefix, mistakes);
    const std::string& name = pop.pop.pop.name;
    if (const auto earlier = claim_name(names, name, pop.key, mistakes)) {
      mistakes.add(pop.key + ".name", "the same name as " + *earlier + ", " + shown(name),
                   "give each PoP a name of its own");
    }
    if (pop.has_overlay_address) {
      if (const auto earlier = addresses.claim(pop.pop.pop.overlay_address, pop.key, mistakes)) {
        mistakes.add(pop.key + ".overlay_address", "the same address as " + *earlier,
                     "each PoP has an address of its own");
      }
    }
    Owners<Prefix> routes;  // two PoPs may have the same one: the second stands in for the first
    for (const auto& [prefix, key] : pop.routes) {
      if (const auto earlier = routes.claim(prefix, key, mistakes)) {
        mistakes.add(key, prefix.text() + " is " + *earlier + " too", "take one out");
      }
    }
    Owners<Prefix> clients;
    for (const auto& [prefix, key] : pop.clients) {
      if (const auto earlier = clients.claim(prefix, key, mistakes)) {
        mistakes.add(key, prefix.text() + " is " + *earlier + " too", "take one out");
      }
    }
  }
}

}  // namespace

void check_tunnel(const ConfigDraft& draft, MistakeList& mistakes) {
  check_addresses(draft, mistakes);
  check_peers(draft, mistakes);
}

void check_relay(const ConfigDraft& draft, MistakeList& mistakes) {
  const RelayConfig& relay = draft.config.relay;
  if (relay.listen_port == relay.leg_port) {
    mistakes.add("relay.leg_port", "the same port as relay.listen_port",
                 "give the two listeners different ports");
  }
  const auto& metrics = draft.config.process.metrics;
  if (relay.enabled && metrics && metrics->port == relay.listen_port) {
    mistakes.add("node.metrics", "the same port as relay.listen_port", "choose another port");
  }
  for (std::size_t i = 0; i < relay.client_devices.size(); ++i) {
    const std::string key = fmt::format("relay.client_devices[{}]", i + 1);
    const auto first = relay.client_devices.begin();
    const auto here = first + static_cast<std::ptrdiff_t>(i);
    if (*here == draft.config.tunnel.interface) {
      mistakes.add(key, "is the tunnel itself", "take it out: the tunnel's clients are served");
    } else if (std::find(first, here, *here) != here) {
      mistakes.add(key, "is there twice", "take one of them out");
    }
  }
  if (relay.enabled && draft.addresses.empty()) {
    mistakes.add("relay.enabled", "a relay needs an address in the tunnel",
                 R"(give [tunnel] addresses, such as ["10.9.0.1/24"])");
  }
  check_groups(draft, mistakes);
  check_pops(draft, mistakes);
}

}  // namespace tw::node
