#include "lane/tunnel.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "steer/core_set.h"
#include "steer/table/rendezvous.h"

namespace tw::lane {
namespace {

/// Any: which lane is whose is no secret, and the same at each start.
constexpr std::uint64_t orders_seed = 1;

}  // namespace

Tunnel::Tunnel(std::span<const TunnelSeat> seats, ExecContext& handshakes, RandomSource& random,
               const Clock& clock, TunnelLaneLimits limits)
    : handshake_context_(handshakes), codec_(random.next()), indices_(codec_, random) {
  TW_ASSERT(!seats.empty());
  const RendezvousOrder orders{seats.size(), orders_seed};
  const CoreSet all = CoreSet::first(seats.size());
  for (std::uint32_t value = 0; value < Bucket::count; ++value) {
    const Bucket bucket{static_cast<std::uint16_t>(value)};
    steering_.assign(bucket, seats[orders.first_of(bucket, all)].context.id());
  }
  std::vector<HandshakeLink> links;
  for (const TunnelSeat& seat : seats) {
    lanes_.push_back(
        {seat.context, std::make_unique<HandshakeChannel>(), std::make_unique<Strangers>(), {}});
    links.push_back({*lanes_.back().channel, seat.context});
  }
  join_lanes();
  for (std::size_t number = 0; number < seats.size(); ++number) {
    const TunnelSeat& seat = seats[number];
    Lane& lane = lanes_[number];
    lane.lane = std::make_unique<TunnelLane>(
        TunnelLaneParts{handshakes, *lane.channel, seat.engine, seat.tun, codec_, *lane.strangers,
                        known_, steering_, seat.context.id()},
        limits);
  }
  handshake_lane_ = std::make_unique<HandshakeLane>(links, steering_, indices_, random, clock);
}

/// Each to each other: two rings, one for what came from the wire, and one from the host.
void Tunnel::join_lanes() {
  for (const Lane& from : lanes_) {
    for (const Lane& to : lanes_) {
      if (&from == &to) continue;
      Rings& rings = *rings_.emplace_back(std::make_unique<Rings>());
      from.strangers->add(to.context, rings.from_wire, rings.from_host);
      to.strangers->wire.add(rings.from_wire);
      to.strangers->host.add(rings.from_host);
    }
  }
}

void Tunnel::attach() {
  for (const Lane& one : lanes_) one.context.attach(*one.lane);
  handshake_context_.attach(*handshake_lane_);
}

std::size_t Tunnel::lane_of(wg::PeerId peer) const noexcept { return lane_of(bucket_of(peer)); }

std::size_t Tunnel::lane_of(Bucket bucket) const noexcept {
  const ContextId owner = steering_.context_of(bucket);
  const auto lane =
      std::ranges::find(lanes_, owner, [](const Lane& one) { return one.context.id(); });
  TW_ASSERT(lane != lanes_.end());
  return static_cast<std::size_t>(lane - lanes_.begin());
}

}  // namespace tw::lane
