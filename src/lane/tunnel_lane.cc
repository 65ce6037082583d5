#include "lane/tunnel_lane.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"
#include "wire/ip/ip_packet.h"
#include "wire/ip/nesting.h"

namespace tw::lane {
namespace {

/// Wishes that found the ring full wait here; with so many, those for an initiation do not. All
/// others are bounded by the keypairs there are.
constexpr std::size_t unsent_initiations_max = 4096;
constexpr Duration timer_tick = 10ms;
constexpr std::size_t buffer_bytes = 65536;  // a UDP_GRO train, or a TUN packet with offloads
/// Bytes handled in one go, so that what one stage has touched is in the cache for the next.
constexpr std::size_t batch_bytes = std::size_t{256} << 10U;
/// And segments: another socket waits until these have been handled.
constexpr std::size_t batch_segments = 512;

}  // namespace

TunnelLane::TunnelLane(TunnelLaneParts parts, TunnelLaneLimits limits)
    : handshakes_(parts.handshakes),
      channel_(parts.channel),
      gate_(parts.channel),
      tun_(parts.tun),
      staging_(limits.staged_packets, limits.staged_packet_bytes),
      timers_(limits.peers, timer_tick, parts.handshakes.clock().now()),
      receive_({peers_, gate_, syns_, parts.engine, parts.tun, parts.tun_takes, parts.codec,
                parts.steering, parts.self},
               counters_),
      transmit_(parts.engine, counters_),
      icmp_(tun_, counters_.from_wire),
      udp_batch_(limits.receive_trains, buffer_bytes, batch_bytes, batch_segments),
      tun_batch_(limits.tun_packets, buffer_bytes, batch_bytes) {}

TunnelLane::~TunnelLane() = default;

void TunnelLane::set_udp_ports(UdpPorts ports, UdpPorts draining) noexcept {
  udp_ports_ = {ports.v4, ports.v6, draining.v4, draining.v6};
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
  take_all_handshake_events();
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

bool TunnelLane::greet(wg::PeerId id, const Endpoint& endpoint, const LocalAddress& local,
                       Instant now) noexcept {
  LanePeer* peer = peers_.find(id);
  TW_ASSERT(peer != nullptr);
  if (peer->session.has_usable_keypair(now)) return false;
  if (!peer->endpoint) {
    peer->endpoint = endpoint;
    peer->local = local;
  }
  want_handshake(*peer);
  return true;
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
  take_all_handshake_events();
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
  wg::ReleasedKeypairs released;
  peer.session.clear(released);
  release(released);
}

std::vector<LanePeerSnapshot> TunnelLane::snapshot(std::uint32_t first, std::uint32_t count) {
  std::vector<LanePeerSnapshot> peers;
  const std::size_t end = std::min<std::size_t>(peers_.slots(), std::size_t{first} + count);
  for (std::size_t slot = first; slot < end; ++slot) {
    const LanePeer* peer = peers_.find(wg::PeerId{static_cast<std::uint32_t>(slot)});
    if (peer == nullptr) continue;
    peers.push_back({peer->id, peer->endpoint, peer->local, peer->session.last_handshake(),
                     peer->received_bytes, peer->sent_bytes});
  }
  return peers;
}

// ---- The poll

std::size_t TunnelLane::poll(Instant now, std::size_t budget) noexcept {
  now_ = now;
  turn_ = TurnBudget{budget};
  retry_unsent();
  receive_.begin(now);
  for (std::size_t i = 0; i < sources && !turn_.over(); ++i) {
    const std::size_t source = (first_source_ + i) % sources;
    const std::size_t before = turn_.used();
    take_from(static_cast<Source>(source));
    if (!turn_.over()) continue;
    first_source_ = turn_.used() > before ? (source + 1) % sources : source;
    break;
  }
  flush();
  if (wake_handshakes_) {
    wake_handshakes_ = false;
    handshakes_.wake();
  }
  return turn_.over() ? budget : turn_.used();
}

void TunnelLane::take_from(Source source) noexcept {
  switch (source) {
    case Source::events:
      return take_handshake_events(turn_);
    case Source::udp:
      return receive();
    case Source::syn_answers:
      return take_syn_answers();
    case Source::tun:
      return transmit();
    case Source::timers:
      return run_timers();
  }
}

bool TunnelLane::arm() noexcept {
  bool quiet = channel_.events.empty() && unsent_.empty() && !syns_.has_answers() &&
               udp_place_.train == udp_batch_.size() && tun_place_.train == tun_batch_.size();
  // Every port must be armed, whatever the others say.
  if (!tun_.arm()) quiet = false;
  for (Port* port : udp_ports_) {
    if (port != nullptr && !port->arm()) quiet = false;
  }
  return quiet;
}

// ---- From the wire

/// One batch of each socket in turn. Of a socket that has not filled its batch nothing more is
/// asked in this turn: that saves a call that finds nothing.
void TunnelLane::receive() noexcept {
  std::array<bool, std::tuple_size_v<decltype(udp_ports_)>> asked{};
  while (!turn_.over()) {
    if (udp_place_.train == udp_batch_.size()) {
      std::size_t tried = 0;
      while (asked[next_udp_port_] || udp_ports_[next_udp_port_] == nullptr) {
        next_udp_port_ = (next_udp_port_ + 1) % udp_ports_.size();
        if (++tried == udp_ports_.size()) return;
      }
      udp_batch_.clear();
      udp_place_ = {};
      udp_ports_[next_udp_port_]->poll(udp_batch_);
      asked[next_udp_port_] = udp_batch_.room() > 0;
      next_udp_port_ = (next_udp_port_ + 1) % udp_ports_.size();
    }
    receive_batch();
  }
}

/// What is left of the batch, or as much of it as the turn allows.
void TunnelLane::receive_batch() noexcept {
  while (udp_place_.train < udp_batch_.size() && !turn_.over()) {
    if (receive_.receive(udp_batch_, udp_place_, turn_, now_) > 0) wake_handshakes_ = true;
    receive_.events().drain([this](const SessionEvent& event) {
      release(event.released);
      act(*event.peer, event.actions);
    });
  }
}

// ---- To the wire

void TunnelLane::transmit() noexcept {
  bool asked = false;
  while (!turn_.over()) {
    if (tun_place_.train == tun_batch_.size()) {
      if (asked) return;
      tun_batch_.clear();
      tun_place_ = {};
      if (tun_.poll(tun_batch_) == 0) return;
      asked = tun_batch_.room() > 0;
    }
    while (tun_place_.train < tun_batch_.size() && !turn_.over()) transmit_train();
    flush();
  }
}

/// The next train of the batch, or as much of it as the turn allows.
void TunnelLane::transmit_train() noexcept {
  const Train& train = tun_batch_[tun_place_.train];
  const std::optional<GsoView> packet = GsoView::of(train.all(), train.vnet);
  const std::size_t segments = packet ? packet->segment_count() : 1;
  const std::size_t first = tun_place_.segment;
  const std::size_t count = turn_.take(segments - first);
  if (count == 0) return;
  DirectionCounters& counters = counters_.to_wire;
  counters.received.add(count);
  if (packet) {
    const std::size_t headers = (count - 1) * packet->header_size();
    counters.received_bytes.add(packet->slice_length(first, count) + headers);
    transmit_packet(train, *packet, first, count);
  } else {
    counters.received_bytes.add(train.length);
    counters.drops.add(Drop::malformed_inner);
  }
  tun_place_.advance(count, segments);
}

void TunnelLane::transmit_packet(const Train& train, const GsoView& packet, std::size_t first,
                                 std::size_t count) noexcept {
  // As the kernel's device: who cannot be reached must not look like who does not answer.
  const auto refuse = [&](Drop reason, const Undelivered& why) {
    if (first == 0) icmp_.answer(train.all(), why, now_);
    counters_.to_wire.drops.add(reason, count);
  };
  if (TransmitPipeline::too_large(packet.segment_length(0))) {
    return refuse(Drop::too_large, {Undelivered::Why::too_big, TransmitPipeline::largest_inner()});
  }
  if (Nesting::of(packet.packet()).is_too_deep) {
    return counters_.to_wire.drops.add(Drop::routing_loop, count);
  }
  const std::optional<wg::PeerId> id = peers_.allowed_ips().lookup(packet.target());
  if (!id) return refuse(Drop::no_route, {});
  LanePeer* peer = peers_.find(*id);
  TW_ASSERT(peer != nullptr);
  if (!peer->endpoint) return refuse(Drop::no_endpoint, {});
  transmit_segments(*peer, packet, first, count);
}

void TunnelLane::transmit_segments(LanePeer& peer, const GsoView& packet, std::size_t first,
                                   std::size_t count) noexcept {
  const TransmitPipeline::Outer outer = transmit_.outer_of(packet);
  for (std::size_t segment = first; segment < first + count; ++segment) {
    if (transmit_.full(packet.segment_length(segment))) flush();
    if (const std::optional<wg::Session::SealSlot> slot = peer.session.next_seal(now_)) {
      transmit_.queue(peer, *slot, packet, segment, outer);
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
  turn_.charge(peer.staged.count);
  staging_.for_each(peer.staged, [&](ByteSpan bytes) {
    const std::optional<wg::Session::SealSlot> slot = peer.session.next_seal(now_);
    if (!slot || !peer.endpoint) return counters_.to_wire.drops.add(Drop::keypair_expired);
    const std::optional<GsoView> packet = GsoView::of(bytes, {});
    TW_ASSERT(packet);  // it was one when it was staged
    if (transmit_.full(bytes.size())) flush();
    transmit_.queue(peer, *slot, *packet, 0, transmit_.outer_of(*packet));
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

// ---- What sessions want, and timers

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

void TunnelLane::release(const wg::ReleasedKeypairs& released) noexcept {
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
  if (now_ < timers_.next_deadline()) return;
  const auto fire = [this](std::uint64_t slot) {
    LanePeer* peer = peers_.find(wg::PeerId{static_cast<std::uint32_t>(slot)});
    TW_ASSERT(peer != nullptr);
    peer->timer_at = Instant::max();
    peer->timer = TimerId{};
    flush();  // a tick may wipe keypairs that queued packets point to
    wg::ReleasedKeypairs released;
    const wg::SessionActions actions = peer->session.tick(now_, released);
    release(released);
    act(*peer, actions);
    rearm(*peer);
  };
  turn_.charge(timers_.advance(now_, fire, turn_.left()));
}

}  // namespace tw::lane
