// link: tw_wire
// covers: wire/offload/coalescer.cc
// Packets, each behind its length (two bytes, little-endian; with the highest bit set, the packet's
// checksums are made right first). Whatever is joined is a train that can be split again, into the
// packets that were given, byte for byte; and no packet of a train had a checksum that was wrong,
// summed here byte by byte, without the code that is tested.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/assert.h"
#include "packet_sums.h"
#include "wire/ip/ip_packet.h"
#include "wire/offload/coalescer.h"
#include "wire/offload/gso.h"

namespace {

using tw::testing::Bytes, tw::testing::essence, tw::testing::is_right;

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
    if ((wanted & right) != 0) tw::testing::make_right(packet);
    const auto ip = tw::IpPacketView::of(packet);
    if (!ip) continue;
    given.emplace_back(packet.begin(), packet.begin() + ip->total_length);
    coalescer.add(tw::ByteSpan{packet}.first(ip->total_length), *ip);
  }
  for (const tw::JoinedPackets& joined : coalescer.finish()) expect_split_again(joined, given);
  TW_ASSERT(given.empty());
  return 0;
}
