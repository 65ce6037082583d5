// Values by prefix, found by the longest match as routes are: a sorted array, searched once for
// each length of prefix that occurs. Made once and then only read.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "wire/address.h"

namespace tw::relay {

template <typename Value>
class PrefixTable {
 public:
  struct Entry {
    Prefix prefix;
    Value value;
  };

  PrefixTable() = default;
  explicit PrefixTable(std::map<Prefix, Value> values) {
    entries_.reserve(values.size());
    for (auto& [prefix, value] : values) {
      std::vector<std::uint8_t>& lengths = prefix.address.is_v4() ? lengths_v4_ : lengths_v6_;
      if (std::ranges::find(lengths, prefix.length) == lengths.end()) {
        lengths.push_back(prefix.length);
      }
      entries_.push_back({prefix, std::move(value)});
    }
    std::ranges::sort(lengths_v4_, std::greater{});
    std::ranges::sort(lengths_v6_, std::greater{});
  }

  /// Calls `accepts` with each entry whose prefix contains `address`, the longest first, until it
  /// returns true; returns that entry. Null if there is none. Cost: a binary search for each length
  /// that occurs.
  template <typename Accepts>
  const Entry* find(const IpAddress& address, Accepts&& accepts) const {
    for (const std::uint8_t length : address.is_v4() ? lengths_v4_ : lengths_v6_) {
      const Prefix prefix = Prefix::of(address, length);
      const auto found = std::ranges::lower_bound(entries_, prefix, {}, &Entry::prefix);
      if (found == entries_.end() || found->prefix != prefix) continue;
      if (accepts(*found)) return &*found;
    }
    return nullptr;
  }
  /// The entry of the longest prefix that contains `address`; null if there is none.
  const Entry* longest(const IpAddress& address) const noexcept {
    return find(address, [](const Entry&) { return true; });
  }

 private:
  std::vector<Entry> entries_;                         // by prefix
  std::vector<std::uint8_t> lengths_v4_, lengths_v6_;  // that occur, longest first
};

}  // namespace tw::relay
