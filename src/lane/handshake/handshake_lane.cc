#include "lane/handshake/handshake_lane.h"

#include <algorithm>
#include <utility>

namespace tw::lane {

HandshakeLane::HandshakeLane(std::span<const HandshakeLink> links, const SteeringTable& steering,
                             IndexAllocator& indices, RandomSource& random, const Clock& clock)
    : steering_(steering), indices_(indices), clock_(clock), handshaker_(indices, random) {
  TW_ASSERT(!links.empty());
  links_.reserve(links.size());
  for (const HandshakeLink& link : links) links_.push_back({link.channel, link.worker});
}

Work HandshakeLane::poll(Instant now, std::size_t budget) noexcept {
  std::size_t handled = 0;
  handshakes_left_ = handshakes_per_turn;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    handled += take_requests(links_[(first_link_ + i) % links_.size()], now);
  }
  first_link_ = (first_link_ + 1) % links_.size();
  while (handshakes_left_ > 0 && waiting_.pop(request_)) {
    process(request_, now);
    ++handled;
  }
  if (now >= handshaker_.next_deadline()) handshaker_.tick(now, clock_.wall(), *this);
  for (Link& link : links_) {
    if (std::exchange(link.woken, false)) link.worker.wake();
  }
  return {.packets = handled, .more = !waiting_.empty() || handled >= budget};
}

/// Takes all that wait, beyond any budget: that keeps up with a flood.
std::size_t HandshakeLane::take_requests(Link& link, Instant now) noexcept {
  from_ = &link;
  std::size_t taken = 0;
  while (taken < HandshakeChannel::request_capacity && handshakes_left_ > 0 &&
         link.channel.requests.pop(request_)) {
    handle(request_, now);
    ++taken;
  }
  return taken;
}

bool HandshakeLane::arm() noexcept {
  return waiting_.empty() && std::ranges::all_of(links_, [](const Link& link) {
           return link.channel.requests.empty();
         });
}

HandshakeLane::Link& HandshakeLane::owner_of(wg::PeerId peer) noexcept {
  const ContextId owner = steering_.context_of(bucket_of(peer));
  const auto link = std::ranges::find(links_, owner, [](Link& one) { return one.worker.id(); });
  TW_ASSERT(link != links_.end());
  return *link;
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

bool HandshakeLane::push(Link& link, HandshakeEvent&& event) noexcept {
  // A full ring means that the worker has not run for 2,048 events. What is lost is what the wire
  // may lose too: the protocol repeats it.
  if (!link.channel.events.push(std::move(event))) {
    counters_.events_lost.add();
    return false;
  }
  link.woken = true;
  return true;
}

void HandshakeLane::push_message(Link& link, HandshakeEvent&& event, ByteView datagram) noexcept {
  TW_ASSERT(event.message.assign(datagram));
  if (push(link, std::move(event))) return count_sent(datagram);
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
  push_message(owner_of(peer), std::move(event), datagram);
}

void HandshakeLane::reply(const Endpoint& to, ByteView datagram) noexcept {
  // Whoever knows our public key can ask for these: they must not crowd out a finished handshake.
  // Only messages from the wire are answered so, and by the lane that has brought them.
  if (from_->channel.events.size() + reserved_events >= HandshakeChannel::capacity) {
    counters_.events_lost.add();
    return counters_.drops.add(Drop::queue_full);
  }
  HandshakeEvent event;
  event.kind = HandshakeEvent::Kind::reply;
  event.to = to;
  event.local = local_;
  push_message(*from_, std::move(event), datagram);
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
  if (!push(owner_of(peer), std::move(event))) return false;
  counters_.established.add();
  return true;
}

void HandshakeLane::gave_up(wg::PeerId peer) noexcept {
  HandshakeEvent event;
  event.kind = HandshakeEvent::Kind::gave_up;
  event.peer = peer;
  // Lost, what the session has staged expires by its own time.
  static_cast<void>(push(owner_of(peer), std::move(event)));
}

void HandshakeLane::unanswered(wg::PeerId peer) noexcept {
  if (told_unanswered_) told_unanswered_(peer);
}

}  // namespace tw::lane
