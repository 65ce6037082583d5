// Remembers when bytes last came by either side of a connection, and asks the kernel of a leg's
// other side whether it still has it (leg_probe.h).
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "base/time.h"
#include "relay/legs/leg_probe.h"

namespace tw::relay {

enum class Side : std::uint8_t { front, back };

class Liveness {
 public:
  explicit Liveness(Instant now) noexcept : heard_{now, now} {}

  /// A new socket is on that side.
  void begin(Side side, Instant now) noexcept {
    heard_[std::to_underlying(side)] = now;
    segments_before_[std::to_underlying(side)] = not_asked;
  }
  /// Bytes have come by that side.
  void hear(Side side, Instant now) noexcept { heard_[std::to_underlying(side)] = now; }
  Instant heard(Side side) const noexcept { return heard_[std::to_underlying(side)]; }

  /// Asks the other side of the leg on `socket`.
  void ask(Side side, int socket) noexcept {
    segments_before_[std::to_underlying(side)] = segments_received(socket);
    ask_whether_alive(socket);
  }
  /// True if it was asked, and no segment has come since.
  bool is_unheard(Side side, int socket) const noexcept {
    const std::uint32_t before = segments_before_[std::to_underlying(side)];
    return before != not_asked && segments_received(socket) == before;
  }

 private:
  static constexpr std::uint32_t not_asked = 0;
  std::array<Instant, 2> heard_;                    // by Side
  std::array<std::uint32_t, 2> segments_before_{};  // received when it was asked
};

}  // namespace tw::relay
