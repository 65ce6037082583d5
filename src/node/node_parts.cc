#include "node/node_parts.h"

#include <cctype>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "crypto/primitives.h"
#include "machine/port_holder.h"
#include "node/trim_heap.h"

namespace tw::node {
namespace {

/// The characters of its public key that name a peer without a name of its own.
constexpr std::size_t key_name_length = 8;

PeerStatus peer_status(const PeerState& state) {
  PeerStatus status;
  status.public_key = crypto::key_to_base64(state.public_key.bytes);
  status.name = status.public_key.substr(0, key_name_length);
  if (state.endpoint) status.endpoint = state.endpoint->text();
  for (const Prefix& prefix : state.allowed_ips) status.allowed_ips.push_back(prefix.text());
  status.last_handshake_s =
      std::chrono::duration_cast<std::chrono::seconds>(state.last_handshake.since_epoch).count();
  status.received_bytes = state.rx_bytes;
  status.sent_bytes = state.tx_bytes;
  return status;
}

}  // namespace

std::shared_ptr<const relay::PopClients> pop_clients(const NodeConfig& config) {
  if (config.pops.empty()) return nullptr;
  std::unordered_map<std::string_view, std::uint32_t> peers;
  std::vector<relay::PopClients::Owned> allowed;
  for (std::uint32_t number = 0; const PeerConfig& peer : config.peers) {
    peers.emplace(peer.name, number);
    for (const Prefix& prefix : peer.allowed_ips) allowed.push_back({prefix, number});
    ++number;
  }
  std::vector<IpAddress> own;
  for (const InterfaceAddress& address : config.tunnel.addresses) own.push_back(address.address);
  std::vector<relay::PopClients::Pop> pops;
  for (const PopConfig& pop : config.pops) {
    const auto peer = peers.find(pop.peer);
    const auto none = static_cast<std::uint32_t>(config.peers.size());
    pops.push_back({.peer = peer == peers.end() ? none : peer->second, .given = pop.pop.clients});
  }
  return std::make_shared<relay::PopClients>(allowed, std::move(own), std::move(pops));
}

/// All peers but the PoPs, whose addresses are their own clients'.
std::shared_ptr<const relay::Principals> principals_of(const NodeConfig& config) {
  std::unordered_set<std::string_view> pops;
  for (const PopConfig& pop : config.pops) pops.insert(pop.peer);
  std::vector<relay::PeerNetworks> peers;
  for (const PeerConfig& peer : config.peers) {
    if (pops.contains(peer.name)) continue;
    relay::PeerNetworks networks{.id = 0, .allowed_ips = peer.allowed_ips};
    std::memcpy(&networks.id, peer.public_key.bytes.data(), sizeof networks.id);
    networks.id |= 1;
    peers.push_back(std::move(networks));
  }
  return std::make_shared<relay::Principals>(peers);
}

relay::RelaySettings relay_settings(const NodeConfig& config) {
  relay::RelaySettings settings{config.relay};
  settings.tun_device = config.tunnel.interface;
  for (const InterfaceAddress& address : config.tunnel.addresses) {
    settings.leg_addresses.push_back(address.address);
  }
  for (const PopConfig& pop : config.pops) settings.pops.push_back(pop.pop);
  settings.pop_clients = pop_clients(config);
  settings.principals = principals_of(config);
  settings.policy = relay::Policy{config.policy};
  return settings;
}

std::unexpected<Error> port_in_use(std::string_view key, std::uint16_t port,
                                   const PortHolder& holder) {
  return make_error(Error::Kind::unavailable,
                    "UDP port " + std::to_string(port) + " is taken by " + holder.text() +
                        "; stop that, or choose another " + std::string{key});
}

std::unexpected<Error> explain_port_in_use(Error error, const NodeConfig& config) {
  struct Port {
    std::string_view key;
    std::uint16_t number;
    Transport transport;
  };
  if (error.os_errno != EADDRINUSE) return std::unexpected(std::move(error));
  for (const Port& port : {Port{"relay.listen_port", config.relay.listen_port, Transport::tcp},
                           Port{"relay.leg_port", config.relay.leg_port, Transport::tcp},
                           Port{"tunnel.listen_port", config.tunnel.listen_port, Transport::udp}}) {
    // The error names the address: "listen on 10.9.0.1:9702 of wg0".
    const bool is_relay = port.transport == Transport::tcp;
    const std::string number = ':' + std::to_string(port.number);
    const std::size_t at = error.detail.find(number);
    if (port.number == 0 || at == std::string::npos) continue;
    if (at + number.size() < error.detail.size() &&
        std::isdigit(static_cast<unsigned char>(error.detail[at + number.size()])) != 0) {
      continue;
    }
    if (is_relay != error.detail.starts_with("listen on")) continue;
    const auto holder = holder_of(port.transport, port.number);
    return make_error(Error::Kind::unavailable,
                      error.detail + ": the port is taken" +
                          (holder ? " by " + holder->text() : std::string{}) +
                          "; stop that, or choose another " + std::string{port.key} +
                          (port.key == "relay.leg_port" ? " (the same on all PoPs)" : ""));
  }
  return std::unexpected(std::move(error));
}

bool stop_is_asked() noexcept {
  sigset_t waiting;
  sigemptyset(&waiting);
  return ::sigpending(&waiting) == 0 &&
         (sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1);
}

NodeStatus device_status(Device& device, const NodeConfig& config) {
  NodeStatus status;
  status.interface = device.interface();
  status.listen_port = device.listen_port();
  status.cipher_engine = std::string{device.cipher().chosen.name};
  status.cipher_ns_per_packet = device.cipher().per_packet.count();
  for (const crypto::AeadTrial& trial : device.cipher().trials) {
    status.ciphers.push_back({std::string{trial.name}, trial.per_packet.count(), trial.refused});
  }
  status.tuning = device.tuning();
  status.lost_log_lines = log::lost_lines();
  const DeviceCounters counters = device.counters();
  for (std::size_t number = 0; number < counters.lanes.size(); ++number) {
    status.workers.push_back({.name = std::to_string(number), .counters = *counters.lanes[number]});
  }
  status.handshakes = counters.handshakes;
  status.kernel_drops_udp = device.kernel_drops();
  const Result<DeviceState> state = device.state();
  if (!state) return status;  // the worker did not answer: what there is, is better than nothing
  status.public_key = crypto::key_to_base64(crypto::public_key_of(state->private_key).bytes);
  std::unordered_map<crypto::PublicKey, std::string_view> names;
  for (const PeerConfig& peer : config.peers) names.emplace(peer.public_key, peer.name);
  for (const PeerState& peer : state->peers) {
    PeerStatus made = peer_status(peer);
    if (const auto name = names.find(peer.public_key); name != names.end()) {
      made.name = std::string{name->second};
    }
    status.peers.push_back(std::move(made));
  }
  return status;
}

NodeConfig packed(NodeConfig scattered) {
  trim_heap();
  NodeConfig together = scattered;
  scattered = NodeConfig{};
  trim_heap();
  return together;
}

std::int64_t unix_now_s() noexcept {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace tw::node
