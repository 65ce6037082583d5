// A WireGuard receiver index is ours to choose, so it carries the bucket of the worker that owns
// the session: index = E_k(bucket ‖ 20 random bits). The permutation is keyed anew at each start,
// so that an observer cannot link the sessions of one client; affinity needs no table and no first
// packet.
#pragma once

#include <array>
#include <cstdint>

namespace tw {

/// Speck32/64 (Beaulieu et al., "The SIMON and SPECK Families", 2013): 22 rounds of add, rotate,
/// xor on 16-bit words, cheap enough for an eBPF program to run on every packet. It hides structure
/// from observers; nothing is authenticated by it.
class Speck32 {
 public:
  static constexpr std::size_t rounds = 22;
  explicit Speck32(std::uint64_t key) noexcept;
  std::uint32_t encrypt(std::uint32_t block) const noexcept;
  std::uint32_t decrypt(std::uint32_t block) const noexcept;
  const std::array<std::uint16_t, rounds>& round_keys() const noexcept { return round_keys_; }

 private:
  std::array<std::uint16_t, rounds> round_keys_{};
};

/// A slot of the indirection table.
struct Bucket {
  static constexpr std::uint32_t bits = 12;
  static constexpr std::uint32_t count = 1U << bits;  ///< 4,096
  std::uint16_t value = 0;
  friend constexpr auto operator<=>(Bucket, Bucket) noexcept = default;
};

class ReceiverIndex {
 public:
  static constexpr std::uint32_t random_bits = 32 - Bucket::bits;

  explicit ReceiverIndex(std::uint64_t key) noexcept : cipher_(key) {}
  /// Returns the round keys for the kernel-side program.
  const std::array<std::uint16_t, Speck32::rounds>& round_keys() const noexcept {
    return cipher_.round_keys();
  }
  /// `salt`: its lowest 20 bits are used.
  std::uint32_t encode(Bucket bucket, std::uint32_t salt) const noexcept {
    const std::uint32_t low = salt & ((1U << random_bits) - 1);
    return cipher_.encrypt((std::uint32_t{bucket.value} << random_bits) | low);
  }
  /// Any 32 bits have a bucket: this says where an index would live, not that it exists.
  Bucket bucket_of(std::uint32_t index) const noexcept {
    return Bucket{static_cast<std::uint16_t>(cipher_.decrypt(index) >> random_bits)};
  }

 private:
  Speck32 cipher_;
};

}  // namespace tw
