#include "relay/stream/client_index.h"

#include <functional>
#include <utility>

#include "base/assert.h"
#include "base/mix.h"

namespace tw::relay {
namespace {

constexpr std::size_t first_slots = 64;

}  // namespace

ClientIndex::ClientIndex() : slots_(first_slots) {}

std::size_t ClientIndex::home_of(const ClientKey& key) const noexcept {
  // std::hash of an endpoint has secrets of the process: nobody outside can choose what collides.
  const std::hash<Endpoint> hash;
  return mix(hash(key.client), hash(key.target) | 1U) & (slots_.size() - 1);
}

// Where it is, or where it would go.
std::size_t ClientIndex::place_of(const ClientKey& key) const noexcept {
  std::size_t place = home_of(key);
  while (slots_[place].id.generation != 0 && slots_[place].key != key) {
    place = (place + 1) & (slots_.size() - 1);
  }
  return place;
}

std::optional<ConnectionId> ClientIndex::find(const ClientKey& key) const noexcept {
  const Slot& slot = slots_[place_of(key)];
  if (slot.id.generation == 0) return std::nullopt;
  return slot.id;
}

void ClientIndex::insert(const ClientKey& key, ConnectionId id) {
  TW_ASSERT(id.generation != 0);
  if ((size_ + 1) * 4 > slots_.size() * 3) grow();
  Slot& slot = slots_[place_of(key)];
  TW_ASSERT(slot.id.generation == 0);
  slot = {key, id};
  ++size_;
}

// Entries that follow move up, so that no tombstone is needed (Knuth, vol. 3, 6.4, algorithm R).
bool ClientIndex::erase(const ClientKey& key) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = place_of(key);
  if (slots_[hole].id.generation == 0) return false;
  for (std::size_t next = (hole + 1) & mask; slots_[next].id.generation != 0;
       next = (next + 1) & mask) {
    const std::size_t home = home_of(slots_[next].key);
    if (((next - home) & mask) < ((next - hole) & mask)) continue;  // it would be before its home
    slots_[hole] = slots_[next];
    hole = next;
  }
  slots_[hole] = Slot{};
  --size_;
  return true;
}

void ClientIndex::clear() noexcept {
  for (Slot& slot : slots_) slot = Slot{};
  size_ = 0;
}

void ClientIndex::grow() {
  std::vector<Slot> before = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
  for (const Slot& slot : before) {
    if (slot.id.generation != 0) slots_[place_of(slot.key)] = slot;
  }
}

}  // namespace tw::relay
