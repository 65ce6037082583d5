#include "steer/policy/flow_table.h"

#include <bit>

#include "base/assert.h"

namespace tw {

FlowTablePolicy::FlowTablePolicy(std::size_t cores, const CoreSet& active,
                                 FlowTableSettings settings)
    : settings_(settings),
      cores_(cores),
      active_(active),
      mask_(std::bit_ceil(settings.entries * 2) - 1),
      hashes_(mask_ + 1),
      core_of_(mask_ + 1, empty) {
  TW_ASSERT(cores >= 1 && cores <= CoreSet::most && settings.entries > 0);
}

// Linear probing; the hash is one already, its low bits spread as well as any.
std::size_t FlowTablePolicy::find(std::uint32_t hash) const noexcept {
  std::size_t place = hash & mask_;
  while (core_of_[place] != empty && hashes_[place] != hash) place = (place + 1) & mask_;
  return place;
}

std::uint8_t FlowTablePolicy::next_core() noexcept {
  const auto core = static_cast<std::uint8_t>(counter_);
  ++counter_;
  if (counter_ == cores_) counter_ = settings_.as_published && cores_ > 1 ? 1 : 0;
  return core;
}

Steered FlowTablePolicy::steer(std::uint32_t hash) noexcept {
  Steered steered{.steps = {.table_lookups = 1}};
  const std::size_t place = find(hash);
  if (core_of_[place] != empty) {
    steered.core = core_of_[place];
    return steered;
  }
  if (settings_.misses == FlowTableSettings::Misses::mixed && size_ < settings_.entries) {
    const bool spray = spray_next_;
    spray_next_ = !spray_next_;
    if (spray) {
      steered.core = active_.nth(hash % active_.size());
      steered.steps.array_reads = 1;
      return steered;
    }
  }
  // A failed insertion still uses the next core.
  steered.core = next_core();
  steered.steps.insertions = 1;
  if (size_ == settings_.entries) return steered;
  hashes_[place] = hash;
  core_of_[place] = steered.core;
  ++size_;
  return steered;
}

std::span<const SlotMove> FlowTablePolicy::set_active(const CoreSet& active, Instant) {
  active_ = active;  // entries never move
  return {};
}

std::size_t FlowTablePolicy::prefill(std::span<const std::uint32_t> hashes) {
  const std::size_t before = size_;
  for (const std::uint32_t hash : hashes) {
    const std::size_t place = find(hash);
    if (core_of_[place] != empty || size_ == settings_.entries) continue;
    hashes_[place] = hash;
    core_of_[place] = next_core();
    ++size_;
  }
  return size_ - before;
}

}  // namespace tw
