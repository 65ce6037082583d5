#include "lane/tunnel_lane.h"

#include <algorithm>

#include "base/assert.h"

namespace tw::lane {

TunnelLane::TunnelLane(TunnelLaneParts parts, TunnelLaneLimits limits)
    : gate_(parts.channel, parts.known),
      requests_(parts.channel, parts.handshakes),
      tun_(parts.tun),
      transmit_(parts.engine, counters_),
      sessions_(peers_, transmit_, requests_, counters_.to_wire, limits.sessions,
                parts.handshakes.clock().now()),
      events_(parts.channel, gate_, requests_, peers_, sessions_, transmit_, counters_.to_wire),
      wire_({peers_, gate_, parts.strangers, syns_, parts.engine, parts.tun, parts.codec,
             parts.steering, parts.self},
            sessions_, requests_, counters_, limits.receive_trains),
      host_(parts.tun, peers_, sessions_, parts.strangers, parts.steering, parts.self, counters_,
            limits.tun_packets),
      syn_answers_(syns_, peers_, sessions_, parts.tun, counters_) {}

TunnelLane::~TunnelLane() = default;

// ---- Configuration

void TunnelLane::set_udp_ports(UdpPorts ports, UdpPorts draining) noexcept {
  wire_.set_ports(ports, draining);
  transmit_.set_ports(ports);
  wait_fds_.clear();
  if (tun_.wait_fd() >= 0) wait_fds_.push_back(tun_.wait_fd());
  wire_.add_wait_fds(wait_fds_);
}

void TunnelLane::report_syns(WakingRing<SynReport>* reports, ContextRing<SynAnswer>* answers,
                             std::size_t reporter) noexcept {
  counters_.from_wire.drops.add(Drop::shutdown, syns_.use(reports, answers, reporter));
}

LanePeer& TunnelLane::known(wg::PeerId id) noexcept {
  LanePeer* peer = peers_.find(id);
  TW_ASSERT(peer != nullptr);
  return *peer;
}

void TunnelLane::add_peer(wg::PeerId peer) noexcept { peers_.add(peer); }

void TunnelLane::remove_peer(wg::PeerId id, Instant now) noexcept {
  // Events of the handshake context about this peer must not reach the slot's next owner.
  events_.take_all(now);
  sessions_.flush(now);  // what that has queued points into keypairs that go now
  sessions_.forget(known(id));
  peers_.remove(id);
}

bool TunnelLane::set_endpoint(wg::PeerId id, const Endpoint& endpoint) noexcept {
  LanePeer& peer = known(id);
  const bool is_first = !peer.endpoint;
  peer.endpoint = endpoint;
  peer.local = {};  // of another path, perhaps of the other family
  return is_first;
}

void TunnelLane::resume_keepalive(wg::PeerId id, Instant now) noexcept {
  const Duration interval = known(id).session.persistent_keepalive();
  if (interval == Duration::zero()) return;
  set_persistent_keepalive(id, Duration::zero(), now);
  set_persistent_keepalive(id, interval, now);
}

bool TunnelLane::greet(wg::PeerId id, const Endpoint& endpoint, const LocalAddress& local,
                       Instant now) noexcept {
  LanePeer& peer = known(id);
  if (peer.session.has_usable_keypair(now)) return false;
  if (!peer.endpoint) {
    peer.endpoint = endpoint;
    peer.local = local;
  }
  sessions_.want_handshake(peer);
  return true;
}

void TunnelLane::set_persistent_keepalive(wg::PeerId id, Duration interval, Instant now) noexcept {
  LanePeer& peer = known(id);
  Turn turn = Turn::unlimited(now);
  wg::SessionActions actions;
  peer.session.set_persistent_keepalive(interval, now, actions);
  sessions_.act(peer, actions, turn);
  sessions_.flush(now);
}

void TunnelLane::clear_sessions(Instant now) noexcept {
  events_.take_all(now);
  sessions_.flush(now);  // what that has queued points into keypairs that go now
  for (std::uint32_t slot = 0; slot < peers_.slots(); ++slot) {
    if (LanePeer* peer = peers_.find(wg::PeerId{slot})) sessions_.clear(*peer);
  }
}

std::size_t TunnelLane::announce(Instant now) noexcept {
  std::size_t told = 0;
  for (std::uint32_t slot = 0; slot < peers_.slots(); ++slot) {
    LanePeer* peer = peers_.find(wg::PeerId{slot});
    if (peer == nullptr || !peer->session.has_usable_keypair(now)) continue;
    sessions_.keepalive(*peer, now);
    ++told;
  }
  sessions_.flush(now);
  return told;
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

Work TunnelLane::poll(Instant now, std::size_t budget) noexcept {
  Turn turn{now, budget};
  requests_.retry();
  wire_.begin(now);
  for (std::size_t i = 0; i < sources && !turn.over(); ++i) {
    const std::size_t source = (first_source_ + i) % sources;
    const std::size_t before = turn.used();
    take_from(static_cast<Source>(source), turn);
    if (!turn.over()) continue;
    first_source_ = turn.used() > before ? (source + 1) % sources : source;
    break;
  }
  sessions_.flush(now);
  requests_.wake();
  return turn.work();
}

void TunnelLane::take_from(Source source, Turn& turn) noexcept {
  switch (source) {
    case Source::events:
      return events_.take(turn);
    case Source::udp:
      return wire_.take(turn);
    case Source::syn_answers:
      return syn_answers_.take(turn);
    case Source::tun:
      return host_.take(turn);
    case Source::timers:
      return sessions_.run_timers(turn);
  }
}

bool TunnelLane::arm() noexcept {
  // Every port must be armed, whatever the others say.
  const bool wire_is_quiet = wire_.arm();
  const bool host_is_quiet = host_.arm();
  return wire_is_quiet && host_is_quiet && events_.empty() && requests_.all_sent() &&
         !syns_.has_answers();
}

}  // namespace tw::lane
