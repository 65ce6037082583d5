// IPv4 addresses inside IPv6 ones. A translator or a tunnel's end on the way turns one into the
// other, so who may not reach the first must not reach the second: every form that is known is
// known here, and nowhere else.
#pragma once

#include <array>
#include <cstddef>

#include "wire/address.h"

namespace tw {

/// The IPv4 addresses that one IPv6 address stands for. Several: a form may carry two, forms may be
/// combined, and the prefix for local translators says not how long it is. None for IPv4.
///
///   ::ffff:a.b.c.d, ::a.b.c.d           mapped, compatible (RFC 4291, section 2.5.5); not ::1
///   ::ffff:0:a.b.c.d                    translated (RFC 2765, section 2.1)
///   64:ff9b::a.b.c.d                    NAT64, the well-known prefix (RFC 6052, section 2.1)
///   64:ff9b:1::/48                      NAT64, local prefixes in it of 48, 56, 64 or 96 bits
///                                       (RFC 8215; RFC 6052, section 2.2)
///   2002:abcd::/48                      6to4 (RFC 3056, section 2)
///   2001:0:abcd:…                       Teredo: the server and, inverted, the client (RFC 4380,
///                                       section 4)
///   …:0:5efe:a.b.c.d, …:200:5efe:…      ISATAP (RFC 5214, section 6.1)
///
/// A prefix of a network's own (NAT64, 6rd) cannot be told from any other: it is for a policy to
/// refuse.
class EmbeddedIpv4 {
 public:
  explicit EmbeddedIpv4(const IpAddress& address) noexcept;

  const IpAddress* begin() const noexcept { return found_.data(); }
  const IpAddress* end() const noexcept { return found_.data() + count_; }
  bool empty() const noexcept { return count_ == 0; }

 private:
  static constexpr std::size_t most = 6;

  void add(ByteView octets) noexcept;
  void add_local_nat64(ByteView bytes) noexcept;
  std::array<IpAddress, most> found_{};
  std::size_t count_ = 0;
};

}  // namespace tw
