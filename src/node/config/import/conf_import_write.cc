// The writing half of the import: TOML for people, in the order of docs/configuration.md.
#include <algorithm>
#include <ranges>

#include "node/config/import/conf_import_draft.h"

namespace tw::node {
namespace {

/// Nothing that is quoted here can hold a quote or a backslash: its reader refused them.
std::string quoted(const std::string& text) { return '"' + text + '"'; }

std::string text_of(const InterfaceAddress& address) {
  return address.address.text() + '/' + std::to_string(address.length);
}
std::string text_of(const Prefix& prefix) { return prefix.text(); }

std::string text_of(const EndpointName& endpoint) {
  const bool is_v6 = endpoint.host.contains(':');
  const std::string host = is_v6 ? '[' + endpoint.host + ']' : endpoint.host;
  return host + ':' + std::to_string(endpoint.port);
}

template <typename T>
std::string list_of(const std::vector<Listed<T>>& elements) {
  std::string out;
  for (const auto& element : elements) {
    out += (out.empty() ? "" : ", ") + quoted(text_of(element.value));
  }
  return '[' + out + ']';
}

std::string preshared_file(const ImportedConf& conf, std::size_t peer) {
  return conf.draft.config.tunnel.interface + "-peer" + std::to_string(peer + 1) + ".psk";
}

/// A command that takes the key out of its line. Names of files are those of interfaces: the shell
/// needs no quotes.
std::string key_command(const ImportedConf& conf, std::uint32_t line, const std::string& file) {
  return "#   (umask 077; sed -n '" + std::to_string(line) +
         R"({s/#.*//;s/[[:space:]]//g;s/^[^=]*=//p}' )" + conf.file_name + " > " + file +
         ") && chmod 600 " + file + '\n';
}

std::string head(const ImportedConf& conf) {
  const std::string key_file = conf.draft.config.tunnel.interface + ".key";
  std::string out = "# Made from " + conf.file_name +
                    " by `thalweg check --import`.\n#\n"
                    "# Secrets stand in files of their own, beside this one. In the folder of " +
                    conf.file_name + ", these commands make them:\n";
  out += key_command(conf, conf.private_key_line, key_file);
  for (std::size_t i = 0; i < conf.preshared_lines.size(); ++i) {
    if (conf.preshared_lines[i] == 0) continue;
    out += key_command(conf, conf.preshared_lines[i], preshared_file(conf, i));
  }
  if (!conf.notes.empty()) out += "#\n# What has no counterpart here, by line of the original:\n";
  for (const std::string& note : conf.notes) out += "#   " + note + '\n';
  return out;
}

std::string tunnel_section(const ImportedConf& conf) {
  const TunnelConfig& tunnel = conf.draft.config.tunnel;
  std::string out = "\n[tunnel]\ninterface = " + quoted(tunnel.interface) +
                    "\nprivate_key_file = " + quoted(tunnel.interface + ".key") + '\n';
  if (tunnel.listen_port != 0) out += "listen_port = " + std::to_string(tunnel.listen_port) + '\n';
  if (!conf.draft.addresses.empty()) out += "addresses = " + list_of(conf.draft.addresses) + '\n';
  if (tunnel.mtu != default_mtu) out += "mtu = " + std::to_string(tunnel.mtu) + '\n';
  if (tunnel.fwmark != 0) out += "fwmark = " + std::to_string(tunnel.fwmark) + '\n';
  if (!tunnel.install_routes) out += "install_routes = false  # Table = off\n";
  return out;
}

std::string peer_section(const ImportedConf& conf, std::size_t index) {
  const PeerDraft& draft = conf.draft.peers[index];
  const PeerConfig& peer = draft.peer;
  std::string out = "\n[[peer]]\nname = " + quoted(peer.name) +
                    "\npublic_key = " + quoted(crypto::key_to_base64(peer.public_key.bytes)) + '\n';
  if (conf.preshared_lines[index] != 0) {
    out += "preshared_key_file = " + quoted(preshared_file(conf, index)) + '\n';
  }
  if (peer.endpoint) out += "endpoint = " + quoted(text_of(*peer.endpoint)) + '\n';
  if (!draft.allowed_ips.empty()) out += "allowed_ips = " + list_of(draft.allowed_ips) + '\n';
  if (peer.persistent_keepalive_s != 0) {
    out += "persistent_keepalive_s = " + std::to_string(peer.persistent_keepalive_s) + '\n';
  }
  return out;
}

std::string policy_example(const ImportedConf& conf) {
  const auto has_addresses = [](const PeerDraft& peer) { return !peer.allowed_ips.empty(); };
  const auto peer = std::ranges::find_if(conf.draft.peers, has_addresses);
  const std::string from = peer == conf.draft.peers.end() ? "10.9.0.0/24" : peer->peer.name;
  return "\n# A .conf has no policy, and without one nothing is forwarded or relayed. This would "
         "let\n"
         "# a peer reach everything through this machine:\n#\n"
         "# [gateway]\n# forward = true\n#\n"
         "# [[policy]]\n# from = [" +
         quoted(from) + "]\n# action = \"route\"\n";
}

}  // namespace

std::string write_toml(const ImportedConf& conf) {
  std::string out = head(conf) + tunnel_section(conf);
  for (std::size_t i = 0; i < conf.draft.peers.size(); ++i) out += peer_section(conf, i);
  return out + policy_example(conf);
}

}  // namespace tw::node
