#include "steer/policy/indirection.h"

namespace tw {

void IndirectionPolicy::add_load(std::uint32_t hash, Slot slot, Duration spent) noexcept {
  table_.add_load(slot, spent);
  if (--until_sample_ > 0) return;
  until_sample_ = sample;
  heavy_.add(hash, static_cast<std::uint64_t>(spent.count()));
}

std::span<const SlotMove> IndirectionPolicy::rebalance(Instant now) {
  table_.fold_load();
  // Of a bucket that fits nowhere its heaviest flow gets a slot of its own, one at a time.
  if (const std::optional<Bucket> bucket = table_.too_large()) {
    const std::optional<HeavyFlows::Flow> flow = heavy_.heaviest_in(*bucket);
    const std::uint64_t load = table_.load(Slot::of(*bucket));
    if (flow && heavy_.total() > 0) {
      double sum = 0;
      for (std::size_t n = 0; n < table_.active().size(); ++n) {
        sum += static_cast<double>(table_.core_load(table_.active().nth(n)));
      }
      const double share =
          static_cast<double>(flow->weight - flow->error) / static_cast<double>(heavy_.total());
      const auto estimate = static_cast<std::uint64_t>(sum * share);
      if (estimate * 2 > load) table_.split(flow->hash, estimate);
    }
  }
  heavy_.age();
  retires_next_ = !retires_next_;
  if (retires_next_ && table_.elephants().size() > 0) {
    // What a bucket has on average: an elephant below that is none.
    const double mean = table_.mean_load() * static_cast<double>(table_.active().size()) /
                        static_cast<double>(Bucket::count);
    const auto moves = table_.retire_elephants(static_cast<std::uint64_t>(mean), now);
    if (!moves.empty()) return moves;
  }
  return table_.rebalance(now);
}

}  // namespace tw
