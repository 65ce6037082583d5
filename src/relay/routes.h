// Which PoP carries a target: longest prefix over the routes of all PoPs. A pure decision; what is
// in no route goes to its target directly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "relay/settings.h"
#include "wire/address.h"

namespace tw::relay {

class Routes {
 public:
  Routes() = default;
  /// Of two PoPs with the same prefix the first one wins (the configuration refuses such a pair).
  explicit Routes(const std::vector<PopSettings>& pops);

  /// Index into the PoPs it was made from. Cost: one lookup in a sorted map per distinct length.
  std::optional<std::size_t> find(const IpAddress& target) const noexcept;

 private:
  std::map<Prefix, std::size_t> pop_of_;
  std::vector<std::uint8_t> lengths_v4_, lengths_v6_;  // that occur, longest first
};

}  // namespace tw::relay
