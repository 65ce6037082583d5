#include "node/device/tunnel_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tw::node {
namespace {

constexpr std::size_t message_bytes = 32768;  // the kernel cuts none of its own at this size

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
  address.nl_groups = RTMGRP_LINK;
  if (!netlink ||
      ::bind(netlink.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error("watch the interfaces (netlink)");
  }
  UniqueFd gone{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!gone) return system_error("eventfd");
  return std::unique_ptr<TunnelWatch>{
      new TunnelWatch{ifindex, tun_fd, std::move(netlink), std::move(gone), listener}};
}

std::size_t TunnelWatch::poll(Instant now, std::size_t budget) noexcept {
  std::size_t handled = 0;
  while (handled < budget) {
    const std::size_t read = read_messages(now);
    if (read == 0) break;
    handled += read;
  }
  if (now >= next_look_) look(now);
  return handled;
}

std::size_t TunnelWatch::read_messages(Instant now) noexcept {
  alignas(nlmsghdr) std::array<std::uint8_t, message_bytes> buffer;
  const ssize_t size = ::recv(netlink_.get(), buffer.data(), buffer.size(), 0);
  if (size < 0) {
    if (errno != ENOBUFS) return 0;
    // Messages were lost: one may have been the one.
    look(now);
    ask();
    return 1;
  }
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
  // Most messages are about something else, and some are about what the listener itself did.
  if (const std::uint32_t mtu = mtu_of(header); mtu != 0 && mtu != mtu_) {
    mtu_ = mtu;
    listener_.mtu_changed(mtu);
  }
  const bool is_up = (static_cast<const ifinfomsg*>(NLMSG_DATA(&header))->ifi_flags & IFF_UP) != 0;
  if (is_up == is_up_) return;
  is_up_ = is_up;
  listener_.link_changed(is_up, now);
}

/// The answer comes like any other message.
void TunnelWatch::ask() noexcept {
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
    next_look_ = now + look_interval;
  }
}

}  // namespace tw::node
