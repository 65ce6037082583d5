// link: tw_wire
// Packets, each behind its length (two bytes, little-endian): whatever is joined is a train that
// can be split again, into as many packets and bytes as were given.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/assert.h"
#include "wire/coalescer.h"
#include "wire/gso.h"
#include "wire/ip_packet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  tw::Coalescer coalescer{64, 4};
  std::deque<std::vector<std::uint8_t>> kept;
  std::size_t given = 0;
  while (size >= 2 && !coalescer.full()) {
    const std::size_t wanted = bytes[0] | std::size_t{bytes[1]} << 8U;
    const std::size_t length = std::min(wanted, size - 2);
    kept.emplace_back(bytes + 2, bytes + 2 + length);
    bytes += 2 + length;
    size -= 2 + length;
    const auto ip = tw::IpPacketView::of(kept.back());
    if (!ip) continue;
    coalescer.add(tw::ByteSpan{kept.back()}.first(ip->total_length), *ip);
    given += ip->total_length;
  }
  std::size_t came = 0;
  for (const tw::JoinedPackets& joined : coalescer.finish()) {
    const tw::ByteView whole{joined.bytes, joined.length};
    const auto view = tw::GsoView::of(whole, joined.vnet);
    TW_ASSERT(view && view->segment_count() == joined.packets);
    std::vector<std::uint8_t> packet;
    view->split_all([&](std::size_t, std::size_t length) {
      came += length;
      packet.assign(length, 0);
      return tw::ByteSpan{packet};
    });
    TW_ASSERT(tw::IpPacketView::of(packet).has_value());
  }
  TW_ASSERT(came == given);
  return 0;
}
