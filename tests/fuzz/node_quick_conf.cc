// link: tw_node
// covers: node/quick/quick_conf.cc node/config/import/wg_conf.cc
// A wg-quick file of any text: a configuration, whose routes and firewall can be told, or mistakes
// that each say what is wrong.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "node/quick/quick_conf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(bytes), size};
  const auto conf = tw::node::parse_quick_conf(text, "folder/wg0.conf");
  if (!conf) {
    if (conf.error().empty()) std::abort();
    for (const auto& mistake : conf.error()) {
      if (mistake.what.empty() || mistake.text().contains('\n')) std::abort();
    }
    return 0;
  }
  std::vector<tw::IpAddress> addresses;
  for (const auto& address : conf->tunnel.addresses) addresses.push_back(address.address);
  std::vector<tw::Prefix> allowed;
  for (const auto& peer : conf->peers) {
    for (const auto& ip : peer.allowed_ips) allowed.push_back(ip.prefix);
  }
  tw::node::quick_routes(*conf, std::move(allowed));
  tw::node::quick_firewall_text(conf->tunnel.interface, tw::Family::v4, addresses, 1);
  return 0;
}
