#include "lane/receive/deliver_stage.h"

#include <algorithm>

#include "wire/ip/ecn.h"
#include "wire/ip/host_steering.h"
#include "wire/ip/ip_packet.h"

namespace tw::lane {

void DeliverStage::deliver(const OpenedPackets& opened, Instant now,
                           SessionEvents& events) noexcept {
  allowed_ = {};
  for (std::size_t i = 0; i < opened.jobs.size(); ++i) {
    packet(opened.jobs[i], opened.arrivals[i], now, events);
  }
  tun_.write();
}

void DeliverStage::packet(const crypto::AeadJob& job, const Arrival& arrival, Instant now,
                          SessionEvents& events) noexcept {
  if (!job.authentic) return drop(Drop::bad_tag);
  LanePeer& peer = *arrival.peer;
  const bool is_keepalive = job.length == 0;
  SessionEvent& event = events.of(peer);
  const std::optional<Drop> reason = peer.session.authenticated(
      *arrival.keypair, job.counter, is_keepalive, now, event.released, event.actions);
  if (reason) return drop(*reason);
  peer.received_bytes += arrival.datagram_bytes;
  // Roaming: the peer is where its latest authentic packet came from, and hears from where that
  // came to.
  if (peer.endpoint != arrival.train->source) peer.endpoint = arrival.train->source;
  if (peer.local != arrival.train->local) peer.local = arrival.train->local;
  if (is_keepalive) return counters_.consumed.add();
  inner(peer, {job.text, job.length}, arrival.train->traffic_class);
}

void DeliverStage::inner(const LanePeer& peer, ByteSpan plaintext,
                         std::uint8_t outer_class) noexcept {
  const std::optional<IpPacketView> packet = IpPacketView::of(plaintext);
  if (!packet) return drop(Drop::malformed_inner);
  if (!is_allowed(peer, packet->source)) return drop(Drop::not_allowed_ip);
  const ByteSpan inner = plaintext.first(packet->total_length);  // what follows is padding
  if (steers_host(inner, *packet)) return drop(Drop::host_steering);
  if (!carry_ecn(inner, *packet, outer_class)) return drop(Drop::congestion);
  if (syns_.reporting() && syns_.report(inner, *packet)) return;
  tun_.add(inner, *packet);
}

bool DeliverStage::is_allowed(const LanePeer& peer, ByteView source) noexcept {
  if (allowed_.peer == &peer && allowed_.size == source.size() &&
      std::equal(source.begin(), source.end(), allowed_.source.begin())) {
    return true;
  }
  if (peers_.allowed_ips().lookup(source) != peer.id) return false;
  allowed_.peer = &peer;
  allowed_.size = source.size();
  std::copy(source.begin(), source.end(), allowed_.source.begin());
  return true;
}

}  // namespace tw::lane
