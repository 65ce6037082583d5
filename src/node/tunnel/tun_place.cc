#include "node/tunnel/tun_place.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"

namespace tw::node {
namespace {

constexpr unsigned long tun_get_dev_netns = _IO('T', 227);  // TUNGETDEVNETNS, Linux 5.3
constexpr std::size_t answer_bytes = 16384;
constexpr std::int32_t any_id = -1;  // the kernel chooses

/// One request with a family header and a few attributes.
class Request {
 public:
  template <typename Header>
  Request(std::uint16_t type, std::uint16_t flags, const Header& header) noexcept {
    nlmsghdr message{};
    message.nlmsg_type = type;
    message.nlmsg_flags = flags;
    std::memcpy(bytes_.data(), &message, sizeof message);
    std::memcpy(bytes_.data() + NLMSG_HDRLEN, &header, sizeof header);
    size_ = NLMSG_LENGTH(NLMSG_ALIGN(sizeof header));
  }
  void add(std::uint16_t type, ByteView value) noexcept {
    const rtattr attribute{.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size())),
                           .rta_type = type};
    TW_ASSERT(size_ + RTA_SPACE(value.size()) <= bytes_.size());
    std::memcpy(bytes_.data() + size_, &attribute, sizeof attribute);
    std::ranges::copy(value, bytes_.begin() + static_cast<std::ptrdiff_t>(size_ + RTA_LENGTH(0)));
    size_ += RTA_SPACE(value.size());
  }
  void add(std::uint16_t type, std::int32_t value) noexcept {
    add(type, ByteView{reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  }
  ByteView finish(std::uint32_t sequence) noexcept {
    nlmsghdr message{};
    std::memcpy(&message, bytes_.data(), sizeof message);
    message.nlmsg_len = static_cast<std::uint32_t>(size_);
    message.nlmsg_seq = sequence;
    std::memcpy(bytes_.data(), &message, sizeof message);
    return ByteView{bytes_}.first(size_);
  }

 private:
  alignas(nlmsghdr) std::array<std::uint8_t, 128> bytes_{};
  std::size_t size_ = 0;
};

/// Asks, and calls visit(header, body) with what answers, an error included. False: no answer.
template <typename Visitor>
bool ask(int netlink, ByteView request, std::uint32_t sequence, Visitor&& visit) noexcept {
  if (::send(netlink, request.data(), request.size(), 0) < 0) return false;
  alignas(nlmsghdr) std::array<std::uint8_t, answer_bytes> buffer;
  // The kernel answers while it handles the request, so the answer is there already.
  for (;;) {
    const ssize_t size = ::recv(netlink, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < static_cast<ssize_t>(sizeof(nlmsghdr))) return false;
    nlmsghdr header{};
    std::memcpy(&header, buffer.data(), sizeof header);
    if (header.nlmsg_seq != sequence || header.nlmsg_len < NLMSG_HDRLEN ||
        header.nlmsg_len > static_cast<std::size_t>(size)) {
      continue;
    }
    visit(header, ByteView{buffer}.first(header.nlmsg_len).subspan(NLMSG_HDRLEN));
    return true;
  }
}

template <typename T>
std::optional<T> find_attribute(ByteView list, std::uint16_t wanted) noexcept {
  rtattr attribute{};
  while (list.size() >= sizeof attribute) {
    std::memcpy(&attribute, list.data(), sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > list.size()) break;
    if (attribute.rta_type == wanted && attribute.rta_len >= RTA_LENGTH(sizeof(T))) {
      T value{};
      std::memcpy(&value, list.data() + RTA_LENGTH(0), sizeof value);
      return value;
    }
    list = list.subspan(std::min<std::size_t>(RTA_ALIGN(attribute.rta_len), list.size()));
  }
  return std::nullopt;
}

/// Namespaces are files with an inode each.
bool is_own(int namespace_fd) noexcept {
  struct stat there{}, here{};
  return ::fstat(namespace_fd, &there) == 0 && ::stat("/proc/thread-self/ns/net", &here) == 0 &&
         there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

}  // namespace

/// The number that this namespace knows the other one by.
std::optional<std::int32_t> TunPlaces::known_id(int namespace_fd) noexcept {
  Request request{RTM_GETNSID, NLM_F_REQUEST, rtgenmsg{.rtgen_family = AF_UNSPEC}};
  request.add(NETNSA_FD, namespace_fd);
  std::optional<std::int32_t> id;
  ++sequence_;
  ask(netlink_.get(), request.finish(sequence_), sequence_,
      [&](const nlmsghdr& header, ByteView body) {
        if (header.nlmsg_type != RTM_NEWNSID || body.size() < sizeof(rtgenmsg)) return;
        id = find_attribute<std::int32_t>(
            body.subspan(std::min(body.size(), NLMSG_ALIGN(sizeof(rtgenmsg)))), NETNSA_NSID);
      });
  return id && *id >= 0 ? id : std::nullopt;
}

std::optional<std::int32_t> TunPlaces::namespace_id(int namespace_fd) noexcept {
  if (const auto id = known_id(namespace_fd)) return id;
  Request request{RTM_NEWNSID, NLM_F_REQUEST | NLM_F_ACK, rtgenmsg{.rtgen_family = AF_UNSPEC}};
  request.add(NETNSA_FD, namespace_fd);
  request.add(NETNSA_NSID, any_id);
  ++sequence_;
  ask(netlink_.get(), request.finish(sequence_), sequence_, [](const nlmsghdr&, ByteView) {});
  return known_id(namespace_fd);
}

std::optional<TunPlace> TunPlaces::find() noexcept {
  if (!netlink_) {
    netlink_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    if (!netlink_) return std::nullopt;
  }
  ifreq tun{};
  if (::ioctl(tun_fd_, TUNGETIFF, &tun) != 0) return std::nullopt;
  const UniqueFd there{::ioctl(tun_fd_, tun_get_dev_netns)};
  if (!there) return std::nullopt;
  TunPlace place;
  place.is_home = is_own(there.get());
  Request request{RTM_GETLINK, NLM_F_REQUEST, ifinfomsg{}};
  if (!place.is_home) {
    const std::optional<std::int32_t> id = namespace_id(there.get());
    if (!id) return std::nullopt;
    request.add(IFLA_TARGET_NETNSID, *id);
  }
  const std::size_t name_bytes = ::strnlen(tun.ifr_name, IFNAMSIZ - 1) + 1;
  request.add(IFLA_IFNAME, {reinterpret_cast<const std::uint8_t*>(tun.ifr_name), name_bytes});
  ++sequence_;
  ask(netlink_.get(), request.finish(sequence_), sequence_,
      [&](const nlmsghdr& header, ByteView body) {
        if (header.nlmsg_type != RTM_NEWLINK || body.size() < sizeof(ifinfomsg)) return;
        ifinfomsg link{};
        std::memcpy(&link, body.data(), sizeof link);
        place.ifindex = static_cast<std::uint32_t>(link.ifi_index);
        place.is_up = (link.ifi_flags & IFF_UP) != 0;
        place.mtu = find_attribute<std::uint32_t>(
                        body.subspan(std::min(body.size(), NLMSG_ALIGN(sizeof link))), IFLA_MTU)
                        .value_or(0);
      });
  return place.ifindex == 0 ? std::nullopt : std::optional{place};
}

}  // namespace tw::node
