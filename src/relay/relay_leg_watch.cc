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
    if (const auto pop = index_of(connection.pop())) visit(*pop, Side::back);
  }
  if (connection.has_leg(Side::front)) {
    if (const auto pop = admission_.pop_at(connection.peer().address)) visit(*pop, Side::front);
  }
}

void Relay::State::watch_legs(Instant now) {
  sweep_legs(now);
  const bool due = now >= ask_again_;
  const auto is_hurried = [](const auto& legs) { return legs->watch().is_hurried(); };
  if (!due && std::ranges::none_of(by_pop_, is_hurried)) return;
  // A leg that is silent since before its PoP was started anew has been silent longest.
  silent_.assign(by_pop_.size(), {});
  table.for_each([&](ConnectionId id, const Connection& connection) {
    if (connection.is_waiting_leg()) return;
    visit_legs(connection, [&](std::size_t pop, Side side) {
      if (connection.heard(side) < silent_[pop].since) {
        silent_[pop] = {.leg = {id, side}, .since = connection.heard(side)};
      }
    });
  });
  for (std::size_t pop = 0; pop < by_pop_.size(); ++pop) {
    const bool hurried = by_pop_[pop]->watch().take_hurry();
    if (!due && !hurried) continue;
    const SilentLeg& longest = silent_[pop];
    const bool is_one = longest.since != Instant::max();
    const bool asks = is_one && (hurried || longest.since + LegWatch::interval <= now);
    ask_leg(pop, asks ? std::optional{longest.leg} : std::nullopt, due, now);
  }
  if (!due) return;
  const bool any = std::ranges::any_of(
      silent_, [](const SilentLeg& leg) { return leg.since != Instant::max(); });
  ask_again_ = any ? now + LegWatch::interval : Instant::max();
}

// First what has become of the question before. None `next`: all have been heard lately.
void Relay::State::ask_leg(std::size_t pop, std::optional<LegName> next, bool due, Instant now) {
  LegWatch& watch = by_pop_[pop]->watch();
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
  if (watch.is_dead(settings.limits.connect_timeout)) return bury(pop, now);
  if (watch.wants_sweep()) {
    watch.begin_sweep();
    swept_pops_wanted_.push_back(pop);
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
    visit_legs(connection, [&](std::size_t pop, Side side) {
      if (std::ranges::find(swept_pops_, pop) != swept_pops_.end()) connection.ask(side);
    });
  });
  if (swept_to_ == 0) swept_pops_.clear();
}

// Its legs have been asked one by one; who has said anything since then lives.
void Relay::State::bury(std::size_t pop, Instant now) {
  by_pop_[pop]->watch().heard();
  by_pop_[pop]->watch().forget();
  std::vector<ConnectionId> dead;
  table.for_each([&](ConnectionId id, const Connection& connection) {
    visit_legs(connection, [&](std::size_t of, Side side) {
      if (of == pop && connection.is_unheard(side)) dead.push_back(id);
    });
  });
  if (dead.empty()) return;
  log::warning("relay: PoP {} no longer answers: {} connections that went by it are reset",
               pops[pop].name, dead.size());
  for (const ConnectionId id : dead) {
    Connection* const connection = table.find(id);
    if (connection == nullptr) continue;  // both its sides were legs
    connection->finish(Outcome::reset, ETIMEDOUT);
    end(id, *connection, now);
  }
}

void Relay::State::note_leg_end(ConnectionId id, const Connection& connection) noexcept {
  if (connection.outcome() != Outcome::reset || connection.os_errno() != ECONNRESET) return;
  for (const auto& legs : by_pop_) {
    if (legs->watch().is_asked(id)) legs->watch().was_reset();
  }
}

Instant Relay::State::next_question() const noexcept {
  return swept_pops_wanted_.empty() ? ask_again_ : std::min(ask_again_, sweep_again_);
}

}  // namespace tw::relay
