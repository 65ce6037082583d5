// What one customer has, as far as an address tells: one IPv4 address, or a /64 of IPv6.
#pragma once

#include "wire/address.h"

namespace tw::relay {

inline IpAddress network_of(const IpAddress& client) noexcept {
  const IpAddress address = client.unmapped();
  return address.is_v4() ? address : Prefix::of(address, 64).address;
}

}  // namespace tw::relay
