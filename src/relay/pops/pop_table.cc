#include "relay/pops/pop_table.h"

#include <algorithm>

namespace tw::relay {

PopId PopTable::id_of(const std::string& name) {
  const auto known = std::ranges::find(entries_, name, &Entry::name);
  const auto id = static_cast<PopId>(known - entries_.begin());
  if (known == entries_.end()) entries_.push_back({.name = name, .pop = nullptr});
  return id;
}

std::vector<Pop*> PopTable::apply(const RelaySettings& settings) {
  std::vector<Pop*> added;
  by_place_.clear();
  for (const PopSettings& wanted : settings.pops) {
    const PopId id = id_of(wanted.name);
    std::unique_ptr<Pop>& pop = entries_[std::to_underlying(id)].pop;
    if (pop) {
      pop->apply(settings, wanted);
    } else {
      pop = std::make_unique<Pop>(id, settings, wanted);
      added.push_back(pop.get());
    }
    by_place_.push_back(pop.get());
  }
  for (Entry& entry : entries_) {
    if (std::ranges::find(by_place_, entry.pop.get()) == by_place_.end()) entry.pop.reset();
  }
  return added;
}

Pop* PopTable::at(const IpAddress& overlay_address) const noexcept {
  const IpAddress address = overlay_address.unmapped();
  const auto found = std::ranges::find_if(
      by_place_, [&](const Pop* pop) { return pop->settings().overlay_address == address; });
  return found == by_place_.end() ? nullptr : *found;
}

}  // namespace tw::relay
