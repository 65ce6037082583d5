#include "machine/netlink/netlink.h"

#include "machine/netlink/netlink_socket.h"

namespace tw {

Result<Netlink> Netlink::open() {
  auto socket = NetlinkSocket::open();
  if (!socket) return std::unexpected(socket.error());
  return Netlink{.links = NetlinkLinks{*socket}, .routes = NetlinkRoutes{*socket}};
}

}  // namespace tw
