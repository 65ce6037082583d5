#include "node/config/config_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "node/node_parts.h"
#include "relay/admission/pop_clients.h"

namespace tw::node {
namespace {

/// A default route, or half of one, says where a peer leads to, and not who comes from there.
constexpr std::uint8_t longest_default = 1;

void advise_on_legs(const NodeConfig& config, const std::string& path,
                    std::vector<ConfigMistake>& advice) {
  for (std::size_t i = 0; i < config.pops.size(); ++i) {
    const relay::PopSettings& pop = config.pops[i].pop;
    if (!config.relay.enabled || pop.legs != relay::Legs::any) continue;
    advice.push_back({.file = path,
                      .key = fmt::format("pop[{}].legs", i + 1),
                      .what = fmt::format("\"any\" serves whatever comes from {} as this PoP",
                                          pop.overlay_address.text()),
                      .mend = "take the line out when the PoP has been upgraded"});
  }
}

/// Tells whether anybody may come from the addresses of a policy line, and if nobody may, why.
class Origins {
 public:
  explicit Origins(const NodeConfig& config) : config_(config), clients_(pop_clients(config)) {}

  /// Empty if somebody can come from some address of `from`; else why nobody does.
  std::optional<std::string> nobody_from(const Prefix& from) const {
    std::vector<IpAddress> addresses{from.address};
    for (const PeerConfig& peer : config_.peers) {
      for (const Prefix& allowed : peer.allowed_ips) {
        if (allowed.length >= from.length && from.contains(allowed.address)) {
          addresses.push_back(allowed.address);
        }
      }
    }
    if (std::ranges::any_of(addresses, [&](const IpAddress& one) { return has_client(one); })) {
      return std::nullopt;
    }
    const auto owner = clients_->owner_of(from.address);
    if (!owner) return "is an address that no client has";
    return fmt::format("belongs to peer \"{}\" by its {}", config_.peers[owner->peer].name,
                       owner->prefix.text());
  }

 private:
  bool has_client(const IpAddress& address) const {
    const auto owner = clients_->owner_of(address);
    if (owner && owner->prefix.length > longest_default) return true;  // that peer itself
    for (std::size_t pop = 0; pop < config_.pops.size(); ++pop) {
      const bool its_default = owner && owner->peer == clients_->peer_of(pop);
      if (!its_default && clients_->may_name(pop, address)) return true;
    }
    return false;
  }

  const NodeConfig& config_;
  std::shared_ptr<const relay::PopClients> clients_;
};

void advise_on_origins(const NodeConfig& config, const std::string& path,
                       std::vector<ConfigMistake>& advice) {
  // Whoever is on a client device may have any address.
  if (!config.relay.enabled || config.pops.empty() || !config.relay.client_devices.empty()) return;
  const Origins origins{config};
  for (std::size_t i = 0; i < config.policy.size(); ++i) {
    const relay::PolicyRule& rule = config.policy[i];
    if (rule.action == relay::Action::refuse) continue;
    for (const Prefix& from : rule.from) {
      const auto nobody = origins.nobody_from(from);
      if (!nobody) continue;
      advice.push_back(
          {.file = path,
           .key = fmt::format("policy[{}].from", i + 1),
           .what = fmt::format("{} {}: no PoP may name clients of it", from.text(), *nobody),
           .mend = fmt::format("write clients = [\"{}\"] in the [[pop]] that they "
                               "come by",
                               from.text())});
    }
  }
}

void advise_on_tracking(const NodeConfig& config, const std::string& path,
                        std::vector<ConfigMistake>& advice) {
  if (!config.gateway.notrack) return;
  const std::string port = config.tunnel.listen_port == 0
                               ? std::string{"PORT"}
                               : std::to_string(config.tunnel.listen_port);
  advice.push_back({.file = path,
                    .key = "gateway.notrack",
                    .what = "a firewall of this machine that lets answers in by `ct state "
                            "established` drops those of the tunnel",
                    .mend = fmt::format("let `udp dport {0}` in, and `udp sport {0}` out, by rules "
                                        "of their own, or take the line out",
                                        port)});
}

}  // namespace

std::vector<ConfigMistake> advice_on(const NodeConfig& config, const std::string& path) {
  std::vector<ConfigMistake> advice;
  advise_on_legs(config, path, advice);
  advise_on_origins(config, path, advice);
  advise_on_tracking(config, path, advice);
  return advice;
}

}  // namespace tw::node
