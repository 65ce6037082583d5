#include "wg/handshaker.h"

#include <algorithm>

#include "wg/handshake_table.h"
#include "wg/reply_limiter.h"
#include "wg/source_limiter.h"
#include "wire/message/wg_message.h"

namespace tw::wg {

struct Handshaker::State {
  State(IndexSource& indices, RandomSource& random_source)
      : random(random_source), table(indices), limiter(random_source), replies(random_source) {}

  /// Our static secret with the peer; null if there can be no handshake with it.
  const crypto::Secret<32>* secret_with(HandshakeEntry& peer) noexcept;
  void send_initiation(HandshakeEntry& peer, Instant now, WallTime wall,
                       HandshakeSink& sink) noexcept;
  Duration retry_delay() noexcept {
    const auto jitter = static_cast<std::uint64_t>(rekey_timeout_jitter.count());
    return rekey_timeout + Duration{static_cast<Duration::rep>(random.next() % jitter)};
  }

  /// A handshake with this source has completed.
  void remember(const Endpoint& source) noexcept {
    replies.remember(source);
    limiter.remember(source);
  }
  /// The peer whose initiation waits for this response; null if none does.
  HandshakeEntry* asked_for(const WgResponseView& message) noexcept;
  template <typename View>
  std::optional<Drop> prove_source(const View& message, const Endpoint& from, Instant now,
                                   HandshakeSink& sink) noexcept;
  std::optional<Drop> receive_initiation(const WgInitiationView& message, const Endpoint& from,
                                         Instant now, HandshakeSink& sink) noexcept;
  std::optional<Drop> receive_response(const WgResponseView& message, const Endpoint& from,
                                       Instant now, HandshakeSink& sink) noexcept;
  std::optional<Drop> receive_cookie(const WgCookieReplyView& message, Instant now) noexcept;

