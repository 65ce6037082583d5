// Decides which PoP carries a target: longest prefix over the routes of all PoPs that can be used
// now. A pure decision; a connection to a target in no route goes there directly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "relay/admission/prefix_table.h"
#include "relay/settings.h"
#include "wire/address.h"

namespace tw::relay {

/// By index into the PoPs that routes were made from.
using PopFilter = std::function<bool(std::size_t pop)>;

class Routes {
 public:
  struct Choice {
    std::size_t pop = 0;
    bool usable = true;  ///< else it is the one that would be used if any could be
  };

  Routes() = default;
  /// Several PoPs may have the same prefix: those that come first are asked first.
  explicit Routes(const std::vector<PopSettings>& pops);

  /// Empty if no PoP but `except` has a route. Cost: one lookup in a sorted array per distinct
  /// length, and one call of `usable` for each PoP that is passed over.
  std::optional<Choice> find(const IpAddress& target, const PopFilter& usable,
                             std::optional<std::size_t> except = std::nullopt) const;

 private:
  PrefixTable<std::vector<std::size_t>> pops_of_;
};

}  // namespace tw::relay
