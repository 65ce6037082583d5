// Counts the legs that each PoP has opened to us, so that one cannot take the room of all: those
// that carry a connection, and those that wait for their target. Only PoPs that have any are kept.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "base/assert.h"
#include "wire/address.h"

namespace tw::relay {

class LegCounts {
 public:
  struct Legs {
    std::size_t all = 0;
    std::size_t waiting = 0;  ///< among them: without a whole header yet
  };
  /// `pop`: its overlay address.
  Legs of(const IpAddress& pop) const noexcept {
    const auto found = legs_.find(pop.unmapped());
    return found == legs_.end() ? Legs{} : found->second;
  }
  /// One that waits.
  void add(const IpAddress& pop) {
    Legs& legs = legs_[pop.unmapped()];
    ++legs.all;
    ++legs.waiting;
  }
  /// One that waited has its header.
  void begin(const IpAddress& pop) noexcept {
    const auto found = legs_.find(pop.unmapped());
    TW_ASSERT(found != legs_.end() && found->second.waiting > 0);
    --found->second.waiting;
  }
  /// `waiting`: one that has not begun.
  void remove(const IpAddress& pop, bool waiting) noexcept {
    if (waiting) begin(pop);
    const auto found = legs_.find(pop.unmapped());
    TW_ASSERT(found != legs_.end());
    if (--found->second.all == 0) legs_.erase(found);
  }
  void clear() noexcept { legs_.clear(); }

 private:
  std::unordered_map<IpAddress, Legs> legs_;
};

}  // namespace tw::relay
