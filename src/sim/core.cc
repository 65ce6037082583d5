#include "sim/core.h"

#include <algorithm>
#include <utility>

namespace tw::sim {
namespace {

constexpr std::size_t most_messages = 1024;

}  // namespace

Core::Core(Simulation& simulation, ContextId id, CoreCosts costs)
    : simulation_(simulation), id_(id), costs_(costs), mailbox_(most_messages) {}

void Core::attach(Poller& poller) {
  pollers_.attach(poller);
  wake();
}

void Core::detach(Poller& poller) noexcept { pollers_.detach(poller); }

bool Core::post(Message&& message) noexcept {
  if (!mailbox_.push(std::move(message))) return false;
  wake();
  return true;
}

void Core::set_parks(bool parks) noexcept {
  parks_ = parks;
  if (parks && state_ == State::spinning) run_at(simulation_.now());  // to rest again
}

Duration Core::parked() const noexcept {
  return state_ == State::parked ? parked_ + (simulation_.now() - parked_since_) : parked_;
}

// A turn that is planned for later is void from then on.
void Core::run_at(Instant when) noexcept {
  simulation_.at(when, [this, number = ++turn_number_] {
    if (number == turn_number_) turn();
  });
}

void Core::wake() noexcept { wake_at(simulation_.now()); }

void Core::wake_by(Core& waker) noexcept {
  if (is_parked()) waker.charge(costs_.wake_other);
  wake_at(std::max(simulation_.now(), waker.now()));
}

void Core::wake_at(Instant when) noexcept {
  if (state_ == State::running) return;  // its next turn sees what has come
  const bool was_parked = state_ == State::parked;
  if (was_parked) parked_ += simulation_.now() - parked_since_;
  state_ = State::running;
  run_at(when + (was_parked ? costs_.wake_up : costs_.notice));
}

void Core::turn() noexcept {
  state_ = State::running;
  turn_began_ = simulation_.now();
  charged_ = {};
  std::size_t messages = 0;
  for (Message message; mailbox_.pop(message); ++messages) message();
  const Work work = pollers_.poll_all(turn_began_, 1);
  counters_.add(messages, work);
  const bool worked = messages + work.packets > 0;
  busy_ += charged_;
  if (worked || charged_ > Duration::zero()) {
    return run_at(turn_began_ + std::max(charged_, costs_.empty_turn));
  }
  rest();
}

void Core::rest() noexcept {
  if (!pollers_.arm_all()) return run_at(simulation_.now() + costs_.empty_turn);
  state_ = parks_ ? State::parked : State::spinning;
  parked_since_ = simulation_.now();
  const Instant deadline = pollers_.next_deadline();
  if (deadline == Instant::max()) return;
  // The timer's turn is void if something comes before.
  simulation_.at(deadline, [this, number = ++turn_number_] {
    if (number != turn_number_) return;
    if (state_ == State::parked) parked_ += simulation_.now() - parked_since_;
    turn();
  });
}

}  // namespace tw::sim
