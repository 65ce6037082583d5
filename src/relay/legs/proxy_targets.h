// Servers that take the PROXY protocol (HAProxy's proxy-protocol.txt): the connection to them
// begins with a header that names the client, who is otherwise hidden behind the last PoP.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "wire/address.h"

namespace tw::relay {

struct ProxyTarget {
  Prefix prefix;
  std::uint16_t port = 0;  ///< 0: every port

  /// "10.1.0.0/16", "192.0.2.7/32:443", "192.0.2.7:443", "2001:db8::/32:443".
  static std::optional<ProxyTarget> parse(std::string_view text);
  bool covers(const Endpoint& target) const noexcept {
    return (port == 0 || port == target.port) && prefix.contains(target.address.unmapped());
  }
  friend bool operator==(const ProxyTarget&, const ProxyTarget&) noexcept = default;
};

inline bool wants_proxy_header(std::span<const ProxyTarget> servers,
                               const Endpoint& target) noexcept {
  return std::ranges::any_of(servers,
                             [&](const ProxyTarget& server) { return server.covers(target); });
}

}  // namespace tw::relay
