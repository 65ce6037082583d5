// The one notation of endpoints, taken apart: what UAPI, .conf, TOML and command lines share.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wire/address.h"

namespace tw {

/// HOST:PORT taken apart, as every notation of an endpoint has it: "host:5", "192.0.2.1:5",
/// "[fe80::1%eth0]:5". Views of the text; nothing is looked up, and no part is checked.
struct HostPort {
  std::string_view host;  ///< without brackets and zone
  std::string_view zone;  ///< the part behind a '%' in the host; `has_zone` tells an empty one
  std::string_view port;
  bool bracketed = false, has_zone = false;

  /// The port follows the bracket that closes the host, or else the last colon. Empty if there is
  /// no such colon.
  static std::optional<HostPort> split(std::string_view text) noexcept;
};

/// The interface index that a zone stands for; empty if it stands for none.
using ZoneLookup = std::optional<std::uint32_t> (*)(std::string_view zone);
/// Decimal digits: what Endpoint::text() writes.
std::optional<std::uint32_t> numeric_zone(std::string_view zone);

/// "192.0.2.1:51820" or "[fe80::1%eth0]:51820": the address in figures, the port required, a zone
/// as `zones` reads it.
std::optional<Endpoint> parse_endpoint(std::string_view text, ZoneLookup zones);

}  // namespace tw
