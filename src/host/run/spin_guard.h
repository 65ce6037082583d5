// Decides when an application with a real-time priority has to lose it for a while.
//
// One that is above the NAPI thread on its CPU and never waits keeps packets from being received,
// its own too. So its CPU time is looked at: a window that was used up nearly whole means that
// nobody below had a turn. It gets its priority back when it has been calm for long enough.
#pragma once

#include <cstdint>
#include <deque>

namespace tw::host {

class SpinGuard {
 public:
  static constexpr std::int64_t window_ms = 100;
  static constexpr std::int64_t calm_ms = 1000;
  static constexpr int spinning_percent = 90, calm_percent = 50;

  enum class Verdict : std::uint8_t { none, demote, promote };

  /// `used_ms`: CPU time of the application since its start, of all its processes. `cpus`: that it
  /// may use. To be called at least every 20 ms; times never go backwards.
  Verdict look(std::int64_t now_ms, std::int64_t used_ms, std::int64_t cpus);
  bool is_demoted() const noexcept { return demoted_; }

 private:
  struct Look {
    std::int64_t now_ms, used_ms;
  };
  std::deque<Look> looks_;  // of the last window, and one before it
  bool demoted_ = false;
  std::int64_t calm_since_ms_ = 0;
};

}  // namespace tw::host
