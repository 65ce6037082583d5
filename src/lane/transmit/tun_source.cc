#include "lane/transmit/tun_source.h"

#include <optional>
#include <utility>

#include "lane/batch_sizes.h"
#include "lane/peers/index_allocator.h"
#include "wire/ip/nesting.h"

namespace tw::lane {

TunSource::TunSource(Port& tun, PeerTable& peers, PeerSessions& sessions, Strangers& strangers,
                     const SteeringTable& steering, ContextId self, LaneCounters& counters,
                     std::size_t packets)
    : tun_(tun),
      peers_(peers),
      sessions_(sessions),
      strangers_(strangers),
      steering_(steering),
      self_(self),
      counters_(counters.to_wire),
      icmp_(tun, counters.from_wire),
      batch_(packets, buffer_bytes, batch_bytes) {}

void TunSource::take(Turn& turn) noexcept {
  bool asked = false, asked_others = !strangers_.host.has_any();
  while (!turn.over()) {
    if (place_.train == batch_.size()) {
      batch_.clear();
      place_ = {};
      if (!std::exchange(asked_others, true)) strangers_.host.poll(batch_);
      if (batch_.empty()) {
        if (asked || tun_.poll(batch_) == 0) return;
        asked = batch_.room() > 0;
      }
    }
    while (place_.train < batch_.size() && !turn.over()) take_train(turn);
    strangers_.publish();
    sessions_.flush(turn.now());
  }
}

bool TunSource::arm() noexcept {
  const bool is_armed = tun_.arm();
  return is_armed && strangers_.host.arm() && place_.train == batch_.size();
}

/// Takes the next train of the batch, or as much of it as the turn allows.
void TunSource::take_train(Turn& turn) noexcept {
  const Train& train = batch_[place_.train];
  const std::optional<GsoView> packet = GsoView::of(train.all(), train.vnet);
  const std::size_t segments = packet ? packet->segment_count() : 1;
  const std::size_t first = place_.segment;
  const std::optional<wg::PeerId> target =
      packet ? peers_.allowed_ips().lookup(packet->target()) : std::nullopt;
  LanePeer* const peer = target ? peers_.find(*target) : nullptr;
  if (target && peer == nullptr && first == 0) {
    const ContextId owner = steering_.context_of(bucket_of(*target));
    if (owner != self_) {
      turn.charge(segments);
      turn.add_bytes(train.length);
      return pass_on(owner, train, segments);
    }
  }
  const std::size_t count = turn.take(segments - first);
  if (count == 0) return;
  const std::size_t bytes =
      packet ? packet->slice_length(first, count) + (count - 1) * packet->header_size()
             : train.length;
  count_taken(train, count, bytes);
  turn.add_bytes(bytes);
  if (packet) {
    send(train, *packet, peer, first, count, turn);
  } else {
    counters_.drops.add(Drop::malformed_inner);
  }
  place_.advance(count, segments);
}

void TunSource::count_taken(const Train& train, std::size_t segments, std::size_t bytes) noexcept {
  if (train.passed_on) return counters_.taken_over.add(segments);
  counters_.received.add(segments);
  counters_.received_bytes.add(bytes);
}

/// The whole train: its owner looks at it as if its own queue had brought it.
void TunSource::pass_on(ContextId owner, const Train& train, std::size_t segments) noexcept {
  count_taken(train, segments, train.length);
  if (strangers_.from_host(owner, train)) {
    counters_.passed_on.add(segments);
  } else {
    counters_.drops.add(Drop::queue_full, segments);
  }
  place_.advance(segments, segments);
}

/// `peer`: of the destination; null if that is nobody's.
void TunSource::send(const Train& train, const GsoView& packet, LanePeer* peer, std::size_t first,
                     std::size_t count, Turn& turn) noexcept {
  // As the kernel's device: who cannot be reached must not look like who does not answer.
  const auto refuse = [&](Drop reason, const Undelivered& why) {
    if (first == 0) icmp_.answer(train.all(), why, turn.now());
    counters_.drops.add(reason, count);
  };
  if (TransmitPipeline::too_large(packet.segment_length(0))) {
    return refuse(Drop::too_large, {Undelivered::Why::too_big, TransmitPipeline::largest_inner()});
  }
  if (Nesting::of(packet.packet()).is_too_deep) {
    return counters_.drops.add(Drop::routing_loop, count);
  }
  if (peer == nullptr) return refuse(Drop::no_route, {});
  if (!peer->endpoint) return refuse(Drop::no_endpoint, {});
  sessions_.transmit(*peer, packet, first, count, turn);
}

}  // namespace tw::lane
