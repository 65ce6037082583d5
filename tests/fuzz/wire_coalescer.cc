// link: tw_wire
// Packets, each behind its length (two bytes, little-endian; with the highest bit set, the packet's
// checksums are made right first). Whatever is joined is a train that can be split again, into the
// packets that were given, byte for byte; and no packet of a train had a checksum that was wrong,
// summed here byte by byte, without the code that is tested.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "wire/coalescer.h"
#include "wire/gso.h"
#include "wire/ip_packet.h"
#include "wire/packet_for_test.h"
#include "wire/transport.h"

namespace {

using tw::test::Bytes;

/// Where a TCP or UDP packet has its checksum, and the sum of all that it covers.
struct Covered {
  std::size_t field;
  std::uint32_t sum;
};

std::optional<Covered> covered(const Bytes& packet) {
  const auto ip = tw::IpPacketView::of(packet);
  if (!ip || (ip->protocol != tw::protocol_tcp && ip->protocol != tw::protocol_udp)) return {};
  const std::size_t offset = ip->protocol == tw::protocol_tcp ? 16 : 6;
  const std::size_t field = ip->header_length + offset;
  if (field + 2 > ip->total_length) return {};
  Bytes all(ip->source.begin(), ip->source.end());
  all.insert(all.end(), ip->target.begin(), ip->target.end());
  tw::test::put16(all, ip->protocol);
  tw::test::put16(all, ip->total_length - ip->header_length);
  all.insert(all.end(), packet.begin() + ip->header_length, packet.begin() + ip->total_length);
  return Covered{field, tw::test::naive_sum(all)};
}

void put(Bytes& packet, std::size_t at, std::uint32_t sum) {
  packet[at] = static_cast<std::uint8_t>(~sum >> 8U);
  packet[at + 1] = static_cast<std::uint8_t>(~sum);
}

std::uint32_t header_sum(const Bytes& packet) {
  return tw::test::naive_sum(Bytes(packet.begin(), packet.begin() + (packet[0] & 0xfU) * 4));
}

void make_right(Bytes& packet) {
  const auto ip = tw::IpPacketView::of(packet);
  if (!ip) return;
  if (ip->version == 4) {
    packet[10] = packet[11] = 0;
    put(packet, 10, header_sum(packet));
  }
  if (const auto before = covered(packet)) {
    packet[before->field] = packet[before->field + 1] = 0;
    put(packet, before->field, covered(packet)->sum);
  }
}

bool is_right(const Bytes& packet) {
  if (packet[0] >> 4U == 4 && header_sum(packet) != 0xffff) return false;
  const auto all = covered(packet);
  return all && all->sum == 0xffff;
}

/// Without what a train cannot keep and nobody can miss: the identification of a packet that may
/// not be cut, and which of its two zeros a checksum is.
Bytes essence(Bytes packet) {
  if (packet[0] >> 4U == 4 && (packet[6] & 0x40U) != 0) {
    packet[4] = packet[5] = packet[10] = packet[11] = 0;
  }
  const auto all = covered(packet);
  if (all && packet[all->field] == 0xff && packet[all->field + 1] == 0xff) {
    packet[all->field] = packet[all->field + 1] = 0;
  }
  return packet;
}

void expect_split_again(const tw::JoinedPackets& joined, std::deque<Bytes>& given) {
  const tw::ByteView whole{joined.bytes, joined.length};
  const auto view = tw::GsoView::of(whole, joined.vnet);
  TW_ASSERT(view && view->segment_count() == joined.packets);
  for (std::size_t i = 0; i < view->segment_count(); ++i) {
    Bytes packet(view->segment_length(i));
    view->segment(i, packet);
    const auto is_it = [&](const Bytes& one) {
      if (joined.packets == 1) return one == packet;
      return is_right(one) && essence(one) == essence(packet);
    };
    const auto found = std::ranges::find_if(given, is_it);
    TW_ASSERT(found != given.end());
    given.erase(found);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t right = 0x8000;
  tw::Coalescer coalescer{64, 4};
  std::deque<Bytes> kept, given;
  while (size >= 2 && !coalescer.full()) {
    const std::size_t wanted = bytes[0] | std::size_t{bytes[1]} << 8U;
    const std::size_t length = std::min(wanted & ~right, size - 2);
    Bytes& packet = kept.emplace_back(bytes + 2, bytes + 2 + length);
    bytes += 2 + length;
    size -= 2 + length;
    if ((wanted & right) != 0) make_right(packet);
    const auto ip = tw::IpPacketView::of(packet);
    if (!ip) continue;
    given.emplace_back(packet.begin(), packet.begin() + ip->total_length);
    coalescer.add(tw::ByteSpan{packet}.first(ip->total_length), *ip);
  }
  for (const tw::JoinedPackets& joined : coalescer.finish()) expect_split_again(joined, given);
  TW_ASSERT(given.empty());
  return 0;
}
