#include "lane/tunnel.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace tw::lane {

Tunnel::Tunnel(std::span<const TunnelSeat> seats, ExecContext& handshakes, RandomSource& random,
               const Clock& clock, TunnelLaneLimits limits)
    : handshake_context_(handshakes), codec_(random.next()), indices_(codec_, random) {
  TW_ASSERT(!seats.empty());
  for (std::uint32_t bucket = 0; bucket < Bucket::count; ++bucket) {
    steering_.assign(Bucket{static_cast<std::uint16_t>(bucket)},
                     seats[bucket % seats.size()].context.id());
  }
  std::vector<HandshakeLink> links;
  for (const TunnelSeat& seat : seats) {
    auto channel = std::make_unique<HandshakeChannel>();
    links.push_back({*channel, seat.context});
    auto lane = std::make_unique<TunnelLane>(
        TunnelLaneParts{handshakes, *channel, seat.engine, seat.tun, codec_, steering_,
                        seat.context.id(), seat.tun_takes},
        limits);
    lanes_.push_back({seat.context, std::move(channel), std::move(lane)});
  }
  handshake_lane_ = std::make_unique<HandshakeLane>(links, steering_, indices_, random, clock);
}

void Tunnel::attach() {
  for (const Lane& one : lanes_) one.context.attach(*one.lane);
  handshake_context_.attach(*handshake_lane_);
}

std::size_t Tunnel::lane_of(wg::PeerId peer) const noexcept {
  const ContextId owner = steering_.context_of(bucket_of(peer));
  const auto lane =
      std::ranges::find(lanes_, owner, [](const Lane& one) { return one.context.id(); });
  TW_ASSERT(lane != lanes_.end());
  return static_cast<std::size_t>(lane - lanes_.begin());
}

}  // namespace tw::lane
