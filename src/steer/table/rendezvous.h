// For each bucket an order of all cores, computed once: a bucket belongs to the first of its order
// that is active (rendezvous hashing, Thaler and Ravishankar 1998). Granting a core moves only the
// buckets that it takes, reclaiming one only those that it had, and a core that comes back gets the
// same buckets as before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "steer/core_set.h"
#include "steer/receiver_index.h"

namespace tw {

/// Orders drawn at random share buckets unevenly (4,096 buckets on 10 cores: 8 % between the
/// fullest and the mean). Here cores join one by one, and each takes equally many buckets from
/// everyone before it: the sets {0}, {0, 1}, … share evenly to a bucket, other sets nearly.
class RendezvousOrder {
 public:
  /// Between 1 and CoreSet::most cores. Takes 8,192 bytes a core.
  RendezvousOrder(std::size_t cores, std::uint64_t seed);

  std::size_t cores() const noexcept { return cores_; }
  /// The bucket's core; `active` has one of them at least.
  std::uint8_t first_of(Bucket bucket, const CoreSet& active) const noexcept;
  /// The core's place in the order of each bucket, by bucket: lower comes first.
  std::span<const std::uint8_t, Bucket::count> places_of(std::uint8_t core) const noexcept;
  std::uint8_t place(Bucket bucket, std::uint8_t core) const noexcept {
    return places_of(core)[bucket.value];
  }

 private:
  void join(std::uint8_t core, SeededRandom& random);

  std::size_t cores_;
  std::vector<std::uint8_t> order_;   // by bucket, then by place: the core
  std::vector<std::uint8_t> places_;  // by core, then by bucket: the place
};

}  // namespace tw
