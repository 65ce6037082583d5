#include "node/tunnel/tunnel_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace tw::node {
namespace {

constexpr std::size_t message_bytes = 32768;  // the kernel cuts none of its own at this size
/// A table of routes that is loaded: what does not fit is taken for a change, as it is.
constexpr int buffer_bytes = 1 << 20;

constexpr std::uint32_t group(unsigned number) noexcept { return 1U << (number - 1); }
constexpr std::uint32_t groups = group(RTNLGRP_LINK) | group(RTNLGRP_IPV4_IFADDR) |
                                 group(RTNLGRP_IPV6_IFADDR) | group(RTNLGRP_IPV4_ROUTE) |
                                 group(RTNLGRP_IPV6_ROUTE) | group(RTNLGRP_IPV4_RULE) |
                                 group(RTNLGRP_IPV6_RULE) | group(RTNLGRP_NEXTHOP);

/// The MTU that a link message carries; 0 if none.
std::uint32_t mtu_of(const nlmsghdr& header) noexcept {
  const auto* link = static_cast<const ifinfomsg*>(NLMSG_DATA(&header));
  auto left = static_cast<unsigned>(IFLA_PAYLOAD(&header));
  for (const rtattr* attribute = IFLA_RTA(link); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != IFLA_MTU || RTA_PAYLOAD(attribute) < sizeof(std::uint32_t)) continue;
    std::uint32_t mtu = 0;
    std::memcpy(&mtu, RTA_DATA(attribute), sizeof mtu);
    return mtu;
  }
  return 0;
}

}  // namespace

TunnelWatch::TunnelWatch(int ifindex, int tun_fd, UniqueFd netlink, UniqueFd gone,
                         Listener& listener)
    : ifindex_(ifindex),
      tun_fd_(tun_fd),
      netlink_(std::move(netlink)),
      gone_(std::move(gone)),
      listener_(listener),
      wait_fds_{netlink_.get()} {}

Result<std::unique_ptr<TunnelWatch>> TunnelWatch::open(int ifindex, int tun_fd,
                                                       Listener& listener) {
  UniqueFd netlink{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)};
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (!netlink ||
      ::bind(netlink.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error("watch the interfaces (netlink)");
  }
  static_cast<void>(
      ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes));
  UniqueFd gone{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!gone) return system_error("eventfd");
  return std::unique_ptr<TunnelWatch>{
      new TunnelWatch{ifindex, tun_fd, std::move(netlink), std::move(gone), listener}};
}

Work TunnelWatch::poll(Instant now, std::size_t budget) noexcept {
  std::size_t handled = 0;
  while (handled < budget) {
    const std::size_t read = read_messages(now);
    if (read == 0) break;
    handled += read;
  }
  if (now >= next_look_) look(now);
  if (changed_ && now >= next_tell_) {
    changed_ = false;
    next_tell_ = now + tell_interval;
    listener_.paths_changed();
  }
  return Work::counted(handled, budget);
}

std::size_t TunnelWatch::read_messages(Instant now) noexcept {
  alignas(nlmsghdr) std::array<std::uint8_t, message_bytes> buffer;
  const ssize_t size = ::recv(netlink_.get(), buffer.data(), buffer.size(), 0);
  if (size < 0) {
    if (errno != ENOBUFS) return 0;
    // Messages were lost: one may have been the one.
    changed_ = true;
    look(now);
    ask();
    return 1;
  }
  changed_ = true;
  auto left = static_cast<unsigned>(size);
  for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
       NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
    if (header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK) continue;
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) continue;
    if (static_cast<const ifinfomsg*>(NLMSG_DATA(header))->ifi_index != ifindex_) continue;
    if (header->nlmsg_type == RTM_DELLINK) {
      look(now);
    } else {
      link_message(*header, now);
    }
  }
  return 1;
}

void TunnelWatch::link_message(const nlmsghdr& header, Instant now) noexcept {
  const bool is_up = (static_cast<const ifinfomsg*>(NLMSG_DATA(&header))->ifi_flags & IFF_UP) != 0;
  link_state(mtu_of(header), is_up, now);
}

/// Most messages are about something else, and some are about what the listener itself did.
void TunnelWatch::link_state(std::uint32_t mtu, bool is_up, Instant now) noexcept {
  if (mtu != 0 && mtu != mtu_) {
    mtu_ = mtu;
    listener_.mtu_changed(mtu);
  }
  if (is_up == is_up_) return;
  is_up_ = is_up;
  listener_.link_changed(is_up, now);
}

/// The answer comes like any other message.
void TunnelWatch::ask() noexcept {
  if (ifindex_ == 0) return;  // elsewhere: look() asks
  struct {
    nlmsghdr header{};
    ifinfomsg link{};
  } request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.link.ifi_index = ifindex_;
  // Refused only if memory is short: then the next change tells.
  static_cast<void>(::send(netlink_.get(), &request, sizeof request, 0));
}

void TunnelWatch::look(Instant now) noexcept {
  pollfd tun{tun_fd_, 0, 0};
  next_look_ = Instant::max();
  if (::poll(&tun, 1, 0) > 0 && (tun.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
    ::eventfd_write(gone_.get(), 1);
  } else {
    follow(now);
  }
}

/// It lives: here after all, or elsewhere.
void TunnelWatch::follow(Instant now) noexcept {
  next_look_ = now + look_interval;
  const std::optional<TunPlace> place = places_.find();
  const int ifindex = place && place->is_home ? static_cast<int>(place->ifindex) : 0;
  if (ifindex != ifindex_) {
    ifindex_ = ifindex;
    listener_.moved(static_cast<std::uint32_t>(ifindex));
  }
  if (place) link_state(place->mtu, place->is_up, now);
  // Here the kernel says what changes.
  if (ifindex_ != 0) next_look_ = Instant::max();
}

}  // namespace tw::node
