#include "lane/tunnel_lane.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "wire/ip_packet.h"

namespace tw::lane {
namespace {

/// Wishes that found the ring full wait here; with so many, those for an initiation do not. All
/// others are bounded by the keypairs there are.
constexpr std::size_t unsent_initiations_max = 4096;
constexpr Duration timer_tick = 10ms;
constexpr std::size_t buffer_bytes = 65536;  // a UDP_GRO train, or a TUN packet with offloads
/// Bytes handled in one go, so that what one stage has touched is in the cache for the next.
constexpr std::size_t batch_bytes = std::size_t{256} << 10U;

}  // namespace

TunnelLane::TunnelLane(TunnelLaneParts parts, TunnelLaneLimits limits)
    : handshakes_(parts.handshakes),
      channel_(parts.channel),
      gate_(parts.channel),
      tun_(parts.tun),
      staging_(limits.staged_packets, limits.staged_packet_bytes),
      timers_(limits.peers, timer_tick, parts.handshakes.clock().now()),
      receive_(peers_, parts.engine, counters_, syns_, *this),
      transmit_(parts.engine, counters_),
      icmp_(tun_, counters_.from_wire),
      udp_batch_(limits.receive_trains, buffer_bytes, batch_bytes),
      tun_batch_(limits.tun_packets, buffer_bytes, batch_bytes) {
  receive_.set_steering(parts.codec, parts.steering, parts.self);
  receive_.set_tun(tun_, parts.tun_takes);
}

TunnelLane::~TunnelLane() = default;

void TunnelLane::set_udp_ports(UdpPorts ports, UdpPorts draining) noexcept {
  udp_ = ports;
  draining_ = draining;
  transmit_.set_ports(ports);
  wait_fds_.clear();
  for (const Port* port : {&tun_, ports.v4, ports.v6, draining.v4, draining.v6}) {
    if (port != nullptr && port->wait_fd() >= 0) wait_fds_.push_back(port->wait_fd());
  }
}

// ---- Configuration

void TunnelLane::add_peer(wg::PeerId peer) noexcept { peers_.add(peer); }

void TunnelLane::remove_peer(wg::PeerId id, Instant now) noexcept {
  now_ = now;
  // What the handshake context still had to say of this peer must not reach the slot's next owner.
  take_handshake_events(HandshakeChannel::capacity);
  flush();  // what that has queued points into keypairs that go now
  LanePeer* peer = peers_.find(id);
  TW_ASSERT(peer != nullptr);
  clear_session(*peer);
  timers_.cancel(peer->timer);
  peers_.remove(id);
}

bool TunnelLane::set_endpoint(wg::PeerId id, const Endpoint& endpoint) noexcept {
  LanePeer* peer = peers_.find(id);
  TW_ASSERT(peer != nullptr);
  const bool is_first = !peer->endpoint;
  peer->endpoint = endpoint;
  peer->local = {};  // of another path, perhaps of the other family
  return is_first;
}

void TunnelLane::resume_keepalive(wg::PeerId id, Instant now) noexcept {
  const LanePeer* peer = peers_.find(id);
  TW_ASSERT(peer != nullptr);
  const Duration interval = peer->session.persistent_keepalive();
  if (interval == Duration::zero()) return;
  set_persistent_keepalive(id, Duration::zero(), now);
  set_persistent_keepalive(id, interval, now);
}

void TunnelLane::set_persistent_keepalive(wg::PeerId id, Duration interval, Instant now) noexcept {
  LanePeer* peer = peers_.find(id);
  TW_ASSERT(peer != nullptr);
  now_ = now;
  wg::SessionActions actions;
  peer->session.set_persistent_keepalive(interval, now, actions);
  act(*peer, actions);
  flush();
}

void TunnelLane::clear_sessions(Instant now) noexcept {
  now_ = now;
  take_handshake_events(HandshakeChannel::capacity);
  flush();  // what that has queued points into keypairs that go now
  for (std::uint32_t slot = 0; slot < peers_.slots(); ++slot) {
    if (LanePeer* peer = peers_.find(wg::PeerId{slot})) clear_session(*peer);
  }
}

std::size_t TunnelLane::announce(Instant now) noexcept {
  now_ = now;
  std::size_t told = 0;
  for (std::uint32_t slot = 0; slot < peers_.slots(); ++slot) {
    LanePeer* peer = peers_.find(wg::PeerId{slot});
    if (peer == nullptr || !peer->session.has_usable_keypair(now)) continue;
    keepalive(*peer);
    ++told;
  }
  flush();
  return told;
}

void TunnelLane::clear_session(LanePeer& peer) noexcept {
  drop_staged(peer, Drop::shutdown);
  wg::ReleasedIndices released;
  peer.session.clear(released);
  release(released);
}

std::vector<LanePeerSnapshot> TunnelLane::snapshot(std::uint32_t first, std::uint32_t count) {
  std::vector<LanePeerSnapshot> peers;
  const std::size_t end = std::min<std::size_t>(peers_.slots(), std::size_t{first} + count);
  for (std::size_t slot = first; slot < end; ++slot) {
    const LanePeer* peer = peers_.find(wg::PeerId{static_cast<std::uint32_t>(slot)});
    if (peer == nullptr) continue;
    peers.push_back({peer->id, peer->endpoint, peer->session.last_handshake(), peer->received_bytes,
                     peer->sent_bytes});
  }
  return peers;
}

// ---- The poll

std::size_t TunnelLane::poll(Instant now, std::size_t budget) noexcept {
  now_ = now;
  retry_unsent();
  std::size_t handled = take_handshake_events(budget);
  receive_.begin(now);
  handled += receive(udp_.v4, budget);
  handled += receive(udp_.v6, budget);
  handled += receive(draining_.v4, budget);
  handled += receive(draining_.v6, budget);
  handled += take_syn_answers(budget);
  handled += transmit(budget);
  if (now >= timers_.next_deadline()) run_timers();
  flush();
  if (wake_handshakes_) {
    wake_handshakes_ = false;
    handshakes_.wake();
  }
  return std::min(handled, budget);
}

bool TunnelLane::arm() noexcept {
  bool quiet = channel_.events.empty() && unsent_.empty() && !syns_.has_answers();
  for (Port* port : {&tun_, udp_.v4, udp_.v6, draining_.v4, draining_.v6}) {
    // Every port must be armed, whatever the others say.
    if (port != nullptr && !port->arm()) quiet = false;
  }
  return quiet;
}

// ---- From the wire

std::size_t TunnelLane::receive(Port* port, std::size_t budget) noexcept {
  if (port == nullptr) return 0;
  std::size_t handled = 0;
  while (handled < budget) {
    udp_batch_.clear();
    if (port->poll(udp_batch_) == 0) break;
    for (const Train& train : udp_batch_.trains()) handled += train.segments();
    const bool more = udp_batch_.room() == 0;
    receive_.receive(udp_batch_, now_);
    if (!more) break;
  }
  return handled;
}

std::optional<Drop> TunnelLane::handshake_message(ByteView message, const Train& train) noexcept {
  const std::optional<Drop> refused = gate_.pass(message, train);
  if (!refused) wake_handshakes_ = true;
  return refused;
}

void TunnelLane::session_event(LanePeer& peer, const wg::SessionActions& actions,
                               const wg::ReleasedIndices& released) noexcept {
  release(released);
  act(peer, actions);
}

void TunnelLane::session_touched(LanePeer& peer) noexcept { rearm(peer); }

// ---- To the wire

std::size_t TunnelLane::transmit(std::size_t budget) noexcept {
  std::size_t handled = 0;
  while (handled < budget) {
    tun_batch_.clear();
    if (tun_.poll(tun_batch_) == 0) break;
    const bool more = tun_batch_.room() == 0;
    for (const Train& train : tun_batch_.trains()) handled += transmit_packet(train);
    flush();
    if (!more) break;
  }
  return handled;
}

/// Returns how many segments that was.
std::size_t TunnelLane::transmit_packet(const Train& train) noexcept {
  DirectionCounters& counters = counters_.to_wire;
  const std::optional<GsoView> packet = GsoView::of(train.all(), train.vnet);
  const std::size_t segments = packet ? packet->segment_count() : 1;
  const auto drop_all = [&](Drop reason) {
    counters.drops.add(reason, segments);
    return segments;
  };
  counters.received.add(segments);
  counters.received_bytes.add(packet ? packet->wire_bytes(0) : train.length);
  if (!packet) return drop_all(Drop::malformed_inner);
  // As the kernel's device: who cannot be reached must not look like who does not answer.
  const auto refuse_all = [&](Drop reason, const Undelivered& why) {
    icmp_.answer(train.all(), why, now_);
    return drop_all(reason);
  };
  if (TransmitPipeline::too_large(packet->segment_length(0))) {
    return refuse_all(Drop::too_large,
                      {Undelivered::Why::too_big, TransmitPipeline::largest_inner()});
  }
  const std::optional<wg::PeerId> id = peers_.allowed_ips().lookup(packet->target());
  if (!id) return refuse_all(Drop::no_route, {});
  LanePeer* peer = peers_.find(*id);
  TW_ASSERT(peer != nullptr);
  if (!peer->endpoint) return refuse_all(Drop::no_endpoint, {});
  transmit_segments(*peer, *packet);
  return segments;
}

void TunnelLane::transmit_segments(LanePeer& peer, const GsoView& packet) noexcept {
  for (std::size_t segment = 0; segment < packet.segment_count(); ++segment) {
    if (transmit_.full(packet.segment_length(segment))) flush();
    if (const std::optional<wg::Session::SealSlot> slot = peer.session.next_seal(now_)) {
      transmit_.queue(peer, *slot, packet, segment);
    } else {
      stage(peer, packet, segment);
    }
  }
}

void TunnelLane::stage(LanePeer& peer, const GsoView& packet, std::size_t segment) noexcept {
  if (peer.staged.count >= wg::staged_packets_max) {
    staging_.drop_oldest(peer.staged);
    counters_.to_wire.drops.add(Drop::stage_full);
  }
  const ByteSpan slot = staging_.push(peer.staged, packet.segment_length(segment), now_);
  if (slot.empty()) {
    counters_.to_wire.drops.add(Drop::stage_full);
  } else {
    packet.segment(segment, slot);
  }
  wg::SessionActions actions;
  peer.session.staged(now_, actions);
  act(peer, actions);
}

void TunnelLane::flush_staged(LanePeer& peer) noexcept {
  flush();
  drop_overdue(peer);
  staging_.for_each(peer.staged, [&](ByteSpan bytes) {
    const std::optional<wg::Session::SealSlot> slot = peer.session.next_seal(now_);
    if (!slot || !peer.endpoint) return counters_.to_wire.drops.add(Drop::keypair_expired);
    const std::optional<GsoView> packet = GsoView::of(bytes, {});
    TW_ASSERT(packet);  // it was one when it was staged
    if (transmit_.full(bytes.size())) flush();
    transmit_.queue(peer, *slot, *packet, 0);
  });
  staging_.drop_all(peer.staged);
}

void TunnelLane::drop_staged(LanePeer& peer, Drop reason) noexcept {
  counters_.to_wire.drops.add(reason, staging_.drop_all(peer.staged));
}

void TunnelLane::drop_overdue(LanePeer& peer) noexcept {
  const std::size_t dropped = staging_.drop_until(peer.staged, now_ - wg::staged_wait_max);
  counters_.to_wire.drops.add(Drop::stage_expired, dropped);
}

void TunnelLane::flush() noexcept {
  transmit_.flush([this](LanePeer& peer, bool is_keepalive) {
    wg::SessionActions actions;
    peer.session.sent(is_keepalive, now_, actions);
    if (actions.initiate) want_handshake(peer);
    rearm(peer);
  });
}

void TunnelLane::keepalive(LanePeer& peer) noexcept {
  if (!peer.endpoint) return;
  const std::optional<wg::Session::SealSlot> slot = peer.session.next_seal(now_);
  if (!slot) return want_handshake(peer);
  if (transmit_.full(0)) flush();
  transmit_.queue_keepalive(peer, *slot);
}

// ---- Handshakes and timers

void TunnelLane::request(HandshakeRequest::Kind kind, wg::PeerId peer,
                         std::uint32_t index) noexcept {
  HandshakeRequest request;
  request.kind = kind;
  request.peer = peer;
  request.index = index;
  wake_handshakes_ = true;
  // An initiation may be lost, as on the wire: the session asks again.
  if (kind == HandshakeRequest::Kind::initiate && unsent_.size() >= unsent_initiations_max) return;
  if (!unsent_.empty() || !channel_.requests.push(std::move(request))) {
    // NOLINTNEXTLINE(bugprone-use-after-move): what push() refuses, it leaves as it was.
    unsent_.push_back(std::move(request));
  }
}

void TunnelLane::retry_unsent() noexcept {
  std::size_t sent = 0;
  while (sent < unsent_.size() && channel_.requests.push(std::move(unsent_[sent]))) ++sent;
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(sent));
}

