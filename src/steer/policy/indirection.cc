#include "steer/policy/indirection.h"

namespace tw {

void IndirectionPolicy::add_load(std::uint32_t hash, Slot slot, Duration spent) noexcept {
  table_.add_load(slot, spent);
  if (--until_sample_ > 0) return;
  until_sample_ = sample;
  heavy_.add(hash, static_cast<std::uint64_t>(spent.count()));
}

double IndirectionPolicy::total_load() const noexcept {
  return table_.mean_load() * static_cast<double>(table_.active().size());
}

std::span<const SlotMove> IndirectionPolicy::rebalance(Instant now) {
  table_.fold_load();
  // The heaviest flow of a bucket that fits nowhere gets a slot of its own, one flow at a time.
  if (const std::optional<Bucket> bucket = table_.too_large()) {
    const std::optional<HeavyFlows::Flow> flow = heavy_.heaviest_in(*bucket);
    const std::uint64_t load = table_.load(Slot::of(*bucket));
    if (flow && heavy_.total() > 0) {
      const double share =
          static_cast<double>(flow->weight - flow->error) / static_cast<double>(heavy_.total());
      const auto estimate = static_cast<std::uint64_t>(total_load() * share);
      if (estimate * 2 > load) table_.split(flow->hash, estimate);
    }
  }
  heavy_.age();
  retires_next_ = !retires_next_;
  if (retires_next_ && table_.elephants().size() > 0) {
    // An elephant with less than the mean of all buckets is none.
    const double mean = total_load() / static_cast<double>(Bucket::count);
    const auto moves = table_.retire_elephants(static_cast<std::uint64_t>(mean), now);
    if (!moves.empty()) return moves;
  }
  return table_.rebalance(now);
}

}  // namespace tw
