#include "relay/routes.h"

#include <algorithm>
#include <functional>

namespace tw::relay {

Routes::Routes(const std::vector<PopSettings>& pops) {
  for (std::size_t pop = 0; pop < pops.size(); ++pop) {
    for (const Prefix& prefix : pops[pop].routes) {
      if (!pop_of_.emplace(prefix, pop).second) continue;
      (prefix.address.is_v4() ? lengths_v4_ : lengths_v6_).push_back(prefix.length);
    }
  }
  for (auto* lengths : {&lengths_v4_, &lengths_v6_}) {
    std::ranges::sort(*lengths, std::ranges::greater{});
    const auto repeated = std::ranges::unique(*lengths);
    lengths->erase(repeated.begin(), repeated.end());
  }
}

std::optional<std::size_t> Routes::find(const IpAddress& target) const noexcept {
  for (const std::uint8_t length : target.is_v4() ? lengths_v4_ : lengths_v6_) {
    const auto route = pop_of_.find(Prefix::of(target, length));
    if (route != pop_of_.end()) return route->second;
  }
  return std::nullopt;
}

}  // namespace tw::relay