void TunnelLane::want_handshake(LanePeer& peer) noexcept {
  if (!peer.endpoint) return;
  request(HandshakeRequest::Kind::initiate, peer.id);
}

void TunnelLane::release(const wg::ReleasedIndices& released) noexcept {
  for (const std::uint32_t index : released.indices()) {
    peers_.unbind_index(index);
    request(HandshakeRequest::Kind::release, wg::PeerId{}, index);
  }
}

void TunnelLane::act(LanePeer& peer, const wg::SessionActions& actions) noexcept {
  // In the order of SessionActions: what is forgotten goes before what is begun anew.
  if (actions.wiped || actions.confirmed) request(HandshakeRequest::Kind::forget, peer.id);
  if (actions.staged_expired) drop_staged(peer, Drop::stage_expired);
  if (actions.staged_overdue) {
    drop_overdue(peer);
    if (peer.staged.count > 0) peer.session.still_staged(staging_.oldest(peer.staged));
  }
  if (actions.confirmed) peer.session.set_last_handshake(peer.responded);
  if (actions.initiate) want_handshake(peer);
  if (peer.staged.count > 0 && (actions.confirmed || actions.send_keepalive)) {
    flush_staged(peer);
  } else if (actions.send_keepalive) {
    keepalive(peer);
  }
  rearm(peer);
}

