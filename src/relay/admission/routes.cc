#include "relay/admission/routes.h"

#include <map>
#include <utility>

namespace tw::relay {

Routes::Routes(const std::vector<PopSettings>& pops) {
  std::map<Prefix, std::vector<std::size_t>> pops_of;
  for (std::size_t pop = 0; pop < pops.size(); ++pop) {
    for (const Prefix& prefix : pops[pop].routes) pops_of[prefix].push_back(pop);
  }
  pops_of_ = PrefixTable{std::move(pops_of)};
}

std::optional<Routes::Choice> Routes::find(const IpAddress& target, const PopFilter& usable,
                                           std::optional<std::size_t> except) const {
  std::optional<Choice> preferred;
  pops_of_.find(target, [&](const auto& route) {
    for (const std::size_t pop : route.value) {
      if (pop == except) continue;
      if (usable(pop)) {
        preferred = Choice{.pop = pop};
        return true;
      }
      if (!preferred) preferred = Choice{.pop = pop, .usable = false};
    }
    return false;
  });
  return preferred;
}

}  // namespace tw::relay
