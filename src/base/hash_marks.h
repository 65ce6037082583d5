// Remembers keys by their hashes, in a table of fixed size that is never full: each has one slot,
// and whoever comes later takes it. So it may forget, and then says no; that it says yes of one it
// was never told is a chance of 1 in 2^31 a slot, if nobody outside can choose hashes: they are
// keyed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tw {

/// Any thread may call. 4 bytes a slot. Cost of remember() and has(): one memory access. Nothing
/// allocates after construction.
class HashMarks {
 public:
  explicit HashMarks(std::size_t slots) : marks_(slots) {}

  /// Forgets all.
  void clear() noexcept {
    for (std::uint32_t& mark : marks_) std::atomic_ref{mark}.store(0, std::memory_order_relaxed);
  }
  void remember(std::uint64_t hash) noexcept {
    std::atomic_ref{marks_[hash % marks_.size()]}.store(mark_of(hash), std::memory_order_relaxed);
  }
  bool has(std::uint64_t hash) const noexcept {
    return std::atomic_ref{marks_[hash % marks_.size()]}.load(std::memory_order_relaxed) ==
           mark_of(hash);
  }

 private:
  /// The half that does not choose the slot; never 0, which is an empty one.
  static std::uint32_t mark_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 32U) | 1U;
  }
  mutable std::vector<std::uint32_t> marks_;
};

}  // namespace tw
