#include "relay/admission/route_cache.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <functional>

#include "base/assert.h"

namespace tw::relay {
namespace {

// All that an answer may depend on. An IPv4 route that goes with its device is told as the device's
// change only.
constexpr std::array groups{RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                            RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
                            RTNLGRP_IPV6_RULE,  RTNLGRP_NEXTHOP};

}  // namespace

Result<std::unique_ptr<RouteCache>> RouteCache::open(std::unique_ptr<RouteLookup> kernel,
                                                     std::size_t slots) {
  TW_ASSERT(slots > 0);
  UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)};
  if (!socket) return system_error("open a netlink socket");
  // A socket without a port of its own is taken for the kernel's, and told nothing.
  sockaddr_nl any{};
  any.nl_family = AF_NETLINK;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) {
    return system_error("listen to the kernel's routing");
  }
  for (const int group : groups) {
    if (::setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) !=
        0) {
      return system_error("listen to the kernel's routing");
    }
  }
  return std::unique_ptr<RouteCache>{new RouteCache{std::move(socket), std::move(kernel), slots}};
}

Result<KernelRoute> RouteCache::ask(const IpAddress& target) noexcept {
  if (has_changed()) ++epoch_;
  Slot& slot = slots_[std::hash<IpAddress>{}(target) % slots_.size()];
  if (slot.epoch == epoch_ && slot.target == target) return slot.route;
  auto route = kernel_->ask(target);
  if (route) slot = {.target = target, .route = *route, .epoch = epoch_};
  return route;
}

// It does not matter which change it was. Messages that were lost for want of room have said so,
// too; and of a socket that fails nothing more will be heard, so nothing is believed.
bool RouteCache::has_changed() noexcept {
  bool changed = false;
  std::uint8_t first = 0;  // of each message: the rest is dropped
  while (::recv(changes_.get(), &first, sizeof first, MSG_DONTWAIT) >= 0 || errno == ENOBUFS ||
         errno == EINTR) {
    changed = true;
  }
  return changed || (errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace tw::relay
