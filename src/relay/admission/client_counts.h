// Counts the connections of each client (principal.h), so that one cannot take the room of all.
// Only clients that have any are kept: as many as there are connections at most.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <unordered_map>

#include "base/assert.h"
#include "relay/admission/principal.h"

namespace tw::relay {

class ClientCounts {
 public:
  std::size_t of(const Principal& client) const noexcept {
    const auto found = counts_.find(client);
    return found == counts_.end() ? 0 : found->second;
  }
  void add(const Principal& client) { ++counts_[client]; }
  /// Once for each add().
  void remove(const Principal& client) noexcept {
    const auto found = counts_.find(client);
    TW_ASSERT(found != counts_.end());
    if (--found->second == 0) counts_.erase(found);
  }
  void clear() noexcept { counts_.clear(); }
  std::size_t clients() const noexcept { return counts_.size(); }

 private:
  // Entries that have gone make room for those that come.
  std::pmr::unsynchronized_pool_resource entries_;
  std::pmr::unordered_map<Principal, std::size_t> counts_{&entries_};
};

}  // namespace tw::relay
