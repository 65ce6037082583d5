#include "host/run/run_place.h"

#include <algorithm>

#include "host/plan/plan.h"
#include "host/settings/thread_policy.h"

namespace tw::host {

Result<RunPlace> run_place(const SavedState& state, const RunWishes& wishes) {
  RunPlace place;
  int of_threads = 0;
  for (const SavedSetting& saved : state.settings) {
    if (saved.key.kind != Kind::napi_thread || !saved.device) continue;
    if (!wishes.device.empty() && state.devices[*saved.device].name != wishes.device) continue;
    const auto policy = thread_policy_of(saved.value);
    if (!policy) continue;
    of_threads = std::max(of_threads, policy->priority);
    place.cpus.insert(place.cpus.end(), policy->cpus.begin(), policy->cpus.end());
  }
  if (wishes.core) place.cpus = {*wishes.core};
  if (place.cpus.empty()) {
    return make_error(Error::Kind::config,
                      (wishes.device.empty() ? std::string{"no device"} : wishes.device) +
                          " has NAPI threads by `thalweg host apply`: apply first, or say where "
                          "with --core");
  }
  std::ranges::sort(place.cpus);
  const auto doubled = std::ranges::unique(place.cpus);
  place.cpus.erase(doubled.begin(), doubled.end());
  const int usual = of_threads == 0 ? usual_priority : std::min(of_threads + 1, highest_priority);
  place.priority = wishes.priority.value_or(usual);
  return place;
}

}  // namespace tw::host
