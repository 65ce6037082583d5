// Finds the flows that carry most, in fixed memory: Space-Saving (Metwally, Agrawal, El Abbadi
// 2005). A flow that is not among those watched takes the place of the lightest, with its count, so
// that a flow heavier than 1/size of the whole is always among them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "steer/table/elephants.h"

namespace tw {

class HeavyFlows {
 public:
  static constexpr std::size_t size = 256;

  struct Flow {
    std::uint32_t hash = 0;
    std::uint64_t weight = 0;  ///< at most `error` more than it really has
    std::uint64_t error = 0;
  };

  /// Costs a pass over all flows: show it a sample of what passes.
  void add(std::uint32_t hash, std::uint64_t weight) noexcept {
    total_ += weight;
    Flow* lightest = flows_.data();
    for (Flow& flow : flows_) {
      if (flow.weight > 0 && flow.hash == hash) {
        flow.weight += weight;
        return;
      }
      if (flow.weight < lightest->weight) lightest = &flow;
    }
    *lightest = {hash, lightest->weight + weight, lightest->weight};
  }

  /// Returns the flow of that bucket that certainly has most; none if nothing certain is known.
  std::optional<Flow> heaviest_in(Bucket bucket) const noexcept {
    std::optional<Flow> best;
    for (const Flow& flow : flows_) {
      if (flow.weight <= 2 * flow.error || bucket_of_hash(flow.hash) != bucket) continue;
      if (!best || flow.weight - flow.error > best->weight - best->error) best = flow;
    }
    return best;
  }

  std::uint64_t total() const noexcept { return total_; }
  /// Forgets half of everything, so that flows that have ended lose their places.
  void age() noexcept {
    total_ /= 2;
    for (Flow& flow : flows_) {
      flow.weight /= 2;
      flow.error /= 2;
    }
  }

 private:
  std::array<Flow, size> flows_{};
  std::uint64_t total_ = 0;
};

}  // namespace tw
