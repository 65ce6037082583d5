#include "port/segments.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace tw {
namespace {

constexpr std::size_t udp_header_bytes = 8;
constexpr std::size_t ipv4_header_bytes = 20;
constexpr std::size_t ipv6_header_bytes = 40;

}  // namespace

TrainSegments::TrainSegments(const Train& train) noexcept : train_(train) {
  if (is_datagrams(train)) {
    const Endpoint& remote = train.source.port != 0 ? train.source : train.destination;
    count_ = train.segments();
    header_bytes_ =
        udp_header_bytes + (remote.address.is_v4() ? ipv4_header_bytes : ipv6_header_bytes);
  } else if (train.vnet.gso_type != VnetHeader::gso_none) {
    gso_ = GsoView::of(train.all(), train.vnet);
    if (gso_) count_ = gso_->segment_count();
  }
}

std::size_t TrainSegments::wire_bytes(std::size_t index) const noexcept {
  return header_bytes_ + slice_length(index, 1);
}

std::size_t TrainSegments::slice_length(std::size_t first, std::size_t count) const noexcept {
  TW_DASSERT(count > 0 && first + count <= count_);
  if (is_whole(first, count)) return train_.length;
  if (gso_) return gso_->slice_length(first, count);
  const std::size_t begin = first * train_.segment_size;
  return std::min(count * train_.segment_size, train_.length - begin);
}

Train TrainSegments::slice(std::size_t first, std::size_t count, ByteSpan out) const noexcept {
  TW_ASSERT(out.size() >= slice_length(first, count));
  Train cut = train_;
  cut.bytes = out.data();
  cut.length = static_cast<std::uint32_t>(slice_length(first, count));
  if (gso_ && !is_whole(first, count)) {
    const GsoSlice made = gso_->slice(first, count, out);
    cut.length = static_cast<std::uint32_t>(made.length);
    cut.segment_size = cut.length;
    cut.vnet = made.vnet;
    return cut;
  }
  if (cut.length > 0)
    std::memcpy(out.data(), train_.bytes + first * train_.segment_size, cut.length);
  if (is_datagrams(train_)) cut.segment_size = std::min(cut.segment_size, cut.length);
  return cut;
}

}  // namespace tw
