// Asks the legs in use whether their PoPs still have them, and ends those whose PoP has gone
// without a word. LegWatch is the rule for one PoP; this asks, for all of them.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "base/time.h"
#include "relay/legs/leg_watch.h"
#include "relay/pops/pop_table.h"
#include "relay/stream/connection_table.h"

namespace tw::relay {

class LegLiveness {
 public:
  /// Both must outlive this.
  LegLiveness(ConnectionTable& table, const PopTable& pops) noexcept : table_(table), pops_(pops) {}

  /// A leg of a PoP comes into use.
  void expect_leg(Instant now) noexcept;
  /// The connection has its outcome: if it was the one that was asked, that is an answer.
  void note_end(ConnectionId id, const Connection& connection) noexcept;

  /// Asks, when it is due or something has died. Calls `end` for each connection with a leg that
  /// has not proven its life, of a PoP that does not answer; it ends the connection. Such a
  /// connection may have gone by then. `connect_timeout` of the settings bounds the silence.
  using End = std::function<void(ConnectionId)>;
  void check(Instant now, Duration connect_timeout, const End& end);
  Instant next_deadline() const noexcept;
  /// True while all legs of a PoP are being asked, some in each turn.
  bool has_work() const noexcept { return !swept_.empty(); }

 private:
  template <typename Visitor>
  void visit_legs(const Connection& connection, Visitor&& visit) const;
  void sweep(Instant now);
  void ask(Pop& pop, std::optional<LegName> next, bool due);
  void end_silent(Pop& pop, const End& end);

  ConnectionTable& table_;
  const PopTable& pops_;
  Instant ask_again_ = Instant::max();     // the next question; max: no leg is in use
  Instant sweep_again_;                    // not before: the next time that all are asked
  std::vector<PopId> swept_, swept_next_;  // PoPs whose legs are asked, now and after that
  std::size_t swept_to_ = 0;               // places of the table
};

}  // namespace tw::relay
