#include "lane/handshake/handshake_events.h"

#include <utility>

#include "wire/message/wg_message.h"

namespace tw::lane {

void HandshakeEvents::take(Turn& turn) noexcept {
  while (!turn.over() && channel_.events.pop(event_)) {
    turn.charge(1);
    handle(event_, turn);
  }
}

void HandshakeEvents::take_all(Instant now) noexcept {
  Turn all{now, HandshakeChannel::capacity};
  take(all);
}

void HandshakeEvents::handle(HandshakeEvent& event, Turn& turn) noexcept {
  if (event.kind == HandshakeEvent::Kind::reply) {
    return transmit_.send_handshake(*event.to, event.local, event.message.view(), nullptr);
  }
  LanePeer* peer = peers_.find(event.peer);
  switch (event.kind) {
    case HandshakeEvent::Kind::send:
      return send(event, peer, turn);
    case HandshakeEvent::Kind::established:
      if (peer != nullptr) return establish(*peer, event, turn);
      requests_.release(event.keypair->local_index);
      event.keypair.reset();
      return;
    case HandshakeEvent::Kind::gave_up:
      if (peer != nullptr) {
        wg::SessionActions actions;
        peer->session.gave_up(turn.now(), actions);
        sessions_.act(*peer, actions, turn);
      }
      return;
    case HandshakeEvent::Kind::reply:
      return;
  }
}

void HandshakeEvents::send(HandshakeEvent& event, LanePeer* peer, Turn& turn) noexcept {
  if (event.to) {
    transmit_.send_handshake(*event.to, event.local, event.message.view(), peer);
  } else if (peer == nullptr || !peer->endpoint) {
    counters_.generated.add();
    return counters_.drops.add(peer == nullptr ? Drop::shutdown : Drop::no_endpoint);
  } else {
    send_initiation(*peer, event.message.view());
  }
  if (peer == nullptr) return;
  peer->session.handshake_sent(turn.now());
  sessions_.rearm(*peer);
}

/// The second in a row chooses its source anew, as the first may have left by a way that is none
/// any more (the kernel's device does the same).
void HandshakeEvents::send_initiation(LanePeer& peer, ByteView message) noexcept {
  if (peer.initiation_unanswered) peer.local = {};
  peer.initiation_unanswered = true;
  transmit_.send_handshake(*peer.endpoint, peer.local, message, &peer);
}

void HandshakeEvents::establish(LanePeer& peer, HandshakeEvent& event, Turn& turn) noexcept {
  sessions_.flush(turn.now());  // queued packets point into the keypairs that are about to rotate
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
  peer.session.install(std::move(*event.keypair), turn.now(), released, actions);
  event.keypair.reset();  // wipes it
  if (is_initiator) peer.session.set_last_handshake(event.wall);
  peer.session.handshake_received(turn.now());
  sessions_.release(released);
  sessions_.act(peer, actions, turn);
}

}  // namespace tw::lane
