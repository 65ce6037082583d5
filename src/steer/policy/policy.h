// A policy spreads packets over cores: one interface for our own way and for the papers', so
// that they are compared on equal footing. A policy sees flows as 32-bit hashes and knows nothing
// of packets, threads or time but what it is given.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/time.h"
#include "steer/core_set.h"
#include "steer/table/indirection_table.h"

namespace tw {

/// The steps of one decision, for those who charge its time: array reads, look-ups, insertions.
struct SteerSteps {
  std::uint8_t array_reads = 0, table_lookups = 0, insertions = 0;
};

struct Steered {
  std::uint8_t core = 0;
  /// The unit whose state moves by hand-over; policies that keep no order have none.
  Slot slot{};
  SteerSteps steps{};
};

class SteeringPolicy {
 public:
  virtual ~SteeringPolicy() = default;
  virtual std::string_view name() const noexcept = 0;

  /// The core for a packet of that flow. It may be one that is not active: then the packet
  /// activates it (see activates_cores()).
  virtual Steered steer(std::uint32_t hash) noexcept = 0;
  /// True if packets go to cores that are not active, which wakes them.
  virtual bool activates_cores() const noexcept { return false; }
  /// True if what moves is handed over, so that no packet overtakes another.
  virtual bool keeps_order() const noexcept { return false; }

  /// These cores take packets from now on; at least one. Returns what has to be handed over, valid
  /// until the next call; empty for policies that keep no order.
  virtual std::span<const SlotMove> set_active(const CoreSet& active, Instant now) = 0;
  /// The hand-over of a slot is complete. Returns its next move, if it has to go on.
  virtual std::optional<SlotMove> settle(Slot, Instant) noexcept { return std::nullopt; }
  /// A packet of that flow has taken so much of its core's time.
  virtual void add_load(std::uint32_t, Slot, Duration) noexcept {}
  /// From time to time: load is spread anew. As set_active().
  virtual std::span<const SlotMove> rebalance(Instant) { return {}; }
  /// Before any load: all flows are known. Policies without a table of flows have nothing to do.
  /// Returns how many entries it made.
  virtual std::size_t prefill(std::span<const std::uint32_t>) { return 0; }
};

}  // namespace tw
