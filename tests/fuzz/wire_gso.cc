// link: tw_wire
// covers: wire/offload/gso.cc
// A vnet header (ten bytes, and four more if it says that the train is in a UDP tunnel) and a
// packet: whatever is admitted can be cut and split without leaving its buffers, the parts add up
// to the whole, a slice's segments are those of the train, and every segment of a train in a
// tunnel is right inside and outside.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "packet_sums.h"
#include "wire/ip/ip_packet.h"
#include "wire/offload/gso.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes segment_of(const tw::GsoView& view, std::size_t index) {
  Bytes out(view.segment_length(index));
  TW_ASSERT(view.segment(index, out) == out.size());
  TW_ASSERT(tw::IpPacketView::of(out).has_value());
  return out;
}

/// The train cut in two, each half admitted again and its segments those of the whole.
void check_halves(const tw::GsoView& view, std::size_t cut) {
  const std::size_t count = view.segment_count();
  for (const auto& [first, size] : {std::pair{std::size_t{0}, cut}, std::pair{cut, count - cut}}) {
    if (size == 0) continue;
    Bytes out(view.slice_length(first, size));
    const tw::GsoSlice made = view.slice(first, size, out);
    TW_ASSERT(made.length == out.size());
    const auto half = tw::GsoView::of(out, made.vnet);
    TW_ASSERT(half && half->segment_count() == size);
    for (const std::size_t index : {std::size_t{0}, size / 2, size - 1}) {
      TW_ASSERT(segment_of(*half, index) == segment_of(view, first + index));
    }
  }
}

void check_tunnel(const Bytes& segment, const tw::VnetHeader& vnet) {
  const Bytes inner(segment.begin() + vnet.inner_network, segment.end());
  TW_ASSERT(tw::testing::is_right(inner));
  if ((vnet.flags & tw::VnetHeader::udp_tunnel_csum) != 0) {
    TW_ASSERT(tw::testing::is_right(segment));
  } else {
    TW_ASSERT(segment[vnet.outer_transport + 6U] == 0 && segment[vnet.outer_transport + 7U] == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t plain = tw::VnetHeader::plain_size, tunnel = 4;
  std::array<std::uint8_t, tw::VnetHeader::tunnel_size> header{};
  if (size < plain + 1) return 0;
  std::copy_n(bytes, plain, header.begin());
  const std::size_t cut_hint = bytes[plain];
  const bool in_tunnel = (header[1] & tw::VnetHeader::gso_udp_tunnel) != 0;
  const std::size_t head = plain + 1 + (in_tunnel ? tunnel : 0);
  if (size < head) return 0;
  if (in_tunnel) std::copy_n(bytes + plain + 1, tunnel, header.end() - tunnel);
  const tw::VnetHeader vnet = tw::VnetHeader::load(header);
  const Bytes packet(bytes + head, bytes + size);
  const auto view = tw::GsoView::of(packet, vnet);
  Bytes completed = packet;
  const bool single = view && vnet.gso_type == tw::VnetHeader::gso_none;
  TW_ASSERT(tw::complete_checksum(completed, vnet) == single);
  if (!single) TW_ASSERT(completed == packet);
  if (!view) return 0;

  std::size_t total = 0;
  Bytes last;
  view->split_all([&](std::size_t, std::size_t length) {
    total += length;
    last.assign(length, 0);
    return tw::ByteSpan{last};
  });
  TW_ASSERT(total == view->wire_bytes(0));
  if (in_tunnel) {
    check_tunnel(segment_of(*view, 0), vnet);
    check_tunnel(segment_of(*view, view->segment_count() - 1), vnet);
  }
  check_halves(*view, std::min(cut_hint, view->segment_count()));
  return 0;
}
