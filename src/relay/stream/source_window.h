// Decides how much one source of a connection may hold in the kernel for a reader that is slower,
// or has paused. It grows with what is drained, within a budget that all connections share
// (receive_budget.h), and what is not used for a while goes back to it.
//
//   leg     held ──▶ open ──▶ held            (we say how large its buffer is)
//   system  small ──▶ counted ──▶ bounded     (the kernel's tuning does, until the budget ends)
//
// A leg is open from the moment that its client is there: the answer's first flight finds room.
// A window that has been offered cannot be taken back from a sender that has used it; so the sum of
// the windows offered is bounded, and not the sum of the bytes that have come.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "relay/stream/receive_budget.h"
#include "wire/address.h"

namespace tw::relay {

class SourceWindow {
 public:
  enum class Kind : std::uint8_t { leg, system };
  /// Before it has drained anything an open leg has so much: the window for 10 MB, which is what a
  /// path of 400 Mbps and 215 ms brings at once.
  static constexpr std::uint32_t first_memory = 24U << 20U;
  /// The kernel's tuning may reach so much: 200 Mbps over 200 ms, or 2 Gbps over 20 ms.
  static constexpr std::uint32_t system_memory_most = 8U << 20U;
  /// Any connection has so much of the kernel, and it is not counted.
  static constexpr std::uint32_t system_memory = 128U << 10U;
  /// A source of the kernel's is looked at each time it has brought so much: until then it is not
  /// counted.
  static constexpr std::uint64_t system_stretch = 1U << 20U;
  /// A source that brings less needs none of this: it is as fast with what any connection has.
  static constexpr std::uint64_t counted_from = 128U << 10U;
  /// The time between two checks whether promised memory is used.
  static constexpr Duration review_interval = 2s;

  /// `budget` must outlive this. `socket` stays the caller's and is not touched any more when this
  /// goes; `held` is the memory that it has now, which is nobody's promise. A leg never has more
  /// than `most`.
  SourceWindow(ReceiveBudget& budget, const Principal& client, int socket, Kind kind,
               std::uint32_t held, std::uint32_t most) noexcept;
  SourceWindow(const SourceWindow&) = delete;
  SourceWindow& operator=(const SourceWindow&) = delete;
  ~SourceWindow() { budget_->give_back(client_, promised_); }

  /// A leg's reader is there, or is there again. Nine system calls.
  void open() noexcept;
  /// A leg that is not open, and may be opened by what comes: it is not one that has stalled.
  bool is_resting() const noexcept { return kind_ == Kind::leg && !open_ && !stalled_; }
  /// After each turn. `total_bytes`: taken from the socket since it was opened. Cheap.
  void on_taken(std::uint64_t total_bytes, Instant now) noexcept;
  /// When review() is due; Instant::max() if never.
  Instant deadline() const noexcept { return review_at_; }
  /// Gives back what has not been used since the last one.
  void review(Instant now) noexcept;

  std::uint64_t memory() const noexcept { return memory_; }

 private:
  void grow() noexcept;
  void look() noexcept;
  void give_back_beyond(std::uint64_t memory) noexcept;
  void review_leg(std::uint64_t drained) noexcept;
  void review_system(std::uint64_t drained) noexcept;

  ReceiveBudget* budget_;
  Principal client_;
  int socket_;
  Kind kind_;
  bool open_ = false, stalled_ = false;
  bool bounded_ = false;  // a system's: the kernel does not tune it any more
  std::uint32_t held_, most_;
  std::uint64_t memory_;        // the bytes that the socket may hold
  std::uint64_t promised_ = 0;  // of that, from the budget
  std::uint64_t total_ = 0, reviewed_ = 0;
  std::uint64_t grow_at_ = 0;
  Instant review_at_ = Instant::max();
};

}  // namespace tw::relay
