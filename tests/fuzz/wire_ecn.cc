// link: tw_wire
// covers: wire/ip/ecn.cc
// The outer header's traffic class, then an inner packet: what carry_ecn() does to it is what
// figure 4 of RFC 6040 says, written down here once more; nothing else changes, and an IPv4
// checksum that was right (or wrong) stays so.
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "wire/ip/ecn.h"
#include "wire/ip/ip_packet.h"
#include "wire/ip/test_packet.h"

namespace {

using tw::test::Bytes;

// As RFC 3168 numbers them.
enum Field : std::uint8_t { not_ect, ect_1, ect_0, ce, drop };

// The rows are the inner field, the columns the outer one: 00, 01, 10, 11.
constexpr std::array<std::array<Field, 4>, 4> figure_4{{
    {not_ect, not_ect, not_ect, drop},
    {ect_1, ect_1, ect_1, ce},
    {ect_0, ect_1, ect_0, ce},
    {ce, ce, ce, ce},
}};

unsigned field_of(const Bytes& packet) {
  return (packet[0] >> 4U == 4 ? packet[1] : packet[1] >> 4U) & 3U;
}

Bytes without_field(Bytes packet) {
  const bool v4 = packet[0] >> 4U == 4;
  packet[1] = static_cast<std::uint8_t>(packet[1] & (v4 ? 0xfcU : 0xcfU));
  if (v4) packet[10] = packet[11] = 0;
  return packet;
}

bool header_is_right(const Bytes& packet) {
  return tw::test::naive_sum(Bytes(packet.begin(), packet.begin() + (packet[0] & 0xfU) * 4)) ==
         0xffff;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 1) return 0;
  Bytes packet(bytes + 1, bytes + size);
  const auto ip = tw::IpPacketView::of(packet);
  if (!ip) return 0;
  const Bytes before = packet;
  const Field wanted = figure_4[field_of(before)][bytes[0] & 3U];
  TW_ASSERT(tw::carry_ecn(packet, *ip, bytes[0]) == (wanted != drop));
  if (wanted == drop) {
    TW_ASSERT(packet == before);
    return 0;
  }
  TW_ASSERT(field_of(packet) == wanted);
  TW_ASSERT(without_field(packet) == without_field(before));
  if (ip->version == 4) TW_ASSERT(header_is_right(packet) == header_is_right(before));
  return 0;
}
