// Counts the backs that a connection has been given, and decides whether it may have another one.
//
// A connection is committed to a leg when the leg's PoP has acknowledged something: from then on
// the leg's end is the client's. Before, the client has seen nothing that another leg would not
// show as well, and can be given one without noticing. A connection that goes to its target
// directly is committed from the start: a refusal is the target's answer.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace tw::relay {

class BackAttempts {
 public:
  /// Legs that one connection may try.
  static constexpr std::uint8_t most_legs = 5;

  enum class Kind : std::uint8_t {
    none,       ///< no back has been begun
    direct,     ///< to the target
    fresh_leg,  ///< to a PoP, connected for this connection
    warm_leg,   ///< to a PoP, and connected before
  };
  Kind kind() const noexcept { return kind_; }
  bool by_leg() const noexcept { return kind_ == Kind::fresh_leg || kind_ == Kind::warm_leg; }
  bool is_warm() const noexcept { return kind_ == Kind::warm_leg; }

  void begin_directly() noexcept {
    kind_ = Kind::direct;
    connected_ = false;
    committed_ = true;
    heard_by_ = Instant::max();
  }
  /// Its PoP has until `heard_by` to acknowledge something.
  void begin_leg(bool warm, Instant heard_by) noexcept {
    kind_ = warm ? Kind::warm_leg : Kind::fresh_leg;
    connected_ = false;
    committed_ = false;
    heard_by_ = heard_by;
    ++legs_;
  }

  /// The present back has been connected.
  void connect() noexcept { connected_ = true; }
  bool is_connected() const noexcept { return connected_; }

  /// No other leg is asked for from now on.
  void commit() noexcept {
    committed_ = true;
    heard_by_ = Instant::max();
  }
  bool is_committed() const noexcept { return committed_; }

  /// When silence of the leg's PoP is to be looked at. Instant::max() if never.
  Instant heard_by() const noexcept { return heard_by_; }
  /// It has been looked at, or the leg has been lost.
  void stop_waiting() noexcept { heard_by_ = Instant::max(); }

  /// `restartable`: a new sink would miss nothing (Direction::can_restart()).
  bool may_go_on(bool restartable) const noexcept {
    return !committed_ && restartable && legs_ < most_legs;
  }

 private:
  Instant heard_by_ = Instant::max();
  Kind kind_ = Kind::none;
  bool connected_ = false;
  bool committed_ = true;
  std::uint8_t legs_ = 0;
};

}  // namespace tw::relay
