// Objects by slot number. They lie in chunks, which neither move nor are there while none of their
// slots is in use: a few objects cost a chunk, many cost no more than themselves, and a reference
// stays good. Numbers should be dense; whoever gives them out uses low ones again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/assert.h"

namespace tw {

template <typename T, std::size_t chunk_slots = 64>
class SlotArray {
 public:
  /// Slots run from 0 to `most` - 1, the hard cap.
  explicit SlotArray(std::size_t most) noexcept : most_(most) {}

  /// A new T{} in a slot that is free. The reference stays good until erase().
  T& emplace(std::uint32_t slot) {
    TW_ASSERT(slot < most_);
    const std::size_t number = slot / chunk_slots;
    if (number >= chunks_.size()) chunks_.resize(number + 1);
    if (chunks_[number] == nullptr) chunks_[number] = std::make_unique<Chunk>();
    Chunk& chunk = *chunks_[number];
    std::optional<T>& place = chunk.slots[slot % chunk_slots];
    TW_ASSERT(!place);
    ++chunk.used;
    return place.emplace();
  }
  /// The slot must be in use. With its last object a chunk goes.
  void erase(std::uint32_t slot) noexcept {
    TW_ASSERT(find(slot) != nullptr);
    std::unique_ptr<Chunk>& chunk = chunks_[slot / chunk_slots];
    chunk->slots[slot % chunk_slots].reset();
    if (--chunk->used == 0) chunk.reset();
  }
  /// Null if the slot is free, whatever its number.
  T* find(std::uint32_t slot) noexcept {
    const std::size_t number = slot / chunk_slots;
    if (number >= chunks_.size() || chunks_[number] == nullptr) return nullptr;
    std::optional<T>& place = chunks_[number]->slots[slot % chunk_slots];
    return place ? &*place : nullptr;
  }
  /// Calls visit(object) for each, by slot.
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (const std::unique_ptr<Chunk>& chunk : chunks_) {
      if (chunk == nullptr) continue;
      for (std::optional<T>& place : chunk->slots) {
        if (place) visit(*place);
      }
    }
  }
  /// Every slot in use is below this.
  std::size_t slots() const noexcept { return chunks_.size() * chunk_slots; }

 private:
  struct Chunk {
    std::array<std::optional<T>, chunk_slots> slots;
    std::size_t used = 0;
  };
  std::size_t most_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace tw