std::size_t TunnelLane::take_handshake_events(std::size_t budget) noexcept {
  std::size_t handled = 0;
  while (handled < budget && channel_.events.pop(event_)) {
    handle(event_);
    ++handled;
  }
  return handled;
}

void TunnelLane::handle(HandshakeEvent& event) noexcept {
  if (event.kind == HandshakeEvent::Kind::reply) {
    return transmit_.send_handshake(*event.to, event.local, event.message.view(), nullptr);
  }
  LanePeer* peer = peers_.find(event.peer);
  switch (event.kind) {
    case HandshakeEvent::Kind::send: {
      if (event.to) {
        transmit_.send_handshake(*event.to, event.local, event.message.view(), peer);
      } else {
        if (peer == nullptr || !peer->endpoint) {
          counters_.to_wire.generated.add();
          counters_.to_wire.drops.add(peer == nullptr ? Drop::shutdown : Drop::no_endpoint);
          return;
        }
        send_initiation(*peer, event.message.view());
      }
      if (peer != nullptr) {
        peer->session.handshake_sent(now_);
        rearm(*peer);
      }
      return;
    }
    case HandshakeEvent::Kind::established:
      if (peer != nullptr) return establish(*peer, event);
      request(HandshakeRequest::Kind::release, wg::PeerId{}, event.keypair->local_index);
      event.keypair.reset();
      return;
    case HandshakeEvent::Kind::gave_up:
      if (peer != nullptr) {
        wg::SessionActions actions;
        peer->session.gave_up(now_, actions);
        act(*peer, actions);
      }
      return;
    case HandshakeEvent::Kind::reply:
      return;
  }
}

