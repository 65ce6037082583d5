#include "wg/session.h"

#include <algorithm>
#include <utility>

#include "base/page_slab.h"

namespace tw::wg {
namespace {

constexpr Duration silence_limit = keepalive_timeout + rekey_timeout;
constexpr Duration wipe_after = 3 * reject_after_time;
/// An initiator that receives under a keypair this old asks for a new one, once: early enough that
/// the handshake ends before the keypair does.
constexpr Duration rekey_late = reject_after_time - keepalive_timeout - rekey_timeout;

/// One when the peer turns out to have the other keypair too; and one back, if it had confirmed
/// ours meanwhile and what made us change was only late.
constexpr std::uint8_t exchanges_after_crossing = 2;

bool usable(const LiveKeypair* keypair, Instant now) noexcept {
  return keypair != nullptr && now - keypair->keys.created < reject_after_time &&
         keypair->next_counter < reject_after_messages;
}

void release(std::unique_ptr<LiveKeypair>& keypair, ReleasedKeypairs& released) noexcept {
  if (keypair == nullptr) return;
  released.push(std::move(keypair));
}

/// The module's random delay before the handshake that silence asks for. Receiver indices are
/// random and each end has its own, so that the two of a session do not begin at the same moment.
Duration jitter_of(const LiveKeypair* keypair) noexcept {
  if (keypair == nullptr) return Duration::zero();
  return Duration{keypair->keys.local_index} % rekey_timeout_jitter;
}

bool take_due(Instant& deadline, Instant now) noexcept {
  if (deadline > now) return false;
  deadline = Instant::max();
  return true;
}

/// Returns the memory of all sessions of the process. Never destroyed: a session may be static.
PageSlab& keypairs() {
  static PageSlab& slab = *new PageSlab{sizeof(LiveKeypair)};
  return slab;
}

}  // namespace

void* LiveKeypair::operator new(std::size_t bytes) {
  TW_ASSERT(bytes == sizeof(LiveKeypair));
  void* keypair = keypairs().take();
  TW_ASSERT(keypair != nullptr);  // as of any memory that cannot be had
  return keypair;
}

void LiveKeypair::operator delete(void* keypair) noexcept { keypairs().give_back(keypair); }

Session::Session(Duration persistent_keepalive) noexcept
    : persistent_keepalive_(persistent_keepalive) {
  if (persistent_keepalive_ > Duration::zero()) persistent_at_ = Instant{};
}

// As the Linux module's add_new_keypair: an initiator's keypair replaces the current one, and what
// was `next` (the peer began a handshake too) stays only to receive under.
void Session::install(Keypair&& keypair, Instant now, ReleasedKeypairs& released,
                      SessionActions& actions) noexcept {
  auto live = std::make_unique<LiveKeypair>();
  live->keys = std::move(keypair);
  release(previous_, released);
  exchanges_left_ = 0;
  if (live->keys.is_initiator) {
    if (next_ != nullptr) {
      if (next_->keys.outlasts) exchanges_left_ = exchanges_after_crossing;
      release(current_, released);
      previous_ = std::move(next_);
    } else {
      previous_ = std::move(current_);
    }
    current_ = std::move(live);
    asked_late_ = false;
    staged_until_ = Instant::max();
    actions.send_keepalive = true;
  } else {
    release(next_, released);
    next_ = std::move(live);
    packet_sent(now);
  }
  packet_received(now);
  wipe_at_ = now + wipe_after;
  // A responder waits for the packet that confirms its keypair before it asks for another.
  may_ask_at_ = next_ ? now + rekey_timeout : Instant{};
}

std::optional<Session::SealSlot> Session::next_seal(Instant now) noexcept {
  if (!has_usable_keypair(now)) return std::nullopt;
  return SealSlot{current_.get(), current_->next_counter++};
}

bool Session::has_usable_keypair(Instant now) const noexcept { return usable(current_.get(), now); }

LiveKeypair* Session::find(std::uint32_t local_index) noexcept {
  for (LiveKeypair* keypair : {current_.get(), previous_.get(), next_.get()}) {
    if (keypair != nullptr && keypair->keys.local_index == local_index) return keypair;
  }
  return nullptr;
}

std::optional<Drop> Session::may_open(const LiveKeypair& keypair, std::uint64_t counter,
                                      Instant now) noexcept {
  if (now - keypair.keys.created >= reject_after_time) return Drop::keypair_expired;
  if (counter >= reject_after_messages) return Drop::keypair_expired;
  return std::nullopt;
}

std::optional<Drop> Session::authenticated(LiveKeypair& keypair, std::uint64_t counter,
                                           bool is_keepalive, Instant now,
                                           ReleasedKeypairs& released,
                                           SessionActions& actions) noexcept {
  if (&keypair != current_.get() && &keypair != previous_.get() && &keypair != next_.get()) {
    return Drop::keypair_expired;
  }
  if (!keypair.window.accept(counter)) return Drop::replayed;
  if (&keypair == next_.get()) confirm(released, actions);
  if (&keypair == previous_.get() && exchanges_left_ > 0) settle_crossing();
  packet_received(now);
  if (!asked_late_ && usable(current_.get(), now) && current_->keys.is_initiator &&
      now - current_->keys.created >= rekey_late) {
    asked_late_ = true;
    ask(now, actions);
  }
  if (!is_keepalive && keepalive_at_ == Instant::max()) keepalive_at_ = now + keepalive_timeout;
  return std::nullopt;
}

void Session::confirm(ReleasedKeypairs& released, SessionActions& actions) noexcept {
  release(previous_, released);
  previous_ = std::move(current_);
  current_ = std::move(next_);
  exchanges_left_ = 0;
  asked_late_ = false;
  staged_until_ = Instant::max();
  may_ask_at_ = Instant{};
  actions.confirmed = true;
}

/// The peer seals under what we had set aside for a handshake of our own that crossed it. Were each
/// end to keep its own, both would rekey, and either would drop what the other still sends.
void Session::settle_crossing() noexcept {
  --exchanges_left_;
  std::swap(previous_, current_);
}

void Session::sent(bool is_keepalive, Instant now, SessionActions& actions) noexcept {
  packet_sent(now);
  if (!is_keepalive && silence_at_ == Instant::max()) {
    silence_at_ = now + silence_limit + jitter_of(current_.get());
  }
  if (!usable(current_.get(), now)) return;
  const bool old = current_->keys.is_initiator && now - current_->keys.created >= rekey_after_time;
  if (old || current_->next_counter > rekey_after_messages) ask(now, actions);
}

void Session::handshake_sent(Instant now) noexcept { packet_sent(now); }
void Session::handshake_received(Instant now) noexcept { packet_received(now); }

void Session::packet_sent(Instant now) noexcept {
  keepalive_at_ = Instant::max();
  packet_passed(now);
}

void Session::packet_received(Instant now) noexcept {
  silence_at_ = Instant::max();
  packet_passed(now);
}

void Session::packet_passed(Instant now) noexcept {
  if (persistent_keepalive_ > Duration::zero()) persistent_at_ = now + persistent_keepalive_;
}

void Session::staged(Instant now, SessionActions& actions) noexcept {
  if (staged_until_ == Instant::max()) staged_until_ = now + staged_wait_max;
  ask(now, actions);
}

void Session::gave_up(Instant now, SessionActions& actions) noexcept {
  staged_until_ = Instant::max();
  keepalive_at_ = Instant::max();
  actions.staged_expired = true;
  if (wipe_at_ == Instant::max()) wipe_at_ = now + wipe_after;
}

/// The Handshaker retries by itself, so that one request in REKEY_TIMEOUT is enough.
void Session::ask(Instant now, SessionActions& actions) noexcept {
  if (now < may_ask_at_) return;
  may_ask_at_ = now + rekey_timeout;
  actions.initiate = true;
}

/// A keepalive is due: without a keypair to seal it with, the handshake takes its place.
void Session::ask_for_packet(Instant now, SessionActions& actions) noexcept {
  if (has_usable_keypair(now)) {
    actions.send_keepalive = true;
  } else {
    ask(now, actions);
  }
}

void Session::set_persistent_keepalive(Duration interval, Instant now,
                                       SessionActions& actions) noexcept {
  const bool was_running = persistent_at_ != Instant::max();
  persistent_keepalive_ = std::max(interval, Duration::zero());
  if (persistent_keepalive_ == Duration::zero()) {
    persistent_at_ = Instant::max();
    return;
  }
  persistent_at_ = now + persistent_keepalive_;
  if (was_running) return;
  // Switched on by hand, or because there is somewhere to send to at last: what was asked for
  // before may have come to nothing. The Handshaker keeps initiations apart by itself.
  if (next_ == nullptr) may_ask_at_ = Instant{};
  ask_for_packet(now, actions);
}

SessionActions Session::tick(Instant now, ReleasedKeypairs& released) noexcept {
  SessionActions actions;
  if (take_due(wipe_at_, now)) {
    drop_keypairs(released);
    actions.wiped = true;
  }
  if (take_due(staged_until_, now)) actions.staged_overdue = true;
  if (take_due(silence_at_, now)) ask(now, actions);
  if (take_due(keepalive_at_, now)) ask_for_packet(now, actions);
  if (take_due(persistent_at_, now)) {
    ask_for_packet(now, actions);
    persistent_at_ = now + persistent_keepalive_;
  }
  return actions;
}

Instant Session::next_deadline() const noexcept {
  return std::min({keepalive_at_, silence_at_, wipe_at_, staged_until_, persistent_at_});
}

void Session::drop_keypairs(ReleasedKeypairs& released) noexcept {
  release(previous_, released);
  release(current_, released);
  release(next_, released);
  exchanges_left_ = 0;
}

void Session::clear(ReleasedKeypairs& released) noexcept {
  drop_keypairs(released);
  keepalive_at_ = silence_at_ = wipe_at_ = staged_until_ = persistent_at_ = Instant::max();
  may_ask_at_ = Instant{};
  asked_late_ = false;
}

}  // namespace tw::wg
