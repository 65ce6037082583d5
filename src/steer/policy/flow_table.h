// Calisto's way (paper P3): a table from flow to core, asked for each packet. A flow that is not in
// it gets the next core of a counter over all allowed cores, active or not, and stays there for
// ever; its packets activate the core. A full table takes no more flows, and theirs are sprayed.
#pragma once

#include <cstdint>
#include <vector>

#include "steer/policy/policy.h"

namespace tw {

struct FlowTableSettings {
  std::size_t entries = 700'000;
  /// The published listing wraps its counter to core 1 instead of core 0.
  bool as_published = false;
  enum class Misses : std::uint8_t {
    insert,  ///< the paper's algorithm
    /// The paper's future work: every other miss goes by `hash % active` and is not inserted.
    mixed,
  };
  Misses misses = Misses::insert;
};

class FlowTablePolicy : public SteeringPolicy {
 public:
  /// `cores`: how many are allowed. Memory: 5 bytes a slot of a table twice as large as `entries`.
  FlowTablePolicy(std::size_t cores, const CoreSet& active, FlowTableSettings settings = {});

  std::string_view name() const noexcept override {
    return settings_.misses == FlowTableSettings::Misses::mixed ? "mixed" : "flow-table";
  }
  Steered steer(std::uint32_t hash) noexcept override;
  bool activates_cores() const noexcept override { return true; }
  std::span<const SlotMove> set_active(const CoreSet& active, Instant now) override;
  std::size_t prefill(std::span<const std::uint32_t> hashes) override;
  std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::uint8_t empty = 0xff;

  std::size_t find(std::uint32_t hash) const noexcept;
  std::uint8_t next_core() noexcept;

  const FlowTableSettings settings_;
  const std::size_t cores_;
  CoreSet active_;
  std::size_t mask_;
  std::vector<std::uint32_t> hashes_;
  std::vector<std::uint8_t> core_of_;  // `empty`: the place is free
  std::size_t size_ = 0;
  std::size_t counter_ = 0;
  bool spray_next_ = true;  // of `mixed`: the next miss goes by hash % active
};

/// The paper's future work as well: all flows are in the table before any load.
class PrefilledFlowTable final : public FlowTablePolicy {
 public:
  using FlowTablePolicy::FlowTablePolicy;
  std::string_view name() const noexcept override { return "prefill"; }
};

}  // namespace tw