/// The second in a row chooses its source anew, as the first may have left by a way that is none
/// any more (the kernel's device does the same).
void TunnelLane::send_initiation(LanePeer& peer, ByteView message) noexcept {
  if (peer.initiation_unanswered) peer.local = {};
  peer.initiation_unanswered = true;
  transmit_.send_handshake(*peer.endpoint, peer.local, message, &peer);
}

void TunnelLane::establish(LanePeer& peer, HandshakeEvent& event) noexcept {
  flush();  // what is queued points into the keypairs that are about to rotate
  peer.endpoint = event.to;
  peer.local = event.local;
  peer.initiation_unanswered = false;
  if (event.to) gate_.remember(event.to->address);
  peers_.bind_index(event.keypair->local_index, peer.id);
  // An answer proves nothing about who asked (the preshared key may be wrong): only the first
  // packet under the keypair does.
  const bool is_initiator = event.keypair->is_initiator;
  if (!is_initiator) peer.responded = event.wall;
  wg::ReleasedIndices released;
  wg::SessionActions actions;
  peer.session.install(std::move(*event.keypair), now_, released, actions);
  event.keypair.reset();  // wipes it
  if (is_initiator) peer.session.set_last_handshake(event.wall);
  peer.session.handshake_received(now_);
  release(released);
  act(peer, actions);
}

void TunnelLane::rearm(LanePeer& peer) noexcept {
  const Instant deadline = peer.session.next_deadline();
  // A deadline that moved away is met early and armed again: cheaper than moving a timer per
  // packet.
  if (deadline >= peer.timer_at) return;
  timers_.cancel(peer.timer);
  const std::optional<TimerId> timer = timers_.schedule(deadline, peer.id.value);
  TW_ASSERT(
      timer.has_value());  // one a peer, and the node refuses more peers than there are timers
  peer.timer = *timer;
  peer.timer_at = deadline;
}

void TunnelLane::run_timers() noexcept {
  timers_.advance(now_, [this](std::uint64_t slot) {
    LanePeer* peer = peers_.find(wg::PeerId{static_cast<std::uint32_t>(slot)});
    TW_ASSERT(peer != nullptr);
    peer->timer_at = Instant::max();
    peer->timer = TimerId{};
    flush();  // a tick may wipe keypairs that queued packets point to
    wg::ReleasedIndices released;
    const wg::SessionActions actions = peer->session.tick(now_, released);
    release(released);
    act(*peer, actions);
    rearm(*peer);
  });
}

}  // namespace tw::lane
