// The part of Connection that says how much its sources may hold: little until its client is known
// to be there, then what the budget allows (source_window.h).
#include <algorithm>
#include <utility>

#include "relay/stream/connection.h"
#include "relay/stream/receive_window.h"

namespace tw::relay {
namespace {

// A client that is there mostly says something at once, and its first segment tells the other side
// of the leg how much it may send. One that waits for the server to speak does not.
constexpr Duration announce_pause = 2ms;

}  // namespace

void Connection::share(ReceiveBudget& budget, std::uint32_t leg_memory_most,
                       Resumer* announcer) noexcept {
  budget_ = &budget;
  leg_memory_most_ = leg_memory_most;
  announcer_ = announcer;
  if (is_leg_) {
    if (leg_memory_most_ > 0) shrink_window(front_.get(), accepted_memory);
  } else {
    await_client();
  }
}

// To whom another PoP's client belongs is not known here: his address is that PoP's peer's, as are
// those of all its clients, and they are not one.
Principal Connection::sharer() const noexcept {
  return is_leg_ ? Principal{client_.address} : budget_->principal_of(client_.address);
}

// A half waits for its client's handshake, and so does who was accepted for the data in his SYN:
// one segment of a cookie's owner. Of a leg's client its PoP tells, by the window that it opens.
void Connection::await_client() noexcept {
  if (!budget_) return;
  if (is_claimed() && client_is_here()) return;
  awaits_client_ = true;
  down_.set_cautious(true);
  if (is_claimed()) bound_unsent(front_.get(), unsent_unclaimed);
}

bool Connection::client_is_here() const noexcept {
  if (is_leg_) return peer_window(front_.get()) > held_window_most;
  return !fast_open_ || has_completed_handshake(front_.get());
}

void Connection::meet_client(Instant now) noexcept {
  awaits_client_ = false;
  down_.set_cautious(false);
  if (is_leg_ || fast_open_) bound_unsent(front_.get(), is_leg_ ? unsent_of_leg : unsent_most);
  if (const auto memory = std::exchange(bound_from_, 0)) free_memory(back_.get(), memory);
  if (!back_window_) return;
  back_window_->open();
  if (announcer_ == nullptr) return;
  told_upstream_ = up_.bytes();
  announce_at_ = now + announce_pause;
}

void Connection::begin_back_window(const Leg& leg) noexcept {
  announce_at_ = Instant::max();
  bound_from_ = leg.bound_from;
  if (!budget_ || !leg.held || leg_memory_most_ == 0) return;
  back_window_.emplace(*budget_, sharer(), back_.get(), SourceWindow::Kind::leg, held_memory,
                       leg_memory_most_);
  if (!awaits_client_) back_window_->open();
}

// Before anything is read or sent: what leaves then tells the other side.
void Connection::open_windows(Instant now) noexcept {
  if (awaits_client_) {
    if (client_is_here()) meet_client(now);
    return;
  }
  if (back_window_ && back_window_->is_resting() && (up_.has_source() || down_.has_source())) {
    back_window_->open();
  }
}

void Connection::watch_windows(Instant now) noexcept {
  if (phase_ != Phase::relaying || !budget_) return;
  if (now >= announce_at_) {
    announce_at_ = Instant::max();
    if (up_.bytes() == told_upstream_) announcer_->announce(back_.get());
  }
  if (awaits_client_) return;  // what is drained meanwhile proves nothing
  const auto watch = [&](OnDemand<SourceWindow>& window, int socket, bool leg,
                         std::uint64_t bytes) {
    if (!window) {
      if (bytes < SourceWindow::counted_from || (leg && leg_memory_most_ == 0)) return;
      using Kind = SourceWindow::Kind;
      window.emplace(*budget_, sharer(), socket, leg ? Kind::leg : Kind::system,
                     leg ? accepted_memory : SourceWindow::system_memory, leg_memory_most_);
    }
    window->on_taken(bytes, now);
    if (now >= window->deadline()) window->review(now);
  };
  if (is_claimed()) watch(front_window_, front_.get(), is_leg_, up_.bytes());
  if (pop_ && !back_window_) return;
  watch(back_window_, back_.get(), pop_.has_value(), down_.bytes());
}

Instant Connection::window_deadline() const noexcept {
  Instant earliest = announce_at_;
  for (const auto* window : {&front_window_, &back_window_}) {
    if (*window) earliest = std::min(earliest, (*window)->deadline());
  }
  return earliest;
}

}  // namespace tw::relay