  RandomSource& random;
  HandshakeTable table;
  SourceLimiter limiter;
  ReplyLimiter replies;
  CookieChecker checker;
  std::optional<Identity> self;
  Tai64n latest_timestamp;  // of all we sent: a peer removed and added again goes on from here
};

Handshaker::Handshaker(IndexSource& indices, RandomSource& random)
    : state_(std::make_unique<State>(indices, random)) {}
Handshaker::~Handshaker() = default;

void Handshaker::set_private_key(const crypto::PrivateKey& key) noexcept {
  std::optional<Identity> self;
  if (!key.is_zero()) self = Identity::of(key);
  if (self && state_->self && self->public_key == state_->self->public_key) return;
  state_->self = std::move(self);
  if (state_->self) state_->checker.set_public_key(state_->self->public_key);
  state_->table.for_each([this](HandshakeEntry& peer) {
    state_->table.abandon(peer);
    state_->table.schedule(peer, Instant::max());
    peer.static_secret.reset();
    peer.low_order = false;
    peer.sent_at.reset();
  });
}

bool Handshaker::add_peer(PeerId peer, const HandshakePeer& settings) {
  HandshakeEntry* entry = state_->table.add(peer, settings);
  if (entry == nullptr) return false;
  entry->sent_timestamp = state_->latest_timestamp;
  return true;
}

void Handshaker::set_preshared_key(PeerId peer, const crypto::PresharedKey& key) noexcept {
  if (HandshakeEntry* entry = state_->table.find(peer)) entry->preshared_key = key;
}

void Handshaker::remove_peer(PeerId peer) noexcept { state_->table.remove(peer); }

void Handshaker::forget(PeerId peer) noexcept {
  HandshakeEntry* entry = state_->table.find(peer);
  if (entry == nullptr) return;
  state_->table.abandon(*entry);
  state_->table.schedule(*entry, Instant::max());
}

void Handshaker::initiate(PeerId peer, Instant now, WallTime wall, HandshakeSink& sink) noexcept {
  HandshakeEntry* entry = state_->table.find(peer);
  if (entry == nullptr || state_->secret_with(*entry) == nullptr) return;
  want(peer, now);
  if (entry->retry_at > now) return;
  state_->send_initiation(*entry, now, wall, sink);
}

void Handshaker::want(PeerId peer, Instant now) noexcept {
  HandshakeEntry* entry = state_->table.find(peer);
  if (entry == nullptr || !state_->self || entry->low_order) return;
  if (entry->public_key == state_->self->public_key) return;
  entry->attempt_began = now;
  const Instant allowed = entry->sent_at ? *entry->sent_at + rekey_timeout : now;
  if (allowed <= now) {
    state_->table.schedule(*entry, now);
  } else if (entry->retry_at == Instant::max()) {
    state_->table.schedule(*entry, allowed);
  }
}

void Handshaker::tick(Instant now, WallTime wall, HandshakeSink& sink) noexcept {
  state_->checker.tick(now);
  for (std::size_t sent = 0; sent < initiations_per_tick; ++sent) {
    HandshakeEntry* peer = state_->table.take_due(now);
    if (peer == nullptr) return;
    if (now - peer->attempt_began >= rekey_attempt_time) {
      state_->table.abandon(*peer);
      sink.gave_up(peer->id);
    } else {
      state_->send_initiation(*peer, now, wall, sink);
    }
  }
}

Instant Handshaker::next_deadline() const noexcept {
  return std::min(state_->table.next_retry(), state_->checker.next_deadline());
}

std::optional<Drop> Handshaker::receive(ByteView datagram, const Endpoint& from, Instant now,
                                        bool under_load, HandshakeSink& sink) noexcept {
  if (const auto drop = admit(datagram, from, now, under_load, sink)) return drop;
  return process(datagram, from, now, sink);
}

std::optional<Drop> Handshaker::admit(ByteView datagram, const Endpoint& from, Instant now,
                                      bool under_load, HandshakeSink& sink) noexcept {
  const std::optional<WgType> type = classify(datagram);
  if (!type || *type == WgType::data) return Drop::malformed;
  if (!state_->self) return Drop::bad_handshake;
  if (const auto message = WgInitiationView::of(datagram)) {
    if (!state_->checker.mac1_valid(message->before_mac1, message->mac1)) return Drop::bad_mac1;
    return under_load ? state_->prove_source(*message, from, now, sink) : std::nullopt;
  }
  if (const auto message = WgResponseView::of(datagram)) {
    if (!state_->checker.mac1_valid(message->before_mac1, message->mac1)) return Drop::bad_mac1;
    HandshakeEntry* peer = state_->asked_for(*message);
    if (peer == nullptr) return Drop::bad_handshake;
    // The first costs no more than our initiation has: an index is hard to guess, and who has seen
    // it has one try. A cookie would cost the honest peer REKEY_TIMEOUT.
    const bool is_first = !std::exchange(peer->was_answered, true);
    return under_load && !is_first ? state_->prove_source(*message, from, now, sink) : std::nullopt;
  }
  const auto message = WgCookieReplyView::of(datagram);
  if (!message || state_->table.find_index(message->receiver_index) == nullptr) {
    return Drop::bad_handshake;
  }
  return std::nullopt;
}

std::optional<Drop> Handshaker::process(ByteView datagram, const Endpoint& from, Instant now,
                                        HandshakeSink& sink) noexcept {
  if (!state_->self) return Drop::bad_handshake;
  if (const auto message = WgInitiationView::of(datagram)) {
    return state_->receive_initiation(*message, from, now, sink);
  }
  if (const auto message = WgResponseView::of(datagram)) {
    return state_->receive_response(*message, from, now, sink);
  }
  if (const auto message = WgCookieReplyView::of(datagram)) {
    return state_->receive_cookie(*message, now);
  }
  return Drop::malformed;
}

const crypto::Secret<32>* Handshaker::State::secret_with(HandshakeEntry& peer) noexcept {
  if (!self || peer.low_order || peer.public_key == self->public_key) return nullptr;
  if (!peer.static_secret) {
    peer.static_secret = static_secret(*self, peer.public_key);
    peer.low_order = !peer.static_secret;
  }
  return peer.static_secret ? &*peer.static_secret : nullptr;
}

/// `peer` must have a secret. Every initiation has a new index and ephemeral key: a response to the
/// one before is then no response any more.
void Handshaker::State::send_initiation(HandshakeEntry& peer, Instant now, WallTime wall,
                                        HandshakeSink& sink) noexcept {
  table.abandon(peer);
  table.schedule(peer, now + retry_delay());
  const crypto::Secret<32>* secret = secret_with(peer);
  if (secret == nullptr) return table.schedule(peer, Instant::max());
  const std::optional<std::uint32_t> index = table.take_index(peer.id);
  if (!index) return;  // the retry tries again

  const Tai64n timestamp = timestamp_after(peer.sent_timestamp, wall);
  std::array<std::uint8_t, wg_initiation_size> datagram;
  const auto pending = create_initiation(
      *self, peer.public_key, *secret, crypto::generate_private_key(), timestamp, *index, datagram);
  if (!pending) {
    table.give_back(*index);
    return;
  }
  peer.sent_timestamp = timestamp;
  latest_timestamp = std::max(latest_timestamp, timestamp);
  peer.sent_at = now;
  peer.was_answered = false;
  peer.cookie.add_macs(datagram, peer.mac_keys, now);
  table.set_pending(peer, *pending);
  if (peer.unanswered > 0 && peer.unanswered % unanswered_initiations == 0) {
    sink.unanswered(peer.id);
  }
  ++peer.unanswered;
  sink.send(peer.id, std::nullopt, datagram);
}

/// The checks that a message must pass under load before it may cost a curve operation.
template <typename View>
std::optional<Drop> Handshaker::State::prove_source(const View& message, const Endpoint& from,
                                                    Instant now, HandshakeSink& sink) noexcept {
  if (!checker.mac2_valid(message.before_mac2, message.mac2, from, now)) {
    if (!replies.allow(from, now)) return Drop::under_load;
    std::array<std::uint8_t, wg_cookie_reply_size> reply;
    checker.reply(message.sender_index, message.mac1, from, now, reply);
    sink.reply(from, reply);
    return Drop::under_load;
  }
  if (!limiter.allow(from, now)) return Drop::under_load;
  return std::nullopt;
}

std::optional<Drop> Handshaker::State::receive_initiation(const WgInitiationView& message,
                                                          const Endpoint& from, Instant now,
                                                          HandshakeSink& sink) noexcept {
  std::optional<OpenedInitiation> opened = open_initiation(*self, message);
  if (!opened) return Drop::bad_handshake;
  HandshakeEntry* peer = table.find(opened->claimed);
  const crypto::Secret<32>* secret = peer ? secret_with(*peer) : nullptr;
  if (secret == nullptr) return Drop::bad_handshake;
  const std::optional<Tai64n> timestamp = authenticate_initiation(*secret, message, opened->state);
  if (!timestamp) return Drop::bad_handshake;
  if (*timestamp <= peer->received_timestamp) return Drop::stale_handshake;
  if (peer->answered_at && now - *peer->answered_at < handshake_min_interval) {
    return Drop::stale_handshake;
  }

  const std::optional<std::uint32_t> index = table.take_index(peer->id);
  if (!index) return Drop::bad_handshake;
  std::array<std::uint8_t, wg_response_size> datagram;
  std::optional<Keypair> keypair =
      create_response(opened->state, peer->public_key, peer->preshared_key,
                      crypto::generate_private_key(), *index, now, datagram);
  if (!keypair) {
    table.give_back(*index);
    return Drop::bad_handshake;
  }
  // The curve operations have been spent: neither a copy nor a flood may have them again.
  peer->received_timestamp = *timestamp;
  peer->answered_at = now;
  keypair->outlasts = peer->public_key < self->public_key;
  remember(from);
  if (!sink.established(peer->id, std::move(*keypair), from)) {
    // Answered, the peer would believe in a session that nobody here has.
    table.give_back(*index);
    return Drop::queue_full;
  }
  peer->unanswered = 0;
  peer->cookie.add_macs(datagram, peer->mac_keys, now);
  table.set_response_index(*peer, *index);
  sink.send(peer->id, from, datagram);
  return std::nullopt;
}

HandshakeEntry* Handshaker::State::asked_for(const WgResponseView& message) noexcept {
  HandshakeEntry* peer = table.find_index(message.receiver_index);
  if (peer == nullptr || !peer->pending) return nullptr;
  return peer->pending->initiator_index == message.receiver_index ? peer : nullptr;
}

std::optional<Drop> Handshaker::State::receive_response(const WgResponseView& message,
                                                        const Endpoint& from, Instant now,
                                                        HandshakeSink& sink) noexcept {
  HandshakeEntry* peer = asked_for(message);
  if (peer == nullptr) return Drop::bad_handshake;
  std::optional<Keypair> keypair =
      consume_response(*self, *peer->pending, peer->preshared_key, message, now);
  if (!keypair) return Drop::bad_handshake;
  keypair->outlasts = self->public_key < peer->public_key;
  remember(from);
  // Undelivered, the handshake stays where it was, and the retry begins another.
  if (!sink.established(peer->id, std::move(*keypair), from)) return Drop::queue_full;
  peer->unanswered = 0;
  table.complete(*peer);
  table.schedule(*peer, Instant::max());
  return std::nullopt;
}

std::optional<Drop> Handshaker::State::receive_cookie(const WgCookieReplyView& message,
                                                      Instant now) noexcept {
  HandshakeEntry* peer = table.find_index(message.receiver_index);
  if (peer == nullptr || !peer->cookie.consume(message, peer->mac_keys, now)) {
    return Drop::bad_handshake;
  }
  return std::nullopt;
}

}  // namespace tw::wg
