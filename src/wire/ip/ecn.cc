#include "wire/ip/ecn.h"

#include "wire/be.h"
#include "wire/checksum.h"

namespace tw {
namespace {

void set_ecn(ByteSpan packet, const IpPacketView& ip, std::uint8_t value) noexcept {
  const std::uint16_t before = load_be16(packet, 0);
  // IPv4: version, header length, traffic class. IPv6: version, traffic class, 4 bits of the label.
  const unsigned place = ip.version == 4 ? 0U : 4U;
  const unsigned cleared = before & ~(unsigned{ecn::mask} << place);
  const auto after = static_cast<std::uint16_t>(cleared | unsigned{value} << place);
  store_be16(packet, 0, after);
  if (ip.version != 4) return;
  constexpr std::size_t checksum = 10;
  store_be16(packet, checksum, updated_checksum(load_be16(packet, checksum), before, after));
}

}  // namespace

bool carry_ecn(ByteSpan packet, const IpPacketView& ip, std::uint8_t outer) noexcept {
  const std::uint8_t inner = ip.traffic_class & ecn::mask;
  switch (outer & ecn::mask) {
    case ecn::experienced:
      if (inner == ecn::not_capable) return false;
      if (inner != ecn::experienced) set_ecn(packet, ip, ecn::experienced);
      return true;
    case ecn::capable_1:
      if (inner == ecn::capable_0) set_ecn(packet, ip, ecn::capable_1);
      return true;
    default:
      return true;
  }
}

}  // namespace tw
