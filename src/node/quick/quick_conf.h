// A wg-quick file as values: what `wg setconf` would take of it, and what wg-quick adds. Mistakes
// are told all at once, each with its line; nothing but the text is looked at.
//
// Format: wg(8), "CONFIGURATION FILE FORMAT", and wg-quick(8), "CONFIGURATION".
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/netlink/netlink.h"
#include "node/config/config.h"
#include "node/config/import/wg_conf.h"

namespace tw::node {

/// Commands for bash, in the order of the file; "%i" is the interface already.
struct QuickHooks {
  std::vector<std::string> pre_up, post_up, pre_down, post_down;
};

struct QuickConf {
  std::string path;  ///< of the file itself, behind symbolic links, if it was loaded
  /// Sentences for the file's owner, who should know them though the tunnel works.
  std::vector<std::string> warnings;
  TunnelConfig tunnel;  ///< keys, port, mark and addresses; its MTU counts only if `has_mtu`
  bool has_mtu = false;
  std::vector<ConfPeer> peers;  ///< sections: the same peer may stand twice
  std::vector<std::string> name_servers, search_domains;
  /// Where routes go: 0 leaves them out, nothing is wg-quick's "auto".
  std::optional<std::uint32_t> table;
  QuickHooks hooks;  ///< as they are to be run
  bool save_config = false;
  std::string extras;  ///< Table, SaveConfig and hooks as they stood, a line each: kept when saving
};

/// `path` names the file in mistakes; the interface is called as the file is, without ".conf".
std::expected<QuickConf, std::vector<ConfigMistake>> parse_quick_conf(std::string_view text,
                                                                      const std::string& path);
/// The same for a file, whose text is wiped afterwards; a name without a slash or an ending is
/// looked up in /etc/wireguard. A file that every user may write is refused, as root is to run its
/// hooks; one that every user may read is warned of.
std::expected<QuickConf, std::vector<ConfigMistake>> load_quick_conf(const std::string& file);

/// A route that wg-quick's "auto" makes.
struct QuickRoute {
  Prefix prefix;
  bool is_default = false;  ///< into a table of its own, with rules
};
/// Returns the routes to make, longest prefixes first: every allowed IP that the device has, but
/// those that an address or a route before them covers.
std::vector<QuickRoute> quick_routes(const QuickConf& conf, std::vector<Prefix> allowed_ips);

/// The commands for nftables that keep others out of the tunnel's own addresses and carry the mark
/// of our own datagrams over to their answers: what wg-quick adds for one family's default route.
std::string quick_firewall_text(const std::string& interface, Family family,
                                std::span<const IpAddress> addresses, std::uint32_t mark);

}  // namespace tw::node
