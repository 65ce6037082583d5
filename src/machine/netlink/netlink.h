// The machine's links, addresses, routes and rules, through one rtnetlink socket.
//
// What add_x() took, remove_x() takes: the value is the record of how to undo it. Adding what is
// there and removing what is gone succeed, so that undoing twice does no harm; only a route that
// somebody else has made is never replaced, but reported. Errors say what was tried, and what the
// kernel said about it (NETLINK_EXT_ACK).
#pragma once

#include "base/result.h"
#include "machine/netlink/netlink_links.h"
#include "machine/netlink/netlink_routes.h"

namespace tw {

/// Belongs to one thread; works on the network namespace that thread was in at open().
struct Netlink {
  /// Fails only where the kernel has no rtnetlink or no descriptor is left. Changing anything needs
  /// CAP_NET_ADMIN.
  static Result<Netlink> open();

  NetlinkLinks links;
  NetlinkRoutes routes;
};

}  // namespace tw
