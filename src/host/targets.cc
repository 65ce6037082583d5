#include "host/targets.h"

#include <fmt/format.h>

#include "host/peer.h"

namespace tw::host {
namespace {

/// The file of the namespace that is meant; "" is our own.
Result<std::string> file_of(const TargetNames& names) {
  const int given =
      (names.netns.empty() ? 0 : 1) + (names.pid == 0 ? 0 : 1) + (names.container.empty() ? 0 : 1);
  if (given > 1) {
    return make_error(Error::Kind::config, "name one of --netns, --pid and --container, not more");
  }
  if (names.pid != 0) return fmt::format("/proc/{}/ns/net", names.pid);
  if (!names.container.empty()) return space_of_container(names.container);
  if (names.netns.empty() || names.netns.find('/') != std::string::npos) return names.netns;
  return "/run/netns/" + names.netns;
}

Result<std::shared_ptr<const NetworkSpace>> space_of(const std::string& file) {
  auto space = file.empty() ? NetworkSpace::own() : NetworkSpace::open(file);
  if (!space) return std::unexpected(space.error());
  return std::make_shared<const NetworkSpace>(std::move(*space));
}

Result<std::vector<Target>> pairs_in(const std::shared_ptr<const NetworkSpace>& space) {
  const auto veths = veths_of(*space);
  if (!veths) return std::unexpected(veths.error());
  if (veths->empty()) {
    return make_error(Error::Kind::config,
                      space->where() + " has no veth: name the device that is meant");
  }
  std::vector<Target> targets;
  for (const std::string& device : *veths) {
    targets.push_back({space, device});
    const auto peer = find_peer(*space, device);
    if (!peer || peer->where == space->where()) continue;
    // Our own namespace is found by the file of some process in it, as any other.
    auto other = space_of(peer->where);
    if (!other) return std::unexpected(other.error());
    targets.push_back({*other, peer->name});
  }
  return targets;
}

}  // namespace

Result<std::vector<Target>> find_targets(const TargetNames& names) {
  const auto file = file_of(names);
  if (!file) return std::unexpected(file.error());
  if (names.devices.empty() && file->empty()) {
    return make_error(Error::Kind::config, "name a device, or a container by --container");
  }
  const auto space = space_of(*file);
  if (!space) return std::unexpected(space.error());
  if (names.devices.empty()) return pairs_in(*space);
  std::vector<Target> targets;
  for (const std::string& device : names.devices) {
    bool is_there_already = false;
    for (const Target& target : targets) is_there_already |= target.device == device;
    if (!is_there_already) targets.push_back({*space, device});
  }
  return targets;
}

}  // namespace tw::host
