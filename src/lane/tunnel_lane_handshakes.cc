// The part of TunnelLane that does what the handshake context says.
#include <utility>

#include "base/assert.h"
#include "lane/tunnel_lane.h"
#include "wire/message/wg_message.h"

namespace tw::lane {

void TunnelLane::take_handshake_events(TurnBudget& turn) noexcept {
  while (!turn.over() && channel_.events.pop(event_)) {
    turn.charge(1);
    handle(event_);
  }
}

void TunnelLane::take_all_handshake_events() noexcept {
  TurnBudget all{HandshakeChannel::capacity};
  take_handshake_events(all);
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
  if (event.to) gate_.remember(*event.to);
  peers_.bind_index(event.keypair->local_index, peer.id);
  // An answer proves nothing about who asked (the preshared key may be wrong): only the first
  // packet under the keypair does.
  const bool is_initiator = event.keypair->is_initiator;
  // As the kernel's device counts: what has authenticated, so no cookie reply.
  peer.received_bytes += is_initiator ? wg_response_size : wg_initiation_size;
  if (!is_initiator) peer.responded = event.wall;
  wg::ReleasedKeypairs released;
  wg::SessionActions actions;
  peer.session.install(std::move(*event.keypair), now_, released, actions);
  event.keypair.reset();  // wipes it
  if (is_initiator) peer.session.set_last_handshake(event.wall);
  peer.session.handshake_received(now_);
  release(released);
  act(peer, actions);
}

}  // namespace tw::lane
