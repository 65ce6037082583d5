#include "machine/netlink/netlink_links.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/pkt_sched.h>
#include <net/if.h>

#include <cerrno>
#include <utility>

#include "machine/netlink/netlink_socket.h"

namespace tw {
namespace {

// A dump that others changed meanwhile is inconsistent, and is asked for again.
constexpr int dump_attempts = 8;

LinkState link_state(nlmsghdr* header) {
  const auto* link = static_cast<const ifinfomsg*>(nlmsg_data(header));
  LinkState state{.index = static_cast<std::uint32_t>(link->ifi_index),
                  .up = (link->ifi_flags & IFF_UP) != 0};
  if (auto* mtu = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_MTU)) {
    state.mtu = nla_get_u32(mtu);
  }
  if (auto* queue = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_TXQLEN)) {
    state.tx_queue_packets = nla_get_u32(queue);
  }
  auto* stats = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_STATS64);
  if (stats != nullptr) {
    rtnl_link_stats64 counters{};
    nla_memcpy(&counters, stats, sizeof counters);
    state.tx_dropped = counters.tx_dropped;
  }
  return state;
}

}  // namespace

Result<LinkState> NetlinkLinks::link(const std::string& device) {
  const std::string doing = fmt::format("look up device {}", device);
  if (auto valid = check_name(device); !valid) return std::unexpected(valid.error());
  Request request(RTM_GETLINK, 0, ifinfomsg{});
  request.text(IFLA_IFNAME, device);
  LinkState state;
  bool interrupted = false;
  auto asked = socket_->ask_once(
      request, [&state](nlmsghdr* header) { state = link_state(header); }, doing, interrupted);
  if (asked) return state;
  if (asked.error().os_errno == ENODEV) {
    return make_error(Error::Kind::unavailable, fmt::format("there is no device {}", device));
  }
  return std::unexpected(asked.error());
}

Result<std::uint32_t> NetlinkLinks::mtu_of(std::uint32_t index) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(index);
  Request request(RTM_GETLINK, 0, header);
  std::uint32_t mtu = 0;
  bool interrupted = false;
  const auto asked = socket_->ask_once(
      request, [&](nlmsghdr* reply) { mtu = link_state(reply).mtu; }, "look up a device's MTU",
      interrupted);
  if (!asked) return std::unexpected(asked.error());
  return mtu;
}

Result<void> NetlinkLinks::remove_link(const std::string& device) {
  if (auto valid = check_name(device); !valid) return valid;
  Request request(RTM_DELLINK, 0, ifinfomsg{});
  request.text(IFLA_IFNAME, device);
  return unless({ENODEV}, socket_->ask(request, "remove device " + device));
}

Result<void> NetlinkLinks::set_up(const std::string& device, bool up) {
  ifinfomsg change{};
  change.ifi_change = IFF_UP;
  change.ifi_flags = up ? unsigned{IFF_UP} : 0U;
  return socket_->set_link(device, fmt::format("bring {} {}", device, up ? "up" : "down"), change,
                           IFLA_UNSPEC, 0);
}

Result<void> NetlinkLinks::rename(std::uint32_t index, const std::string& name) {
  if (auto valid = check_name(name); !valid) return valid;
  ifinfomsg change{};
  change.ifi_index = static_cast<int>(index);
  Request request(RTM_NEWLINK, 0, change);
  request.text(IFLA_IFNAME, name);
  return socket_->ask(request, fmt::format("name device {} {}", index, name));
}

Result<void> NetlinkLinks::set_mtu(const std::string& device, std::uint32_t bytes) {
  return socket_->set_link(device, fmt::format("set the MTU of {} to {}", device, bytes), {},
                           IFLA_MTU, bytes);
}

Result<void> NetlinkLinks::set_tx_queue(const std::string& device, std::uint32_t packets) {
  return socket_->set_link(device,
                           fmt::format("set the queue of {} to {} packets", device, packets), {},
                           IFLA_TXQLEN, packets);
}

Result<void> NetlinkLinks::set_gso_max_size(const std::string& device, std::uint32_t bytes) {
  return socket_->set_link(device, fmt::format("set gso_max_size of {} to {}", device, bytes), {},
                           IFLA_GSO_MAX_SIZE, bytes);
}

Result<void> NetlinkLinks::remove_discipline(const std::string& device) {
  const std::string doing = "remove the queueing discipline of " + device;
  auto found = link(device);
  if (!found) return in_context(doing, found.error());
  tcmsg header{};
  header.tcm_ifindex = static_cast<int>(found->index);
  header.tcm_parent = TC_H_ROOT;
  Request request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, header);
  request.text(TCA_KIND, "noqueue");
  return socket_->ask(request, doing);
}

namespace {

Result<Request> address_request(NetlinkLinks& links, int type, int flags, const std::string& device,
                                const InterfaceAddress& address) {
  auto link = links.link(device);
  if (!link) return std::unexpected(link.error());
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(family_number(address.address.family()));
  header.ifa_prefixlen = address.length;
  header.ifa_index = link->index;
  // A tunnel has no neighbours who could hold the same address: usable at once.
  header.ifa_flags = IFA_F_NODAD;
  Request request(type, flags, header);
  request.address(IFA_LOCAL, address.address).address(IFA_ADDRESS, address.address);
  return request;
}

}  // namespace

Result<void> NetlinkLinks::add_address(const std::string& device, const InterfaceAddress& address) {
  const std::string doing =
      fmt::format("add address {}/{} to {}", address.address.text(), address.length, device);
  auto request = address_request(*this, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, device, address);
  if (!request) return in_context(doing, request.error());
  return unless({EEXIST}, socket_->ask(*request, doing));
}

Result<void> NetlinkLinks::remove_address(const std::string& device,
                                          const InterfaceAddress& address) {
  const std::string doing =
      fmt::format("remove address {}/{} from {}", address.address.text(), address.length, device);
  auto request = address_request(*this, RTM_DELADDR, 0, device, address);
  if (!request) {
    if (request.error().kind == Error::Kind::unavailable) return {};  // gone with its device
    return in_context(doing, request.error());
  }
  return unless({EADDRNOTAVAIL, ENODEV}, socket_->ask(*request, doing));
}

Result<std::vector<DeviceAddress>> NetlinkLinks::addresses() {
  std::vector<DeviceAddress> found;
  const OnMessage collect = [&found](nlmsghdr* header) {
    const auto* entry = static_cast<const ifaddrmsg*>(nlmsg_data(header));
    auto* octets = nlmsg_find_attr(header, sizeof(ifaddrmsg), IFA_LOCAL);
    if (octets == nullptr) octets = nlmsg_find_attr(header, sizeof(ifaddrmsg), IFA_ADDRESS);
    if (octets == nullptr || (nla_len(octets) != 4 && nla_len(octets) != 16)) return;
    const ByteView bytes{static_cast<const std::uint8_t*>(nla_data(octets)),
                         static_cast<std::size_t>(nla_len(octets))};
    found.push_back({entry->ifa_index, {IpAddress::from_bytes(bytes), entry->ifa_prefixlen}});
  };
  for (int attempt = 0; attempt < dump_attempts; ++attempt) {
    found.clear();
    Request request(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{});
    bool interrupted = false;
    auto asked = socket_->ask_once(request, collect, "list the addresses", interrupted);
    if (!asked) return std::unexpected(asked.error());
    if (!interrupted) return found;
  }
  return make_error(Error::Kind::unavailable, "list the addresses: they kept changing meanwhile");
}

}  // namespace tw
