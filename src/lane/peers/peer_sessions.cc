#include "lane/peers/peer_sessions.h"

#include <optional>

#include "base/assert.h"

namespace tw::lane {
namespace {

constexpr Duration timer_tick = 10ms;

}  // namespace

PeerSessions::PeerSessions(PeerTable& peers, TransmitPipeline& transmit,
                           HandshakeRequests& requests, DirectionCounters& to_wire,
                           PeerSessionsLimits limits, Instant now)
    : peers_(peers),
      transmit_(transmit),
      requests_(requests),
      counters_(to_wire),
      staging_(limits.staged_packets, limits.staged_packet_bytes),
      timers_(limits.peers, timer_tick, now) {}

// ---- What sessions ask for

void PeerSessions::act(LanePeer& peer, const wg::SessionActions& actions, Turn& turn) noexcept {
  // In the order of SessionActions: what is forgotten goes before what is begun anew.
  if (actions.wiped || actions.confirmed) requests_.forget(peer.id);
  if (actions.staged_expired) drop_staged(peer, Drop::stage_expired);
  if (actions.staged_overdue) {
    drop_overdue(peer, turn.now());
    if (peer.staged.count > 0) peer.session.still_staged(staging_.oldest(peer.staged));
  }
  if (actions.confirmed) peer.session.set_last_handshake(peer.responded);
  if (actions.initiate) want_handshake(peer);
  if (peer.staged.count > 0 && (actions.confirmed || actions.send_keepalive)) {
    flush_staged(peer, turn);
  } else if (actions.send_keepalive) {
    keepalive(peer, turn.now());
  }
  rearm(peer);
}

void PeerSessions::release(const wg::ReleasedKeypairs& released) noexcept {
  for (const std::uint32_t index : released.indices()) {
    peers_.unbind_index(index);
    requests_.release(index);
  }
}

void PeerSessions::clear(LanePeer& peer) noexcept {
  drop_staged(peer, Drop::shutdown);
  wg::ReleasedKeypairs released;
  peer.session.clear(released);
  release(released);
}

void PeerSessions::forget(LanePeer& peer) noexcept {
  clear(peer);
  timers_.cancel(peer.timer);
}

// ---- Packets

void PeerSessions::transmit(LanePeer& peer, const GsoView& packet, std::size_t first,
                            std::size_t count, Turn& turn) noexcept {
  const TransmitPipeline::Outer outer = transmit_.outer_of(packet);
  for (std::size_t segment = first; segment < first + count; ++segment) {
    if (transmit_.full(packet.segment_length(segment))) flush(turn.now());
    if (const std::optional<wg::Session::SealSlot> slot = peer.session.next_seal(turn.now())) {
      transmit_.queue(peer, *slot, packet, segment, outer);
    } else {
      stage(peer, packet, segment, turn);
    }
  }
}

void PeerSessions::keepalive(LanePeer& peer, Instant now) noexcept {
  if (!peer.endpoint) return;
  const std::optional<wg::Session::SealSlot> slot = peer.session.next_seal(now);
  if (!slot) return want_handshake(peer);
  if (transmit_.full(0)) flush(now);
  transmit_.queue_keepalive(peer, *slot);
}

void PeerSessions::flush(Instant now) noexcept {
  transmit_.flush([this, now](LanePeer& peer, bool is_keepalive) {
    wg::SessionActions actions;
    peer.session.sent(is_keepalive, now, actions);
    if (actions.initiate) want_handshake(peer);
    rearm(peer);
  });
}

void PeerSessions::stage(LanePeer& peer, const GsoView& packet, std::size_t segment,
                         Turn& turn) noexcept {
  if (peer.staged.count >= wg::staged_packets_max) {
    staging_.drop_oldest(peer.staged);
    counters_.drops.add(Drop::stage_full);
  }
  const ByteSpan slot = staging_.push(peer.staged, packet.segment_length(segment), turn.now());
  if (slot.empty()) {
    counters_.drops.add(Drop::stage_full);
  } else {
    packet.segment(segment, slot);
  }
  wg::SessionActions actions;
  peer.session.staged(turn.now(), actions);
  act(peer, actions, turn);
}

void PeerSessions::flush_staged(LanePeer& peer, Turn& turn) noexcept {
  flush(turn.now());
  drop_overdue(peer, turn.now());
  turn.charge(peer.staged.count);
  staging_.for_each(peer.staged, [&](ByteSpan bytes) {
    const std::optional<wg::Session::SealSlot> slot = peer.session.next_seal(turn.now());
    if (!slot || !peer.endpoint) return counters_.drops.add(Drop::keypair_expired);
    const std::optional<GsoView> packet = GsoView::of(bytes, {});
    TW_ASSERT(packet);  // it was one when it was staged
    if (transmit_.full(bytes.size())) flush(turn.now());
    transmit_.queue(peer, *slot, *packet, 0, transmit_.outer_of(*packet));
  });
  staging_.drop_all(peer.staged);
}

void PeerSessions::drop_staged(LanePeer& peer, Drop reason) noexcept {
  counters_.drops.add(reason, staging_.drop_all(peer.staged));
}

void PeerSessions::drop_overdue(LanePeer& peer, Instant now) noexcept {
  const std::size_t dropped = staging_.drop_until(peer.staged, now - wg::staged_wait_max);
  counters_.drops.add(Drop::stage_expired, dropped);
}

// ---- Timers

void PeerSessions::rearm(LanePeer& peer) noexcept {
  const Instant deadline = peer.session.next_deadline();
  // A deadline that moved away is met early and armed again: cheaper than moving a timer per
  // packet.
  if (deadline >= peer.timer_at) return;
  timers_.cancel(peer.timer);
  const std::optional<TimerId> timer = timers_.schedule(deadline, peer.id.value);
  // One a peer, and the node refuses more peers than there are timers.
  TW_ASSERT(timer.has_value());
  peer.timer = *timer;
  peer.timer_at = deadline;
}

void PeerSessions::run_timers(Turn& turn) noexcept {
  if (turn.now() < timers_.next_deadline()) return;
  const auto visit = [&](std::uint64_t slot) {
    LanePeer* peer = peers_.find(wg::PeerId{static_cast<std::uint32_t>(slot)});
    TW_ASSERT(peer != nullptr);
    fire(*peer, turn);
  };
  turn.charge(timers_.advance(turn.now(), visit, turn.left()));
}

void PeerSessions::fire(LanePeer& peer, Turn& turn) noexcept {
  peer.timer_at = Instant::max();
  peer.timer = TimerId{};
  flush(turn.now());  // a tick may wipe keypairs that queued packets point to
  wg::ReleasedKeypairs released;
  const wg::SessionActions actions = peer.session.tick(turn.now(), released);
  release(released);
  act(peer, actions, turn);
}

}  // namespace tw::lane
