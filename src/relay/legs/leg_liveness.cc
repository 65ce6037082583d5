#include "relay/legs/leg_liveness.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"

namespace tw::relay {
namespace {

// Places of the table that one turn looks at, and asks: 64 questions take half a millisecond.
constexpr std::size_t swept_per_turn = 64;
constexpr Duration sweep_pause = 500ms;  // nobody answers more often

}  // namespace

void LegLiveness::expect_leg(Instant now) noexcept {
  ask_again_ = std::min(ask_again_, now + LegWatch::interval);
}

void LegLiveness::note_end(ConnectionId id, const Connection& connection) noexcept {
  if (connection.outcome() != Outcome::reset || connection.os_errno() != ECONNRESET) return;
  for (Pop* const pop : pops_) {
    LegWatch& watch = pop->legs().watch();
    if (watch.is_asked(id)) watch.was_reset();
  }
}

// Visits those of a connection's two sides that are legs of a PoP that is still configured.
template <typename Visitor>
void LegLiveness::visit_legs(const Connection& connection, Visitor&& visit) const {
  if (connection.has_leg(Side::back)) {
    if (Pop* const pop = pops_.find(connection.pop())) visit(*pop, Side::back);
  }
  if (connection.has_leg(Side::front)) {
    if (Pop* const pop = pops_.at(connection.peer().address)) visit(*pop, Side::front);
  }
}

void LegLiveness::check(Instant now, Duration connect_timeout, const End& end) {
  sweep(now);
  const bool due = now >= ask_again_;
  const auto is_hurried = [](Pop* pop) { return pop->legs().watch().is_hurried(); };
  if (!due && std::ranges::none_of(pops_, is_hurried)) return;
  // A leg that is silent since before its PoP was started anew has been silent longest.
  table_.for_each([&](ConnectionId id, const Connection& connection) {
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
    // The connection may have ended with another PoP's legs, just now.
    const bool asks = longest && (hurried || longest->heard + LegWatch::interval <= now) &&
                      table_.find(longest->leg.id) != nullptr;
    ask(*pop, asks ? std::optional{longest->leg} : std::nullopt, due);
    if (asks && watch.is_dead(connect_timeout)) {
      end_silent(*pop, end);
    } else if (asks && watch.wants_sweep()) {
      watch.begin_sweep();
      swept_next_.push_back(pop->id());
    }
  }
  if (due) ask_again_ = any ? now + LegWatch::interval : Instant::max();
}

// Notes first how the question before was answered. None `next`: all have been heard lately.
void LegLiveness::ask(Pop& pop, std::optional<LegName> next, bool due) {
  LegWatch& watch = pop.legs().watch();
  if (watch.asked()) {
    const Connection* const asked = table_.find(watch.asked()->id);
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
  table_.find(next->id)->ask(next->side);
  watch.ask(*next);
}

void LegLiveness::sweep(Instant now) {
  if (swept_.empty()) {
    if (swept_next_.empty() || now < sweep_again_) return;
    swept_ = std::exchange(swept_next_, {});
    swept_to_ = 0;
    sweep_again_ = now + sweep_pause;
  }
  swept_to_ = table_.visit_some(swept_to_, swept_per_turn, [&](Connection& connection) {
    visit_legs(connection, [&](const Pop& pop, Side side) {
      if (std::ranges::find(swept_, pop.id()) != swept_.end()) connection.ask(side);
    });
  });
  if (swept_to_ == 0) swept_.clear();
}

// The PoP's legs have been asked one by one: a leg that has been heard since then lives.
void LegLiveness::end_silent(Pop& pop, const End& end) {
  pop.legs().watch().heard();
  pop.legs().watch().forget();
  std::vector<ConnectionId> dead;
  table_.for_each([&](ConnectionId id, const Connection& connection) {
    visit_legs(connection, [&](const Pop& of, Side side) {
      if (&of == &pop && connection.is_unheard(side)) dead.push_back(id);
    });
  });
  if (dead.empty()) return;
  log::warning("relay: PoP {} no longer answers: {} connections that went by it are reset",
               pop.name(), dead.size());
  for (const ConnectionId id : dead) end(id);  // twice, if both its sides were legs
}

Instant LegLiveness::next_deadline() const noexcept {
  return swept_next_.empty() ? ask_again_ : std::min(ask_again_, sweep_again_);
}

}  // namespace tw::relay
