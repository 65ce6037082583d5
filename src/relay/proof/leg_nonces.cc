#include "relay/proof/leg_nonces.h"

#include <algorithm>

#include "base/mix.h"

namespace tw::relay {

LegNonces::Verdict LegNonces::accept(std::uint64_t time_ns, std::uint64_t nonce) {
  if (has_forgotten_ && time_ns <= forgotten_ns_) return Verdict::too_old;
  if (ring_.empty()) {
    ring_.resize(capacity);
    position_.resize(slots);
  }
  if (position_[place_of(nonce)] != 0) return Verdict::seen;
  if (size_ == capacity) forget_oldest();
  position_[place_of(nonce)] = static_cast<std::uint16_t>(next_ + 1);
  ring_[next_] = {time_ns, nonce};
  next_ = (next_ + 1) % capacity;
  ++size_;
  return Verdict::fresh;
}

std::size_t LegNonces::home_of(std::uint64_t nonce) const noexcept {
  return mix(nonce ^ secret_, 0x9e3779b97f4a7c15U) % slots;
}

// Where it is, or where it would go.
std::size_t LegNonces::place_of(std::uint64_t nonce) const noexcept {
  std::size_t place = home_of(nonce);
  while (position_[place] != 0 && ring_[position_[place] - 1U].nonce != nonce) {
    place = (place + 1) % slots;
  }
  return place;
}

// The oldest of a full ring is the next to be written over. Those behind it in the table move up,
// so that no search stops short of them.
void LegNonces::forget_oldest() noexcept {
  const Entry oldest = ring_[next_];
  forgotten_ns_ = std::max(forgotten_ns_, oldest.time_ns);
  has_forgotten_ = true;
  --size_;
  std::size_t hole = place_of(oldest.nonce);
  position_[hole] = 0;
  for (std::size_t place = (hole + 1) % slots; position_[place] != 0; place = (place + 1) % slots) {
    const std::size_t home = home_of(ring_[position_[place] - 1U].nonce);
    const std::size_t from_home = (place - home) % slots, from_hole = (place - hole) % slots;
    if (from_home < from_hole) continue;
    position_[hole] = position_[place];
    position_[place] = 0;
    hole = place;
  }
}

}  // namespace tw::relay
