#include "relay/routes.h"

#include <algorithm>
#include <functional>

namespace tw::relay {

Routes::Routes(const std::vector<PopSettings>& pops) {
  for (std::size_t pop = 0; pop < pops.size(); ++pop) {
    for (const Prefix& prefix : pops[pop].routes) {
      pops_of_[prefix].push_back(pop);
      (prefix.address.is_v4() ? lengths_v4_ : lengths_v6_).push_back(prefix.length);
    }
  }
  for (auto* lengths : {&lengths_v4_, &lengths_v6_}) {
    std::ranges::sort(*lengths, std::ranges::greater{});
    const auto repeated = std::ranges::unique(*lengths);
    lengths->erase(repeated.begin(), repeated.end());
  }
}

std::optional<Routes::Choice> Routes::find(const IpAddress& target, const PopFilter& usable,
                                           std::optional<std::size_t> except) const {
  std::optional<Choice> preferred;
  for (const std::uint8_t length : target.is_v4() ? lengths_v4_ : lengths_v6_) {
    const auto route = pops_of_.find(Prefix::of(target, length));
    if (route == pops_of_.end()) continue;
    for (const std::size_t pop : route->second) {
      if (pop == except) continue;
      if (usable(pop)) return Choice{.pop = pop};
      if (!preferred) preferred = Choice{.pop = pop, .usable = false};
    }
  }
  return preferred;
}

}  // namespace tw::relay
