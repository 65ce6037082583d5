// [node], [tunnel], [workers], [[peer]], [[group]] and [gateway].
#include "node/config/config_include.h"
#include "node/config/config_secret.h"
#include "node/config/config_sections.h"
#include "node/config/config_values.h"
#include "node/config/keys/tunnel_keys.h"
#include "node/control/control_server.h"

namespace tw::node {
namespace {

bool read_secret(KeyReading& at, std::string_view name, crypto::Secret<32>& secret) {
  std::string file;
  if (!at.table.text(name, file)) return false;
  auto read = read_key_file(file, at.folder);
  if (read) {
    secret = *read;
  } else {
    at.table.mistakes().add(at.table.key_of(name), read.error());
  }
  return read.has_value();
}

constexpr std::string_view not_here = "a secret does not stand in the configuration";

void read_tunnel(KeyReading at) {
  TunnelConfig& tunnel = at.draft.config.tunnel;
  TableReader& table = at.table;
  const auto read = read_keys(at, tunnel_keys, tunnel);
  table.forbid("private_key", std::string{not_here},
               "put it into a file of mode 600 and name that: private_key_file = \"FILE\"");
  if (read.has("spin_us") && tunnel.tuning.governor.mode != GovernorSettings::Mode::adaptive) {
    table.mistakes().add(table.key_of("spin_us"), "only an adaptive governor spins for a while",
                         R"(write governor = "adaptive", or take it out)");
  }
  TableReader offloads = table.table("offloads");
  read_keys({offloads, at.draft, at.folder}, offload_keys, tunnel.tuning.offloads);
  offloads.close();
  table.close();
}

void read_peer(KeyReading at) {
  PeerDraft& peer = at.draft.peers.emplace_back();
  peer.key = at.table.key();
  if (!at.draft.included.empty()) peer.included = &at.draft.included.back();
  const auto read = read_keys(at, peer_keys, peer);
  if (peer.peer.name.empty() && read.has("public_key")) {
    peer.peer.name = default_name(peer.peer.public_key);
  }
  at.table.forbid("preshared_key", std::string{not_here},
                  "put it into a file of mode 600 and name that: preshared_key_file = \"FILE\"");
  at.table.close();
}

}  // namespace

void ConfigDraft::index_peers() {
  for (const PeerDraft& peer : peers) by_name.emplace(peer.peer.name, &peer);
}

bool read_private_key(KeyReading& at, const Key<TunnelConfig>& key, TunnelConfig& tunnel) {
  return read_secret(at, key.name, tunnel.private_key);
}

bool read_preshared_key(KeyReading& at, const Key<PeerDraft>& key, PeerDraft& peer) {
  return read_secret(at, key.name, peer.peer.preshared_key);
}

bool read_addresses(KeyReading& at, const Key<TunnelConfig>& key, TunnelConfig&) {
  return at.table.list(key.name, at.draft.addresses, read_interface_address);
}

bool read_includes(KeyReading& at, const Key<TunnelConfig>& key, TunnelConfig& tunnel) {
  if (!at.table.list(key.name, at.draft.includes, read_include)) return false;
  for (const auto& include : at.draft.includes) tunnel.include.push_back(include.value);
  return true;
}

bool read_dscp_key(KeyReading& at, const Key<TunnelConfig>& key, TunnelConfig& tunnel) {
  std::string text;
  if (!at.table.number_text(key.name, text) && !at.table.text(key.name, text)) return false;
  return at.table.accept(key.name, read_dscp(text), tunnel.tuning.dscp);
}

std::string default_name(const crypto::PublicKey& key) {
  return crypto::key_to_base64(key.bytes).substr(0, 8);
}

void read_tunnel_sections(TableReader& root, const std::string& folder, ConfigDraft& draft) {
  ProcessConfig& process = draft.config.process;
  TableReader node = root.table("node");
  read_keys({node, draft, folder}, node_keys, process);
  node.close();
  if (root.has("tunnel")) {
    TableReader tunnel = root.table("tunnel");
    read_tunnel({tunnel, draft, folder});
  } else {
    root.require("tunnel", "write [tunnel] with at least interface and private_key_file");
  }
  if (process.control_socket.empty() && !draft.config.tunnel.interface.empty()) {
    process.control_socket = default_control_socket(draft.config.tunnel.interface);
  }
  TableReader workers = root.table("workers");
  read_keys({workers, draft, folder}, worker_keys, draft.config.workers);
  workers.close();
  read_peers(root, folder, draft);
  TableReader gateway = root.table("gateway");
  read_keys({gateway, draft, folder}, gateway_keys, draft.config.gateway);
  gateway.close();
}

void read_peers(TableReader& root, const std::string& folder, ConfigDraft& draft) {
  for (TableReader& table : root.tables("peer")) read_peer({table, draft, folder});
  for (TableReader& table : root.tables("group")) {
    GroupDraft& group = draft.groups.emplace_back();
    group.key = table.key();
    if (!draft.included.empty()) group.included = &draft.included.back();
    read_keys({table, draft, folder}, group_keys, group);
    table.close();
  }
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
