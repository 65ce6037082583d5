#include "lane/handshake/handshake_lane.h"

#include <utility>

namespace tw::lane {

HandshakeLane::HandshakeLane(HandshakeChannel& channel, ExecContext& worker,
                             IndexAllocator& indices, RandomSource& random, const Clock& clock)
    : channel_(channel),
      worker_(worker),
      indices_(indices),
      clock_(clock),
      handshaker_(indices, random) {}

Work HandshakeLane::poll(Instant now, std::size_t budget) noexcept {
  std::size_t handled = 0;
  woke_worker_ = false;
  handshakes_left_ = handshakes_per_turn;
  // Beyond the budget: this is what keeps up with a flood.
  while (handled < HandshakeChannel::request_capacity && handshakes_left_ > 0 &&
         channel_.requests.pop(request_)) {
    handle(request_, now);
    ++handled;
  }
  while (handshakes_left_ > 0 && waiting_.pop(request_)) {
    process(request_, now);
    ++handled;
  }
  if (now >= handshaker_.next_deadline()) handshaker_.tick(now, clock_.wall(), *this);
  if (woke_worker_) worker_.wake();
  return {.packets = handled, .more = !waiting_.empty() || handled >= budget};
}

void HandshakeLane::handle(HandshakeRequest& request, Instant now) noexcept {
  switch (request.kind) {
    case HandshakeRequest::Kind::receive:
      return receive(request, now);
    case HandshakeRequest::Kind::initiate:
      return handshaker_.want(request.peer, now);
    case HandshakeRequest::Kind::forget:
      handshaker_.forget(request.peer);
      return;
    case HandshakeRequest::Kind::release:
      indices_.release(request.index);
      return;
  }
}

void HandshakeLane::receive(HandshakeRequest& request, Instant now) noexcept {
  counters_.received.add();
  local_ = request.local;
  const ByteView message = request.message.view();
  if (const auto drop = handshaker_.admit(message, request.from, now, under_load(now), *this)) {
    return counters_.drops.add(*drop);
  }
  if (classify(message) != WgType::initiation) return process(request, now);
  if (!waiting_.push(std::move(request))) counters_.drops.add(Drop::queue_full);
}

void HandshakeLane::process(const HandshakeRequest& request, Instant now) noexcept {
  --handshakes_left_;
  local_ = request.local;
  if (const auto drop = handshaker_.process(request.message.view(), request.from, now, *this)) {
    counters_.drops.add(*drop);
  } else {
    counters_.processed.add();
  }
}

bool HandshakeLane::under_load(Instant now) noexcept {
  if (waiting_.size() > under_load_threshold) loaded_until_ = now + load_lasts;
  return now < loaded_until_;
}

bool HandshakeLane::push(HandshakeEvent&& event) noexcept {
  // A full ring means that the worker has not run for 2,048 events. What is lost is what the wire
  // may lose too: the protocol repeats it.
  if (!channel_.events.push(std::move(event))) {
    counters_.events_lost.add();
    return false;
  }
  woke_worker_ = true;
  return true;
}

void HandshakeLane::push_message(HandshakeEvent&& event, ByteView datagram) noexcept {
  TW_ASSERT(event.message.assign(datagram));
  if (push(std::move(event))) return count_sent(datagram);
  counters_.drops.add(Drop::queue_full);
}

void HandshakeLane::count_sent(ByteView datagram) noexcept {
  switch (classify(datagram).value_or(WgType::data)) {
    case WgType::initiation:
      return counters_.initiations_sent.add();
    case WgType::response:
      return counters_.responses_sent.add();
    case WgType::cookie_reply:
      return counters_.cookies_sent.add();
    case WgType::data:
      return;
  }
}

void HandshakeLane::send(wg::PeerId peer, const std::optional<Endpoint>& to,
                         ByteView datagram) noexcept {
  HandshakeEvent event;
  event.kind = HandshakeEvent::Kind::send;
  event.peer = peer;
  event.to = to;
  if (to) event.local = local_;
  push_message(std::move(event), datagram);
}

void HandshakeLane::reply(const Endpoint& to, ByteView datagram) noexcept {
  // Whoever knows our public key can ask for these: they must not crowd out a finished handshake.
  if (channel_.events.size() + reserved_events >= HandshakeChannel::capacity) {
    counters_.events_lost.add();
    return counters_.drops.add(Drop::queue_full);
  }
  HandshakeEvent event;
  event.kind = HandshakeEvent::Kind::reply;
  event.to = to;
  event.local = local_;
  push_message(std::move(event), datagram);
}

bool HandshakeLane::established(wg::PeerId peer, wg::Keypair keypair,
                                const Endpoint& from) noexcept {
  HandshakeEvent event;
  event.kind = HandshakeEvent::Kind::established;
  event.peer = peer;
  event.to = from;
  event.local = local_;
  event.wall = clock_.wall();
  event.keypair = std::make_unique<wg::Keypair>(keypair);
  // Refused, the keypair is wiped where it lies: with the event, here.
  if (!push(std::move(event))) return false;
  counters_.established.add();
  return true;
}

void HandshakeLane::gave_up(wg::PeerId peer) noexcept {
  HandshakeEvent event;
  event.kind = HandshakeEvent::Kind::gave_up;
  event.peer = peer;
  // Lost, what the session has staged expires by its own time.
  static_cast<void>(push(std::move(event)));
}

void HandshakeLane::unanswered(wg::PeerId peer) noexcept {
  if (told_unanswered_) told_unanswered_(peer);
}

}  // namespace tw::lane
