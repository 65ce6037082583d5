// A set of cores: those with a worker that takes packets, say. Cores are numbered from 0; at
// most 64.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"

namespace tw {

/// A set of cores that says in constant time how many there are and which is the n-th.
class CoreSet {
 public:
  static constexpr std::size_t most = 64;

  constexpr CoreSet() noexcept = default;
  /// Cores 0 to `count` - 1.
  static CoreSet first(std::size_t count) noexcept {
    TW_ASSERT(count <= most);
    CoreSet set;
    for (std::size_t core = 0; core < count; ++core) set.insert(static_cast<std::uint8_t>(core));
    return set;
  }

  bool contains(std::uint8_t core) const noexcept { return ((mask_ >> core) & 1U) != 0; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// Ascending; `n` is less than size().
  std::uint8_t nth(std::size_t n) const noexcept {
    TW_DASSERT(n < size_);
    return members_[n];
  }
  std::uint64_t mask() const noexcept { return mask_; }

  void insert(std::uint8_t core) noexcept {
    TW_ASSERT(core < most);
    mask_ |= std::uint64_t{1} << core;
    list();
  }
  void erase(std::uint8_t core) noexcept {
    TW_ASSERT(core < most);
    mask_ &= ~(std::uint64_t{1} << core);
    list();
  }

  friend bool operator==(const CoreSet& left, const CoreSet& right) noexcept {
    return left.mask_ == right.mask_;
  }

 private:
  void list() noexcept {
    size_ = 0;
    for (std::uint64_t left = mask_; left != 0; left &= left - 1) {
      members_[size_++] = static_cast<std::uint8_t>(std::countr_zero(left));
    }
  }

  std::uint64_t mask_ = 0;
  std::size_t size_ = 0;
  std::array<std::uint8_t, most> members_{};
};

}  // namespace tw
