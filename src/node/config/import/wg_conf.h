// A wg-quick file as its keys say it, section by section: the one reader of that format. What wg(8)
// and wg-quick(8) take is taken, in the same sense:
//
// - wg's own keys and section names are read without any blanks, wg-quick's with blanks around them
//   alone; case matters nowhere; '#' begins a comment.
// - Sections may stand repeatedly, and keys: the last one counts, or they add up where wg adds
// them.
//   A peer that is named twice is changed twice.
// - Addresses, MTU and tables are numbers as ip(8) reads them: 0x10 and 010 are sixteen and eight.
//
// Format: wg(8), "CONFIGURATION FILE FORMAT", and wg-quick(8), "CONFIGURATION".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/secret.h"
#include "node/config/config.h"
#include "node/config/config_mistakes.h"
#include "node/config/config_reader.h"

namespace tw::node {

/// One [Peer] section.
struct ConfPeer {
  struct AllowedIp {
    Prefix prefix;
    bool remove = false;  ///< "-10.0.0.0/8"
    std::string key;      ///< "Peer[1].AllowedIPs[1]"
    std::uint32_t line = 0;
  };

  std::string key;  ///< "Peer[1]"
  bool has_public_key = false;
  crypto::PublicKey public_key;
  std::optional<crypto::PresharedKey> preshared_key;
  std::uint32_t preshared_line = 0;
  std::optional<EndpointName> endpoint;
  std::optional<std::uint16_t> persistent_keepalive_s;
  /// False after "+10.0.0.0/8" or "-10.0.0.0/8", which leave what the peer has beside them.
  bool replaces_allowed_ips = true;
  std::vector<AllowedIp> allowed_ips;
};

/// A command for bash, as it stands in the file.
struct ConfHook {
  enum class When : std::uint8_t { pre_up, post_up, pre_down, post_down };
  When when;
  std::string command;
  std::uint32_t line = 0;
};

struct WgConf {
  std::string file_name;  ///< without its folder: "wg0.conf"
  std::string interface;  ///< "wg0"
  bool has_interface_section = false;

  std::optional<crypto::PrivateKey> private_key;
  std::uint32_t private_key_line = 0;  ///< from 1
  std::optional<std::uint16_t> listen_port;
  std::uint32_t fwmark = 0;

  std::vector<Listed<InterfaceAddress>> addresses;
  std::optional<std::uint32_t> mtu;
  Place mtu_place;
  /// Where routes go: nothing is wg-quick's "auto", 0 leaves them out.
  std::optional<std::uint32_t> table;
  std::vector<std::string> name_servers, search_domains;
  std::vector<ConfHook> hooks;  ///< in the order of the file
  bool save_config = false;
  std::uint32_t table_line = 0, dns_line = 0, save_config_line = 0;  ///< 0: not in the file
  /// Table, SaveConfig and hooks as they stood, a line each.
  std::string extras;

  std::vector<ConfPeer> peers;
};

/// Reads a whole file. What it returns is of use only if `mistakes` is empty afterwards.
///
///   path     names the file in mistakes, and the interface; nothing is read from it
WgConf read_wg_conf(std::string_view text, const std::string& path, MistakeList& mistakes);

}  // namespace tw::node
