// Randomness that is not key material (jitter, losses, the random bits of a receiver index) comes
// from an injected source, so that a run can be replayed from its seed. Key material never does:
// that is crypto/'s.
#pragma once

#include <cstdint>

namespace tw {

class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual std::uint64_t next() noexcept = 0;
};

/// SplitMix64 (Steele, Lea, Flood 2014): tiny, seedable, good enough for everything but keys.
class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept override {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

 private:
  std::uint64_t state_;
};

/// The kernel's getrandom(2).
class SystemRandom final : public RandomSource {
 public:
  std::uint64_t next() noexcept override;
};

}  // namespace tw
