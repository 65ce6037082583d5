#include "lane/peers/index_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"

namespace tw::lane {
namespace {

constexpr std::size_t fewest_entries = 64;

}  // namespace

/// Fibonacci hashing: the upper bits of the product depend on all bits of the index.
std::size_t IndexTable::home(std::uint32_t index) const noexcept {
  constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;
  const int bits = std::countr_zero(entries_.size());
  return static_cast<std::size_t>((index * golden) >> (64 - bits));
}

/// Where the index is or, if it is not there, the free entry where it would be.
std::size_t IndexTable::place_of(std::uint32_t index) const noexcept {
  std::size_t place = home(index);
  while (entries_[place].peer != no_peer && entries_[place].index != index) place = next(place);
  return place;
}

void IndexTable::reserve(std::size_t entries) {
  // One at least stays free, so that every search ends.
  const std::size_t wanted = std::bit_ceil(std::max(entries + 1, fewest_entries));
  if (wanted <= entries_.size()) return;
  const std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(wanted));
  for (const Entry& entry : old) {
    if (entry.peer != no_peer) entries_[place_of(entry.index)] = entry;
  }
}

void IndexTable::insert(std::uint32_t index, wg::PeerId peer) {
  TW_ASSERT(peer.value != no_peer);
  reserve(size_ + 1);
  Entry& entry = entries_[place_of(index)];
  if (entry.peer == no_peer) ++size_;
  entry = {index, peer.value};
}

void IndexTable::erase(std::uint32_t index) noexcept {
  if (entries_.empty()) return;
  std::size_t gap = place_of(index);
  if (entries_[gap].peer == no_peer) return;
  --size_;
  // An entry that follows without a gap moves up, unless it is at home behind the gap.
  const std::size_t mask = entries_.size() - 1;
  for (std::size_t at = next(gap); entries_[at].peer != no_peer; at = next(at)) {
    const std::size_t from_home = (at - home(entries_[at].index)) & mask;
    const std::size_t from_gap = (at - gap) & mask;
    if (from_home < from_gap) continue;
    entries_[gap] = entries_[at];
    gap = at;
  }
  entries_[gap] = Entry{};
}

std::optional<wg::PeerId> IndexTable::find(std::uint32_t index) const noexcept {
  if (entries_.empty()) return std::nullopt;
  const Entry& entry = entries_[place_of(index)];
  if (entry.peer == no_peer) return std::nullopt;
  return wg::PeerId{entry.peer};
}

}  // namespace tw::lane
