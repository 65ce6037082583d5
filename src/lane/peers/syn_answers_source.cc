#include "lane/peers/syn_answers_source.h"

#include <array>
#include <optional>

#include "base/assert.h"
#include "wire/ip/tcp_reset.h"
#include "wire/offload/gso.h"

namespace tw::lane {

void SynAnswersSource::take(Turn& turn) noexcept {
  for (HeldSyns::Answered syn; !turn.over() && syns_.next(syn);) {
    turn.charge(1);
    switch (syn.verdict) {
      case SynVerdict::pass:
        pass(syn.packet);
        break;
      case SynVerdict::refuse:
        refuse(syn.packet, turn);
        break;
      case SynVerdict::drop:
        counters_.from_wire.drops.add(Drop::repeated_syn);
        break;
    }
  }
}

void SynAnswersSource::pass(ByteSpan packet) noexcept {
  Train train;
  train.bytes = packet.data();
  train.length = train.segment_size = static_cast<std::uint32_t>(packet.size());
  DirectionCounters& counters = counters_.from_wire;
  if (tun_.send({&train, 1}).taken == 0) return counters.drops.add(Drop::tun_error);
  counters.sent.add();
  counters.sent_bytes.add(packet.size());
}

/// The reset goes where any packet to that address would: the peer may have changed meanwhile.
void SynAnswersSource::refuse(ByteView syn, Turn& turn) noexcept {
  counters_.from_wire.consumed.add();
  counters_.to_wire.generated.add();
  std::array<std::uint8_t, tcp_reset_max> bytes;
  const std::size_t length = write_tcp_reset(syn, bytes);
  TW_ASSERT(length > 0);  // it was a SYN when it was reported
  const std::optional<GsoView> reset = GsoView::of(ByteSpan{bytes}.first(length), {});
  TW_ASSERT(reset);
  const std::optional<wg::PeerId> id = peers_.allowed_ips().lookup(reset->target());
  LanePeer* const peer = id ? peers_.find(*id) : nullptr;
  if (peer == nullptr) return counters_.to_wire.drops.add(Drop::no_route);
  if (!peer->endpoint) return counters_.to_wire.drops.add(Drop::no_endpoint);
  sessions_.transmit(*peer, *reset, 0, 1, turn);
}

}  // namespace tw::lane
