#include "node/config/import/conf_import_draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "node/config/config_values.h"

namespace tw::node {
namespace {

std::string_view name_of(ConfHook::When when) {
  switch (when) {
    case ConfHook::When::pre_up:
      return "PreUp";
    case ConfHook::When::post_up:
      return "PostUp";
    case ConfHook::When::pre_down:
      return "PreDown";
    case ConfHook::When::post_down:
      return "PostDown";
  }
  return {};
}

class Drafter {
 public:
  Drafter(const WgConf& conf, MistakeList& mistakes) : conf_(conf), mistakes_(mistakes) {}

  ImportedConf draft() && {
    out_.file_name = conf_.file_name;
    read_interface();
    for (const ConfPeer& section : conf_.peers) read_peer(section);
    name_peers();
    for (const auto& [line, text] : notes_) {
      out_.notes.push_back(fmt::format("line {}: {}", line, text));
    }
    return std::move(out_);
  }

 private:
  void note(std::uint32_t line, std::string text) {
    if (line != 0) notes_.emplace(line, std::move(text));
  }

  void read_interface() {
    TunnelConfig& tunnel = out_.draft.config.tunnel;
    tunnel.interface = conf_.interface;
    out_.private_key_line = conf_.private_key_line;
    if (!conf_.has_interface_section) {
      mistakes_.add("Interface", "is missing", "begin the file with [Interface]");
    } else if (conf_.private_key_line == 0) {
      mistakes_.add("Interface.PrivateKey", "is missing", "write the key that `wg genkey` prints");
    }
    if (conf_.private_key) {
      tunnel.private_key = *conf_.private_key;
      if (tunnel.private_key.is_zero()) {
        mistakes_.add_at({conf_.private_key_line, 1}, "Interface.PrivateKey", "a key of zeros",
                         "make one with `wg genkey`");
      }
    }
    tunnel.listen_port = conf_.listen_port.value_or(0);
    tunnel.fwmark = conf_.fwmark;
    read_addresses();
    if (conf_.table == 0U) {
      tunnel.install_routes = false;
    } else if (conf_.table) {
      note(conf_.table_line, "Table: routes go into the main table here");
    }
    note(conf_.dns_line, "DNS: Thalweg leaves name resolution alone");
    for (const ConfHook& hook : conf_.hooks) {
      note(hook.line, std::string{name_of(hook.when)} +
                          ": Thalweg runs no commands; forwarding, masquerading and MSS are keys "
                          "of [gateway]");
    }
    if (conf_.save_config) {
      note(conf_.save_config_line, "SaveConfig: Thalweg never writes its configuration");
    }
  }

  void read_addresses() {
    TunnelConfig& tunnel = out_.draft.config.tunnel;
    if (conf_.mtu && *conf_.mtu < lowest_mtu) {
      mistakes_.add_at(conf_.mtu_place, "Interface.MTU",
                       std::to_string(*conf_.mtu) + " is out of range",
                       "write a number from 576 to 65455");
    } else if (conf_.mtu) {
      tunnel.mtu = static_cast<std::uint16_t>(*conf_.mtu);
    }
    for (const auto& address : conf_.addresses) {
      const std::string text =
          fmt::format("{}/{}", address.value.address.text(), address.value.length);
      if (const auto fits = read_interface_address(text)) {
        out_.draft.addresses.push_back(address);
      } else {
        mistakes_.add(address.key, fits.error());
      }
    }
  }

  void read_peer(const ConfPeer& section) {
    const auto [place, is_new] = numbers_.try_emplace(section.public_key, numbers_.size());
    if (is_new) {
      out_.draft.peers.emplace_back();
      out_.preshared_lines.push_back(0);
    }
    PeerDraft& draft = out_.draft.peers[place->second];
    if (is_new) {
      draft.key = section.key;
      draft.peer.public_key = section.public_key;
    } else {
      note(line_of(section),
           section.key + " is the peer of " + draft.key + ": the two are one here, as on a device");
    }
    if (section.preshared_key) {
      out_.preshared_lines[place->second] =
          section.preshared_key->is_zero() ? 0 : section.preshared_line;
    }
    if (section.endpoint) draft.peer.endpoint = *section.endpoint;
    draft.peer.persistent_keepalive_s =
        section.persistent_keepalive_s.value_or(draft.peer.persistent_keepalive_s);
    if (section.replaces_allowed_ips) {
      for (const auto& allowed : draft.allowed_ips) owners_.erase(allowed.value);
      draft.allowed_ips.clear();
    }
    for (const ConfPeer::AllowedIp& allowed : section.allowed_ips) {
      allow(allowed, place->second);
    }
  }

  std::uint32_t line_of(const ConfPeer& section) const {
    return mistakes_.place_of(section.key).line;
  }

  void allow(const ConfPeer::AllowedIp& allowed, std::size_t number) {
    const auto owner = owners_.find(allowed.prefix);
    const bool is_own = owner != owners_.end() && owner->second == number;
    if (allowed.remove ? !is_own : is_own) return;
    if (owner != owners_.end()) {
      PeerDraft& before = out_.draft.peers[owner->second];
      std::erase_if(before.allowed_ips,
                    [&](const auto& have) { return have.value == allowed.prefix; });
      owners_.erase(owner);
      if (allowed.remove) return;
      note(allowed.line, "AllowedIPs: " + allowed.prefix.text() + " was " + before.key +
                             "'s before; the last peer that names it has it");
    }
    owners_.emplace(allowed.prefix, number);
    out_.draft.peers[number].allowed_ips.push_back({allowed.prefix, allowed.key});
    if (allowed.prefix.length == 0) {
      note(allowed.line, "AllowedIPs: no default route is made for " + allowed.prefix.text() +
                             "; wg-quick would send everything into the tunnel");
    }
  }

  void name_peers() {
    std::set<std::string> names;
    for (std::size_t i = 0; i < out_.draft.peers.size(); ++i) {
      PeerConfig& peer = out_.draft.peers[i].peer;
      peer.name = default_name(peer.public_key);
      if (!names.insert(peer.name).second) peer.name = "peer-" + std::to_string(i + 1);
    }
  }

  const WgConf& conf_;
  MistakeList& mistakes_;
  ImportedConf out_;
  std::multimap<std::uint32_t, std::string> notes_;   // by line
  std::map<crypto::PublicKey, std::size_t> numbers_;  // of peers, from 0
  std::map<Prefix, std::size_t> owners_;
};

}  // namespace

ImportedConf draft_of(const WgConf& conf, MistakeList& mistakes) {
  return Drafter{conf, mistakes}.draft();
}

}  // namespace tw::node
