#include "relay/syn/syn_sources.h"

#include <algorithm>
#include <utility>

namespace tw::relay {

Result<void> SynSources::replace(std::vector<SynSource*> sources) {
  for (const SynSource* const source : sources_) events_.forget(source->fd());
  sources_ = std::move(sources);
  Result<void> watched;
  std::erase_if(sources_, [&](const SynSource* source) {
    if (events_.watch_syns(source->fd())) return false;
    watched = system_error("watch for SYNs");
    return true;
  });
  return watched;
}

bool SynSources::arm() noexcept {
  return std::ranges::all_of(sources_, [](SynSource* source) { return source->arm(); });
}

void SynSources::remember(int device_index, const IpAddress& client) noexcept {
  for (SynSource* const source : sources_) {
    if (source->device_index() == device_index) source->remember(client);
  }
}

}  // namespace tw::relay
