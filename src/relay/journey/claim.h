// Follows the client of a connection: it is there from the start, or only its SYN is, and then it
// has a time to complete its handshake. The SYN itself may be held back meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/time.h"
#include "wire/message/syn_report.h"

namespace tw::relay {

/// A SYN that is held back until the server has answered: SynReport's number and ISN.
struct HeldSyn {
  std::uint32_t number = SynReport::not_held;
  std::uint32_t sequence = 0;
};

class Claim {
 public:
  /// The client has been accepted, or another PoP has.
  static Claim accepted() noexcept { return {}; }
  /// The client's SYN has been seen: it has until `by` to complete its handshake.
  static Claim awaited(Instant by) noexcept {
    Claim claim;
    claim.state_ = State::awaited;
    claim.by_ = by;
    return claim;
  }

  bool is_made() const noexcept { return state_ != State::awaited; }
  /// True if the client's SYN came first, whether it has been accepted since or not.
  bool began_early() const noexcept { return state_ != State::accepted; }
  /// Instant::max() if it is made.
  Instant by() const noexcept { return by_; }
  /// The client's handshake is complete.
  void make() noexcept {
    state_ = State::made;
    by_ = Instant::max();
  }

  /// The client's address has never completed a handshake: it may be made up.
  void set_unproven() noexcept { is_unproven_ = true; }
  bool is_unproven() const noexcept { return is_unproven_; }

  const std::optional<HeldSyn>& held() const noexcept { return held_; }
  /// The SYN is held; the connection fails if the server has not answered by then.
  void hold(HeldSyn syn, Instant answer_by) noexcept {
    held_ = syn;
    by_ = answer_by;
  }
  /// Another SYN of the same connection is held in its place.
  void replace(HeldSyn syn) noexcept { held_ = syn; }
  /// The SYN is held no longer; returns its number. The client has until `by` to complete its
  /// handshake.
  std::uint32_t let_go(Instant by) noexcept {
    by_ = by;
    return std::exchange(held_, std::nullopt).value_or(HeldSyn{}).number;
  }

 private:
  enum class State : std::uint8_t { accepted, awaited, made };
  std::optional<HeldSyn> held_;
  Instant by_ = Instant::max();
  State state_ = State::accepted;
  bool is_unproven_ = false;
};

}  // namespace tw::relay
