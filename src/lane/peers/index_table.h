// Receiver index → peer, for every packet from the wire: open addressing with linear probing, two
// words an entry, so that a lone packet of one peer among thousands costs one cache line. Room is
// made when peers are added, not when they rekey.
//
// Which indices are in it is our own random choice: who sends others cannot make probes longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "wg/protocol.h"

namespace tw::lane {

class IndexTable {
 public:
  /// Until there are more entries than that, insert() does not allocate.
  void reserve(std::size_t entries);
  /// In place of the peer that the index had, if any.
  void insert(std::uint32_t index, wg::PeerId peer);
  /// Nothing happens if it is not there.
  void erase(std::uint32_t index) noexcept;
  std::optional<wg::PeerId> find(std::uint32_t index) const noexcept;
  std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::uint32_t no_peer = UINT32_MAX;
  struct Entry {
    std::uint32_t index = 0;
    std::uint32_t peer = no_peer;  // this one: the entry is free
  };
  std::size_t home(std::uint32_t index) const noexcept;
  std::size_t place_of(std::uint32_t index) const noexcept;
  std::size_t next(std::size_t place) const noexcept { return (place + 1) & (entries_.size() - 1); }

  std::vector<Entry> entries_;  // a power of two, never full; or none at all
  std::size_t size_ = 0;
};

}  // namespace tw::lane
