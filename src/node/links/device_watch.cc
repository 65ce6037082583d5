#include "node/links/device_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tw::node {
Result<DeviceWatch> DeviceWatch::open() {
  UniqueFd fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)};
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error("listen for changes of devices");
  }
  return DeviceWatch{std::move(fd)};
}

bool DeviceWatch::take_changes() noexcept {
  // A message's text does not matter, and is cut off: the present state is asked for.
  std::array<std::byte, 64> start;
  bool any = false;
  while (true) {
    if (::recv(fd_.get(), start.data(), start.size(), MSG_DONTWAIT | MSG_TRUNC) >= 0) {
      any = true;
    } else if (errno == ENOBUFS) {
      any = true;
    } else if (errno != EINTR) {
      return any;
    }
  }
}

Result<void> look_around(NetlinkLinks& links, std::uint32_t link_index,
                         const std::vector<std::string>& client_devices, Surroundings& around) {
  std::vector<std::uint32_t>& indexes = around.client_indexes;
  for (const std::string& device : client_devices) {
    const std::uint32_t index = ::if_nametoindex(device.c_str());
    if (index != 0 && index != link_index) indexes.push_back(index);
  }
  std::ranges::sort(indexes);
  const auto again = std::ranges::unique(indexes);
  indexes.erase(again.begin(), again.end());
  std::erase_if(indexes, [](std::uint32_t index) { return device_name(index).empty(); });

  auto addresses = links.addresses();
  if (!addresses) return std::unexpected(addresses.error());
  around.elsewhere.clear();
  for (const DeviceAddress& local : *addresses) {
    if (local.link_index == link_index) continue;
    around.elsewhere.push_back(Prefix::of(local.address.address, local.address.length));
  }
  std::ranges::sort(around.elsewhere);
  return {};
}

std::string device_name(std::uint32_t index) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(index, name.data()) == nullptr ? std::string{} : std::string{name.data()};
}

}  // namespace tw::node
