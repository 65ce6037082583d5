#include "machine/netlink/veth_peer.h"

#include <linux/net_namespace.h>

#include "machine/netlink/netlink_socket.h"

namespace tw {
namespace {

Result<void> ask_routing(Request& request, const OnMessage& on_message, const std::string& doing) {
  const std::unique_ptr<nl_sock, FreedByLibnl> socket{nl_socket_alloc()};
  if (!socket || nl_connect(socket.get(), NETLINK_ROUTE) < 0) {
    return make_error(Error::Kind::unavailable, doing + ": no rtnetlink socket");
  }
  bool interrupted = false;
  return exchange(*socket, request, on_message, doing, interrupted);
}

}  // namespace

Result<VethPeer> veth_peer(const std::string& device) {
  if (auto valid = check_name(device); !valid) return std::unexpected(valid.error());
  Request request(RTM_GETLINK, 0, ifinfomsg{});
  request.text(IFLA_IFNAME, device);
  VethPeer peer;
  const auto read = [&peer](nlmsghdr* message) {
    if (const nlattr* link = nlmsg_find_attr(message, sizeof(ifinfomsg), IFLA_LINK)) {
      peer.index = nla_get_u32(link);
    }
    if (const nlattr* id = nlmsg_find_attr(message, sizeof(ifinfomsg), IFLA_LINK_NETNSID)) {
      peer.namespace_id = nla_get_s32(id);
    }
  };
  const auto asked = ask_routing(request, read, "look for the other end of " + device);
  if (!asked) return std::unexpected(asked.error());
  if (peer.index != 0) return peer;
  return make_error(Error::Kind::unavailable, device + " has no other end");
}

Result<std::int32_t> namespace_id(int descriptor) {
  Request request(RTM_GETNSID, 0, rtgenmsg{});
  request.number(NETNSA_FD, static_cast<std::uint32_t>(descriptor));
  std::int32_t id = -1;
  const auto read = [&id](nlmsghdr* message) {
    const nlattr* found = nlmsg_find_attr(message, sizeof(rtgenmsg), NETNSA_NSID);
    if (found != nullptr) id = nla_get_s32(found);
  };
  const auto asked = ask_routing(request, read, "number a network namespace");
  if (!asked) return std::unexpected(asked.error());
  return id;
}

}  // namespace tw
