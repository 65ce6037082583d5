#include "relay/sockets/doors.h"

#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "relay/sockets/sockets.h"

namespace tw::relay {

std::vector<DoorPlan> doors_of(const RelaySettings& settings) {
  std::vector<std::string> devices{settings.tun_device};
  devices.insert(devices.end(), settings.client_devices.begin(), settings.client_devices.end());
  std::vector<DoorPlan> plans;
  const auto index_of = [](const std::string& device) {
    return static_cast<int>(::if_nametoindex(device.c_str()));
  };
  for (const std::string& device : devices) {
    for (const IpAddress& any : {IpAddress::v4({}), IpAddress::v6({})}) {
      plans.push_back(
          {{any, settings.listen_port, 0}, device, index_of(device), Listener::Kind::clients});
    }
  }
  for (const IpAddress& address : settings.leg_addresses) {
    plans.push_back({{address, settings.leg_port, 0},
                     settings.tun_device,
                     index_of(settings.tun_device),
                     Listener::Kind::legs});
  }
  return plans;
}

Result<std::vector<OpenDoor>> open_doors(const RelaySettings& settings,
                                         const std::vector<DoorPlan>& open) {
  std::vector<OpenDoor> doors;
  for (DoorPlan& plan : doors_of(settings)) {
    if (std::ranges::find(open, plan) != open.end()) continue;
    const bool legs = plan.kind == Listener::Kind::legs;
    auto socket = open_listener({.address = plan.address,
                                 .device = plan.device,
                                 .transparent = !legs,
                                 .before_address = legs,
                                 .turbo = legs ? &settings.turbo : nullptr,
                                 .limits = &settings.limits,
                                 .fast_open = settings.fast_open && !legs,
                                 .mark = settings.own_mark});
    if (!socket) {
      const bool absent = !legs && socket.error().os_errno == EAFNOSUPPORT;
      if (absent && !plan.address.address.is_v4()) continue;
      return std::unexpected(std::move(socket.error()));
    }
    doors.push_back({std::move(plan), *std::move(socket)});
  }
  return doors;
}

}  // namespace tw::relay
