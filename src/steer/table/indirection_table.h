// The indirection table as its one writer sees it: for each slot a target, which gets its packets,
// an owner, which has its state, and an estimate of its load. A slot is a bucket, or one of 64
// elephants: flows that have a slot of their own, because they are too large for any bucket's core.
// Cores that come and go, and load that is uneven, are answered with as few moves as possible; a
// caller carries each move out (hand-over) and says when it has settled.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "steer/core_set.h"
#include "steer/receiver_index.h"
#include "steer/table/elephants.h"
#include "steer/table/rendezvous.h"

namespace tw {

/// A slot that goes from a core to another.
struct SlotMove {
  Slot slot;
  std::uint8_t from = 0, to = 0;
  friend bool operator==(const SlotMove&, const SlotMove&) = default;
};

struct RebalanceSettings {
  /// A core gives buckets away only if its load is above this times the mean.
  double overload = 1.05;
  /// A bucket that has moved stays for so long.
  Duration rest = 50ms;
  /// At most so many moves at once, so that a turn of the control context stays short.
  std::size_t most_moves = 64;
};

class IndirectionTable {
 public:
  /// `active` is a subset of the cores of `order`, and not empty. Fixed memory: 170 KB.
  IndirectionTable(RendezvousOrder order, const CoreSet& active, RebalanceSettings settings = {});

  /// The slot of a flow's 32-bit hash. Its bucket is the hash's upper 12 bits.
  Slot slot_of(std::uint32_t hash) const noexcept { return elephants_.slot_of(hash); }
  /// Returns the core that gets the slot's packets.
  std::uint8_t target(Slot slot) const noexcept { return target_[slot.value]; }
  /// Returns the core that has the slot's state: not its target while a move is under way.
  std::uint8_t owner(Slot slot) const noexcept { return owner_[slot.value]; }
  bool is_moving(Slot slot) const noexcept { return target(slot) != owner(slot); }
  const CoreSet& active() const noexcept { return active_; }
  const Elephants& elephants() const noexcept { return elephants_; }

  /// Changes the targets of the slots that must move, and returns these moves; valid until the next
  /// call that moves. A slot that is on its way goes on when it has settled: see settle().
  /// `active` must not be empty. Costs a pass over all slots for each core that comes.
  std::span<const SlotMove> set_active(const CoreSet& active, Instant now);
  /// The state of a slot has arrived at its target. Returns the next move if cores have come or
  /// gone meanwhile, so that it has to go on.
  std::optional<SlotMove> settle(Slot slot, Instant now) noexcept;

  /// `spent` worker time went to that slot.
  void add_load(Slot slot, Duration spent) noexcept {
    recent_[slot.value] += static_cast<std::uint64_t>(spent.count());
  }
  /// Ends an interval of measuring: an eighth of an estimate becomes the interval's.
  void fold_load() noexcept;
  std::uint64_t load(Slot slot) const noexcept { return load_[slot.value]; }
  /// Sum over the slots whose target it is.
  std::uint64_t core_load(std::uint8_t core) const noexcept { return core_load_[core]; }
  double mean_load() const noexcept;

  /// Moves slots from cores that have too much to those with least: always the largest that fits.
  /// Valid until the next call that moves. Costs a pass over all slots for each move.
  std::span<const SlotMove> rebalance(Instant now);
  /// The heaviest bucket of the fullest core, if that core has too much and the bucket fits
  /// nowhere: it has an elephant in it.
  std::optional<Bucket> too_large() const noexcept;
  /// Gives a flow a slot of its own, at its bucket's core, with so much of the bucket's load. False
  /// if it has one, all are taken, or the bucket is on its way.
  bool split(std::uint32_t hash, std::uint64_t load) noexcept;
  /// Elephants that have become small return to their buckets: those that are elsewhere move to
  /// them, the others lose their slots. `least` is the load that keeps one. As rebalance().
  std::span<const SlotMove> retire_elephants(std::uint64_t least, Instant now);

 private:
  static constexpr std::uint8_t no_override = 0xff;

  std::uint8_t wanted(Slot slot) const noexcept;
  bool belongs(Slot slot, std::uint8_t core) const noexcept;
  void retarget(Slot slot, std::uint8_t to, Instant now);
  void sum_core_loads() noexcept;
  std::uint8_t least_loaded() const noexcept;
  std::uint8_t fullest() const noexcept;
  double room_at(std::uint8_t core) const noexcept;
  bool give(std::size_t number, std::uint8_t to, Instant now);
  bool give_one(std::uint8_t from, Instant now);
  bool give_large(std::uint8_t from, Instant now);
  bool may_go(std::size_t number, std::uint8_t from, Instant now) const noexcept;

  const RendezvousOrder order_;
  const RebalanceSettings settings_;
  CoreSet active_;
  Elephants elephants_;
  std::array<std::uint8_t, Slot::count> target_{}, owner_{};
  // Where rebalancing has put a slot: it belongs there whenever that core is active.
  std::array<std::uint8_t, Slot::count> override_{};
  std::array<std::uint64_t, Slot::count> load_{}, recent_{};
  std::array<Instant, Slot::count> moved_{};
  std::array<std::uint64_t, CoreSet::most> core_load_{};
  std::vector<SlotMove> moves_;
};

}  // namespace tw
