// The part of Relay::State that asks the legs in use whether their PoPs still have them. The rule
// is LegWatch's.
#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/log.h"
#include "relay/relay_state.h"

namespace tw::relay {
namespace {

// Places of the table that one poll looks at, and asks: 64 questions take half a millisecond.
constexpr std::size_t swept_per_poll = 64;
constexpr Duration sweep_pause = 500ms;  // nobody answers more often

}  // namespace

// Visits those of a connection's two sides that are legs of a PoP that is still configured.
template <typename Visitor>
void Relay::State::visit_legs(const Connection& connection, Visitor&& visit) const {
  if (connection.has_leg(Side::back)) {
    if (Pop* const pop = pops_.find(connection.pop())) visit(*pop, Side::back);
  }
  if (connection.has_leg(Side::front)) {
    if (Pop* const pop = pops_.at(connection.peer().address)) visit(*pop, Side::front);
  }
}

void Relay::State::watch_legs(Instant now) {
  sweep_legs(now);
  const bool due = now >= ask_again_;
  const auto is_hurried = [](Pop* pop) { return pop->legs().watch().is_hurried(); };
  if (!due && std::ranges::none_of(pops_, is_hurried)) return;
  // A leg that is silent since before its PoP was started anew has been silent longest.
  table.for_each([&](ConnectionId id, const Connection& connection) {
    if (connection.is_waiting_leg()) return;
    visit_legs(connection, [&](Pop& pop, Side side) {
      pop.legs().watch().propose({id, side}, connection.heard(side));
    });
  });
  bool any = false;
  for (Pop* const pop : pops_) {
    LegWatch& watch = pop->legs().watch();
    const bool hurried = watch.take_hurry();
    const auto longest = watch.take_longest_silent();
    any = any || longest;
    if (!due && !hurried) continue;
    const bool asks = longest && (hurried || longest->heard + LegWatch::interval <= now);
    ask_leg(*pop, asks ? std::optional{longest->leg} : std::nullopt, due, now);
  }
  if (due) ask_again_ = any ? now + LegWatch::interval : Instant::max();
}

// First what has become of the question before. None `next`: all have been heard lately.
void Relay::State::ask_leg(Pop& pop, std::optional<LegName> next, bool due, Instant now) {
  LegWatch& watch = pop.legs().watch();
  if (watch.asked()) {
    const Connection* const asked = table.find(watch.asked()->id);
    if (asked == nullptr) {
      watch.forget();
    } else if (!asked->is_unheard(watch.asked()->side)) {
      watch.heard();
    } else if (due) {
      watch.silent();
    }
  }
  if (!next) {
    watch.forget();
    if (due) watch.heard();
    return;
  }
  table.find(next->id)->ask(next->side);
  watch.ask(*next);
  if (watch.is_dead(settings.limits.connect_timeout)) return end_silent_legs(pop, now);
  if (watch.wants_sweep()) {
    watch.begin_sweep();
    swept_pops_wanted_.push_back(pop.id());
  }
}

void Relay::State::sweep_legs(Instant now) {
  if (swept_pops_.empty()) {
    if (swept_pops_wanted_.empty() || now < sweep_again_) return;
    swept_pops_ = std::exchange(swept_pops_wanted_, {});
    swept_to_ = 0;
    sweep_again_ = now + sweep_pause;
  }
  swept_to_ = table.visit_some(swept_to_, swept_per_poll, [&](Connection& connection) {
    visit_legs(connection, [&](const Pop& pop, Side side) {
      if (std::ranges::find(swept_pops_, pop.id()) != swept_pops_.end()) connection.ask(side);
    });
  });
  if (swept_to_ == 0) swept_pops_.clear();
}

// Its legs have been asked one by one; who has said anything since then lives.
void Relay::State::end_silent_legs(Pop& pop, Instant now) {
  pop.legs().watch().heard();
  pop.legs().watch().forget();
  std::vector<ConnectionId> dead;
  table.for_each([&](ConnectionId id, const Connection& connection) {
    visit_legs(connection, [&](const Pop& of, Side side) {
      if (&of == &pop && connection.is_unheard(side)) dead.push_back(id);
    });
  });
  if (dead.empty()) return;
  log::warning("relay: PoP {} no longer answers: {} connections that went by it are reset",
               pop.name(), dead.size());
  for (const ConnectionId id : dead) {
    Connection* const connection = table.find(id);
    if (connection == nullptr) continue;  // both its sides were legs
    connection->finish(Outcome::reset, ETIMEDOUT);
    end(id, *connection, now);
  }
}

void Relay::State::note_leg_end(ConnectionId id, const Connection& connection) noexcept {
  if (connection.outcome() != Outcome::reset || connection.os_errno() != ECONNRESET) return;
  for (Pop* const pop : pops_) {
    LegWatch& watch = pop->legs().watch();
    if (watch.is_asked(id)) watch.was_reset();
  }
}

Instant Relay::State::next_question() const noexcept {
  return swept_pops_wanted_.empty() ? ask_again_ : std::min(ask_again_, sweep_again_);
}

}  // namespace tw::relay
