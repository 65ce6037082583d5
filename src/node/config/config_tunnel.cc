// [node], [tunnel], [[peer]] and [gateway].
#include "node/config/config_secret.h"
#include "node/config/config_sections.h"
#include "node/config/config_values.h"
#include "node/control/control_server.h"

namespace tw::node {
namespace {

constexpr std::uint64_t fewest_queue_packets = 16, most_queue_packets = 1'000'000;

void read_process(TableReader table, ProcessConfig& process) {
  table.value("control_socket", process.control_socket, read_socket_path);
  table.value("log_level", process.log_level, read_log_level);
  table.value("log_file", process.log_file, read_absolute_path);
  Endpoint metrics;
  if (table.value("metrics", metrics, read_metrics_endpoint)) process.metrics = metrics;
  table.boolean("remember_peers", process.remember_peers);
  table.close();
}

/// Reads the key file that `name` names into `key`.
void read_secret(TableReader& table, std::string_view name, const std::string& folder,
                 crypto::Secret<32>& key) {
  std::string file;
  if (!table.text(name, file)) return;
  auto secret = read_key_file(file, folder);
  if (secret) {
    key = *secret;
  } else {
    table.mistakes().add(table.key_of(name), secret.error());
  }
}

constexpr std::string_view not_here = "a secret does not stand in the configuration";

void read_offloads(TableReader table, DeviceOffloads& offloads) {
  table.boolean("udp_receive", offloads.udp_receive);
  table.boolean("udp_send", offloads.udp_send);
  table.boolean("tun_tcp", offloads.tun_tcp);
  table.boolean("tun_udp", offloads.tun_udp);
  table.close();
}

void read_tuning(TableReader& table, DeviceTuning& tuning) {
  table.value("cipher", tuning.cipher, read_cipher);
  table.value("governor", tuning.governor.mode, read_governor);
  std::uint32_t spin_us = 0, limit_us = 0;
  if (table.number("spin_us", spin_us, 1, most_spin_us)) {
    tuning.governor.spin = std::chrono::microseconds{spin_us};
    if (tuning.governor.mode != GovernorSettings::Mode::adaptive) {
      table.mistakes().add(table.key_of("spin_us"), "only an adaptive governor spins for a while",
                           R"(write governor = "adaptive", or take it out)");
    }
  }
  if (table.number("queue_limit_us", limit_us, 0, most_queue_limit_us)) {
    tuning.queue_limit = std::chrono::microseconds{limit_us};
  }
  table.value_or_number("dscp", tuning.dscp, read_dscp);
  read_offloads(table.table("offloads"), tuning.offloads);
}

void read_tunnel(TableReader table, const std::string& folder, ConfigDraft& draft) {
  TunnelConfig& tunnel = draft.config.tunnel;
  table.require("interface", R"(name the device: interface = "wg0")");
  table.value("interface", tunnel.interface, read_interface_name);
  table.require("private_key_file",
                "make one with (umask 077; wg genkey > node.key) and name it: private_key_file = "
                "\"node.key\"");
  read_secret(table, "private_key_file", folder, tunnel.private_key);
  table.forbid("private_key", std::string{not_here},
               "put it into a file of mode 600 and name that: private_key_file = \"FILE\"");
  table.number("listen_port", tunnel.listen_port, 0);
  table.list("addresses", draft.addresses, read_interface_address);
  table.number("mtu", tunnel.mtu, lowest_mtu, highest_mtu);
  table.number("fwmark", tunnel.fwmark, 0);
  table.boolean("install_routes", tunnel.install_routes);
  table.number("tx_queue_packets", tunnel.tx_queue_packets, fewest_queue_packets,
               most_queue_packets);
  read_tuning(table, tunnel.tuning);
  table.close();
}

void read_peer(TableReader table, const std::string& folder, ConfigDraft& draft) {
  PeerDraft& peer = draft.peers.emplace_back();
  peer.key = table.key();
  table.require("public_key", "write the key that `wg pubkey` prints on the peer's machine");
  const bool has_key = table.value("public_key", peer.peer.public_key, read_public_key);
  if (!table.value("name", peer.peer.name, read_name) && has_key) {
    peer.peer.name = default_name(peer.peer.public_key);
  }
  read_secret(table, "preshared_key_file", folder, peer.peer.preshared_key);
  table.forbid("preshared_key", std::string{not_here},
               "put it into a file of mode 600 and name that: preshared_key_file = \"FILE\"");
  EndpointName endpoint;
  if (table.value("endpoint", endpoint, read_endpoint_name)) peer.peer.endpoint = endpoint;
  table.list("allowed_ips", peer.allowed_ips, read_prefix);
  table.number("persistent_keepalive_s", peer.peer.persistent_keepalive_s, 0);
  table.close();
}

void read_gateway(TableReader table, GatewayConfig& gateway) {
  table.boolean("forward", gateway.forward);
  table.boolean("forward_others", gateway.forward_others);
  table.list("masquerade", gateway.masquerade, read_prefix);
  table.boolean("clamp_mss", gateway.clamp_mss);
  table.number("flows_per_peer", gateway.flows_per_peer, 0);
  table.boolean("notrack", gateway.notrack);
  table.close();
}

}  // namespace

std::string default_name(const crypto::PublicKey& key) {
  return crypto::key_to_base64(key.bytes).substr(0, 8);
}

void read_tunnel_sections(TableReader& root, const std::string& folder, ConfigDraft& draft) {
  ProcessConfig& process = draft.config.process;
  read_process(root.table("node"), process);
  if (root.has("tunnel")) {
    read_tunnel(root.table("tunnel"), folder, draft);
  } else {
    root.require("tunnel", "write [tunnel] with at least interface and private_key_file");
  }
  if (process.control_socket.empty() && !draft.config.tunnel.interface.empty()) {
    process.control_socket = default_control_socket(draft.config.tunnel.interface);
  }
  for (TableReader& table : root.tables("peer")) read_peer(std::move(table), folder, draft);
  read_gateway(root.table("gateway"), draft.config.gateway);
}

NodeConfig ConfigDraft::finish() && {
  for (const auto& address : addresses) config.tunnel.addresses.push_back(address.value);
  for (PeerDraft& draft : peers) {
    for (const auto& prefix : draft.allowed_ips) draft.peer.allowed_ips.push_back(prefix.value);
    config.peers.push_back(std::move(draft.peer));
  }
  for (PopDraft& draft : pops) {
    for (const auto& prefix : draft.routes) draft.pop.pop.routes.push_back(prefix.value);
    for (const auto& prefix : draft.clients) draft.pop.pop.clients.push_back(prefix.value);
    config.pops.push_back(std::move(draft.pop));
  }
  return std::move(config);
}

}  // namespace tw::node
