// The time for which a transfer's pieces gather before they are passed on. Each piece costs a
// wake-up of every program on its way, whatever its size, and over a far path nobody notices a
// small part of the round trip: a transfer over 215 ms that comes in pieces of 8 KB took 27 ms of
// CPU a MB, and takes two thirds of that with pieces that gather for 3 ms (docs/results/wan.md).
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "relay/stream/liveness.h"

namespace tw::relay {

class Gathering {
 public:
  static constexpr Duration most = 4ms;
  /// The round trips are asked for when the connection has moved so many bytes.
  static constexpr std::uint64_t learning_from = 14'000;

  /// Asks both sockets for their paths' round trips, the first time that enough has been moved. Two
  /// system calls in a connection's life. A socket that has failed has none.
  void learn(std::uint64_t moved_bytes, int front, int back) noexcept {
    if (units_ == 0 && moved_bytes >= learning_from) ask(front, back);
  }

  /// The same with a round trip that is known.
  void set_round_trip(Duration round_trip) noexcept {
    units_ = static_cast<std::uint8_t>(std::clamp(round_trip / part, unit, most) / unit);
  }
  /// Returns a 64th of the farther path's round trip, but not less than `least`, nor more than
  /// `most`. A path that is not known yet is short.
  Duration time(Duration least) const noexcept { return std::max(least, units_ * unit); }
  /// Returns the silence after which a transfer has ended, as far as anybody who waits knows.
  Duration pause() const noexcept { return shortest_pause + units_ * unit * pause_parts; }

  /// Notes the sources whose pieces were small in the last turn.
  void note(bool front, bool back) noexcept {
    front_ = front;
    back_ = back;
  }
  bool is_wanted(Side side) const noexcept { return side == Side::front ? front_ : back_; }

  /// Nothing that comes from a deaf side is reported.
  bool is_deaf(Side side) const noexcept { return side == Side::front ? front_deaf_ : back_deaf_; }
  void set_deaf(Side side, bool deaf) noexcept {
    if (side == Side::front) {
      front_deaf_ = deaf;
    } else {
      back_deaf_ = deaf;
    }
  }
  /// Returns true if a side is deaf that need not be.
  bool is_over() const noexcept { return !waits_ && (front_deaf_ || back_deaf_); }

  /// Returns false if it waits already.
  bool begin_wait() noexcept {
    const bool waited = waits_;
    waits_ = true;
    return !waited;
  }
  void end_wait() noexcept { waits_ = false; }

 private:
  static constexpr int part = 64, pause_parts = 16;
  static constexpr Duration shortest_pause = 2ms;
  static constexpr Duration unit = 16us;
  void ask(int front, int back) noexcept;

  // Two bytes, because each idle connection has them.
  std::uint8_t units_ = 0;  // of that 64th; 0: not known yet
  bool front_ : 1 = false, back_ : 1 = false;
  bool front_deaf_ : 1 = false, back_deaf_ : 1 = false;
  bool waits_ : 1 = false;
};

}  // namespace tw::relay
