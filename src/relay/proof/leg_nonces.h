// Remembers which legs of one PoP have been seen lately, so that each is served once. Memory is
// fixed: when it is full the oldest is forgotten, and from then on nothing as old as that is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tw::relay {

class LegNonces {
 public:
  /// 27 s of 300 new legs a second; 224 KB, taken at the first one.
  static constexpr std::size_t capacity = 8192;

  /// `secret`: so that no PoP can choose nonces that lie together in the table.
  explicit LegNonces(std::uint64_t secret) noexcept : secret_(secret) {}

  enum class Verdict : std::uint8_t { fresh, seen, too_old };
  /// Takes it in if it is fresh. Only what has been proven may come here.
  ///
  ///   time_ns   when it was made, by our clock; too_old up to the latest that was forgotten
  ///   nonce     random: that of one leg and no other
  ///   cost      two look-ups in a table that is half full at most
  Verdict accept(std::uint64_t time_ns, std::uint64_t nonce);

 private:
  static constexpr std::size_t slots = 2 * capacity;  // a power of two
  struct Entry {
    std::uint64_t time_ns = 0, nonce = 0;
  };
  std::size_t home_of(std::uint64_t nonce) const noexcept;
  std::size_t place_of(std::uint64_t nonce) const noexcept;
  void forget_oldest() noexcept;

  const std::uint64_t secret_;
  std::vector<Entry> ring_;              // in order of arrival
  std::size_t next_ = 0, size_ = 0;      // of ring_
  std::vector<std::uint16_t> position_;  // by slot: 1 + where in ring_; 0: empty
  std::uint64_t forgotten_ns_ = 0;
  bool has_forgotten_ = false;
};

}  // namespace tw::relay
