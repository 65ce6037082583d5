#include "relay/stream/connection_windows.h"

#include <algorithm>
#include <utility>

#include "relay/stream/receive_window.h"

namespace tw::relay {
namespace {

// A client that is there mostly says something at once, and its first segment tells the other side
// of the leg how much it may send. One that waits for the server to speak does not.
constexpr Duration announce_pause = 2ms;

}  // namespace

void ConnectionWindows::share(ReceiveBudget& budget, std::uint32_t leg_memory_most,
                              Resumer* announcer, const Ends& ends) noexcept {
  budget_ = &budget;
  leg_memory_most_ = leg_memory_most;
  announcer_ = announcer;
  if (!ends.from_pop) return await_client(ends);
  if (leg_memory_most_ > 0) shrink_window(ends.front, accepted_memory);
}

// The owner of another PoP's client is not known here: the client's address belongs to that PoP's
// peer, as do those of all its clients, and they are not one.
Principal ConnectionWindows::sharer(const Ends& ends) const noexcept {
  return ends.from_pop ? Principal{ends.client} : budget_->principal_of(ends.client);
}

void ConnectionWindows::await_client(const Ends& ends) noexcept {
  if (budget_ == nullptr) return;
  const bool accepted = ends.front >= 0;
  if (accepted && client_is_here(ends)) return;
  awaits_client_ = true;
  if (accepted) bound_unsent(ends.front, unsent_unclaimed);
}

bool ConnectionWindows::client_is_here(const Ends& ends) const noexcept {
  if (ends.from_pop) return peer_window(ends.front) > held_window_most;
  return !ends.fast_open || has_completed_handshake(ends.front);
}

void ConnectionWindows::meet_client(const Ends& ends, Instant now) noexcept {
  awaits_client_ = false;
  if (ends.from_pop || ends.fast_open) {
    bound_unsent(ends.front, ends.from_pop ? unsent_of_leg : unsent_most);
  }
  if (const auto memory = std::exchange(bound_from_, 0)) free_memory(ends.back, memory);
  if (!back_) return;
  back_->open();
  if (announcer_ == nullptr) return;
  upstream_when_opened_ = ends.bytes_upstream;
  announce_at_ = now + announce_pause;
}

void ConnectionWindows::begin_back(const Ends& ends, const Leg& leg) noexcept {
  back_.reset();
  announce_at_ = Instant::max();
  bound_from_ = leg.bound_from;
  if (budget_ == nullptr || !leg.held || leg_memory_most_ == 0) return;
  back_.emplace(*budget_, sharer(ends), ends.back, SourceWindow::Kind::leg, held_memory,
                leg_memory_most_);
  if (!awaits_client_) back_->open();
}

void ConnectionWindows::before_turn(const Ends& ends, bool source_ready, Instant now) noexcept {
  if (budget_ == nullptr) return;
  if (awaits_client_) {
    if (client_is_here(ends)) meet_client(ends, now);
    return;
  }
  if (back_ && back_->is_resting() && source_ready) back_->open();
}

void ConnectionWindows::after_turn(const Ends& ends, Instant now) noexcept {
  if (budget_ == nullptr) return;
  if (now >= announce_at_) {
    announce_at_ = Instant::max();
    if (ends.bytes_upstream == upstream_when_opened_) announcer_->announce(ends.back);
  }
  if (awaits_client_) return;  // bytes drained meanwhile prove nothing
  if (ends.front >= 0) watch(front_, ends, /*front=*/true, now);
  if (ends.to_pop && !back_) return;
  watch(back_, ends, /*front=*/false, now);
}

void ConnectionWindows::watch(OnDemand<SourceWindow>& window, const Ends& ends, bool front,
                              Instant now) noexcept {
  const bool leg = front ? ends.from_pop : ends.to_pop;
  const std::uint64_t bytes = front ? ends.bytes_upstream : ends.bytes_downstream;
  if (!window) {
    if (bytes < SourceWindow::counted_from || (leg && leg_memory_most_ == 0)) return;
    using Kind = SourceWindow::Kind;
    window.emplace(*budget_, sharer(ends), front ? ends.front : ends.back,
                   leg ? Kind::leg : Kind::system,
                   leg ? accepted_memory : SourceWindow::system_memory, leg_memory_most_);
  }
  window->on_taken(bytes, now);
  if (now >= window->deadline()) window->review(now);
}

Instant ConnectionWindows::deadline() const noexcept {
  Instant earliest = announce_at_;
  for (const auto* window : {&front_, &back_}) {
    if (*window) earliest = std::min(earliest, (*window)->deadline());
  }
  return earliest;
}

void ConnectionWindows::close() noexcept {
  front_.reset();
  back_.reset();
}

}  // namespace tw::relay
