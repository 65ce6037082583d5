#include "lane/transmit/tun_source.h"

#include <optional>

#include "base/assert.h"
#include "lane/batch_sizes.h"
#include "wire/ip/nesting.h"

namespace tw::lane {

TunSource::TunSource(Port& tun, PeerTable& peers, PeerSessions& sessions, LaneCounters& counters,
                     std::size_t packets)
    : tun_(tun),
      peers_(peers),
      sessions_(sessions),
      counters_(counters.to_wire),
      icmp_(tun, counters.from_wire),
      batch_(packets, buffer_bytes, batch_bytes) {}

void TunSource::take(Turn& turn) noexcept {
  bool asked = false;
  while (!turn.over()) {
    if (place_.train == batch_.size()) {
      if (asked) return;
      batch_.clear();
      place_ = {};
      if (tun_.poll(batch_) == 0) return;
      asked = batch_.room() > 0;
    }
    while (place_.train < batch_.size() && !turn.over()) take_train(turn);
    sessions_.flush(turn.now());
  }
}

bool TunSource::arm() noexcept {
  const bool is_armed = tun_.arm();
  return is_armed && place_.train == batch_.size();
}

/// Takes the next train of the batch, or as much of it as the turn allows.
void TunSource::take_train(Turn& turn) noexcept {
  const Train& train = batch_[place_.train];
  const std::optional<GsoView> packet = GsoView::of(train.all(), train.vnet);
  const std::size_t segments = packet ? packet->segment_count() : 1;
  const std::size_t first = place_.segment;
  const std::size_t count = turn.take(segments - first);
  if (count == 0) return;
  counters_.received.add(count);
  const std::size_t bytes =
      packet ? packet->slice_length(first, count) + (count - 1) * packet->header_size()
             : train.length;
  counters_.received_bytes.add(bytes);
  turn.add_bytes(bytes);
  if (packet) {
    send(train, *packet, first, count, turn);
  } else {
    counters_.drops.add(Drop::malformed_inner);
  }
  place_.advance(count, segments);
}

void TunSource::send(const Train& train, const GsoView& packet, std::size_t first,
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
  const std::optional<wg::PeerId> id = peers_.allowed_ips().lookup(packet.target());
  if (!id) return refuse(Drop::no_route, {});
  LanePeer* peer = peers_.find(*id);
  TW_ASSERT(peer != nullptr);
  if (!peer->endpoint) return refuse(Drop::no_endpoint, {});
  sessions_.transmit(*peer, packet, first, count, turn);
}

}  // namespace tw::lane
