// Our way: 4,096 buckets prefilled with cores, moved by hand-over when a core comes or goes or has
// too much, and the few flows that no core's share has room for by themselves.
#pragma once

#include "steer/policy/policy.h"
#include "steer/table/heavy_flows.h"

namespace tw {

class IndirectionPolicy final : public SteeringPolicy {
 public:
  /// `cores`: how many are allowed; `seed` draws their orders.
  IndirectionPolicy(std::size_t cores, const CoreSet& active, std::uint64_t seed,
                    RebalanceSettings settings = {})
      : table_(RendezvousOrder{cores, seed}, active, settings) {}

  std::string_view name() const noexcept override { return "indirection"; }
  Steered steer(std::uint32_t hash) noexcept override {
    const Slot slot = table_.slot_of(hash);
    return {.core = table_.target(slot), .slot = slot, .steps = {.array_reads = 1}};
  }
  bool keeps_order() const noexcept override { return true; }
  std::span<const SlotMove> set_active(const CoreSet& active, Instant now) override {
    return table_.set_active(active, now);
  }
  std::optional<SlotMove> settle(Slot slot, Instant now) noexcept override {
    return table_.settle(slot, now);
  }
  void add_load(std::uint32_t hash, Slot slot, Duration spent) noexcept override;
  std::span<const SlotMove> rebalance(Instant now) override;

  const IndirectionTable& table() const noexcept { return table_; }

 private:
  // One packet of so many is shown to `heavy_`.
  static constexpr std::uint32_t sample = 16;

  double total_load() const noexcept;

  IndirectionTable table_;
  HeavyFlows heavy_;
  std::uint32_t until_sample_ = sample;
  bool retires_next_ = false;
};

}  // namespace tw
