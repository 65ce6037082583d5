// link: tw_wire
// covers: wire/offload/gso.cc
// A VnetHeader (ten bytes) and a packet: whatever is admitted can be cut and split without leaving
// its buffers, the parts add up to the whole, and a slice's segments are those of the train.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.h"
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  tw::VnetHeader vnet;
  if (size < sizeof vnet + 1) return 0;
  std::memcpy(&vnet, bytes, sizeof vnet);
  const std::size_t cut_hint = bytes[sizeof vnet];
  const Bytes packet(bytes + sizeof vnet + 1, bytes + size);
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
  check_halves(*view, std::min(cut_hint, view->segment_count()));
  return 0;
}
