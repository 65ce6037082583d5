#include "steer/table/rendezvous.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"

namespace tw {

RendezvousOrder::RendezvousOrder(std::size_t cores, std::uint64_t seed)
    : cores_(cores), order_(cores * Bucket::count), places_(cores * Bucket::count) {
  TW_ASSERT(cores >= 1 && cores <= CoreSet::most);
  SeededRandom random{seed};
  for (std::size_t core = 0; core < cores; ++core) join(static_cast<std::uint8_t>(core), random);
  for (std::size_t bucket = 0; bucket < Bucket::count; ++bucket) {
    for (std::size_t place = 0; place < cores; ++place) {
      const std::uint8_t core = order_[bucket * cores + place];
      places_[core * std::size_t{Bucket::count} + bucket] = static_cast<std::uint8_t>(place);
    }
  }
}

// The buckets of each core before it are taken in a random order. The first of them go to the new
// core, so many that it has its share; in the others it gets each later place equally often.
void RendezvousOrder::join(std::uint8_t core, SeededRandom& random) {
  std::array<std::vector<std::uint16_t>, CoreSet::most> of;
  for (std::size_t bucket = 0; bucket < Bucket::count && core > 0; ++bucket) {
    of[order_[bucket * cores_]].push_back(static_cast<std::uint16_t>(bucket));
  }
  const std::size_t sharers = core + std::size_t{1};
  const auto insert = [this, core](std::size_t bucket, std::size_t place) {
    std::uint8_t* const first = &order_[bucket * cores_];
    std::copy_backward(first + place, first + core, first + core + 1);
    first[place] = core;
  };
  if (core == 0) {
    for (std::size_t bucket = 0; bucket < Bucket::count; ++bucket) insert(bucket, 0);
  }
  for (std::size_t other = 0; other < core; ++other) {
    std::vector<std::uint16_t>& buckets = of[other];
    for (std::size_t n = buckets.size(); n > 1; --n) {
      std::swap(buckets[n - 1], buckets[random.next() % n]);
    }
    const std::size_t keeps = Bucket::count / sharers + (other < Bucket::count % sharers ? 1 : 0);
    const std::size_t takes = buckets.size() - std::min(keeps, buckets.size());
    for (std::size_t n = 0; n < buckets.size(); ++n) {
      insert(buckets[n], n < takes ? 0 : 1 + n % core);
    }
  }
}

std::uint8_t RendezvousOrder::first_of(Bucket bucket, const CoreSet& active) const noexcept {
  const std::uint8_t* core = &order_[bucket.value * cores_];
  const std::uint8_t* const end = core + cores_;
  while (!active.contains(*core)) {
    ++core;
    TW_ASSERT(core != end);
  }
  return *core;
}

std::span<const std::uint8_t, Bucket::count> RendezvousOrder::places_of(
    std::uint8_t core) const noexcept {
  TW_ASSERT(core < cores_);
  return std::span<const std::uint8_t, Bucket::count>{
      places_.data() + core * std::size_t{Bucket::count}, Bucket::count};
}

}  // namespace tw
