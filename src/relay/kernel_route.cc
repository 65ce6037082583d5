#include "relay/kernel_route.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace tw::relay {
namespace {

struct Request {
  nlmsghdr header;
  rtmsg route;
  rtattr attribute;
  std::array<std::uint8_t, 16> address;
};

Request request_for(const IpAddress& target, std::uint32_t sequence) noexcept {
  const ByteView bytes = target.bytes();
  Request request{};
  request.header.nlmsg_len = static_cast<std::uint32_t>(offsetof(Request, address) + bytes.size());
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.header.nlmsg_seq = sequence;
  request.route.rtm_family = target.is_v4() ? AF_INET : AF_INET6;
  request.route.rtm_dst_len = static_cast<std::uint8_t>(target.bits());
  request.attribute.rta_type = RTA_DST;
  request.attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(bytes.size()));
  std::ranges::copy(bytes, request.address.begin());
  return request;
}

KernelRoute route_of(const rtmsg& route, ByteView attributes) noexcept {
  if (route.rtm_type == RTN_UNREACHABLE || route.rtm_type == RTN_PROHIBIT ||
      route.rtm_type == RTN_BLACKHOLE || route.rtm_type == RTN_THROW) {
    return {.kind = KernelRoute::Kind::unreachable, .device_index = 0};
  }
  KernelRoute answer{
      .kind = route.rtm_type == RTN_UNICAST ? KernelRoute::Kind::remote : KernelRoute::Kind::local,
      .device_index = 0};
  while (attributes.size() >= sizeof(rtattr)) {
    rtattr attribute{};
    std::memcpy(&attribute, attributes.data(), sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > attributes.size()) break;
    if (attribute.rta_type == RTA_OIF && attribute.rta_len >= RTA_LENGTH(sizeof(int))) {
      std::memcpy(&answer.device_index, attributes.data() + RTA_LENGTH(0), sizeof(int));
    }
    attributes =
        attributes.subspan(std::min<std::size_t>(RTA_ALIGN(attribute.rta_len), attributes.size()));
  }
  return answer;
}

// Empty: not the answer to this question.
std::optional<Result<KernelRoute>> parse(ByteView message, std::uint32_t sequence) {
  nlmsghdr header{};
  if (message.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, message.data(), sizeof header);
  if (header.nlmsg_seq != sequence || header.nlmsg_len > message.size()) return std::nullopt;
  const ByteView body = message.first(header.nlmsg_len).subspan(NLMSG_HDRLEN);
  if (header.nlmsg_type == NLMSG_ERROR && body.size() >= sizeof(nlmsgerr)) {
    nlmsgerr error{};
    std::memcpy(&error, body.data(), sizeof error);
    const int code = -error.error;
    if (code == ENETUNREACH || code == EHOSTUNREACH || code == EACCES || code == EINVAL) {
      return KernelRoute{};
    }
    return system_error(code, "ask the kernel for a route");
  }
  if (header.nlmsg_type == RTM_NEWROUTE && body.size() >= sizeof(rtmsg)) {
    rtmsg route{};
    std::memcpy(&route, body.data(), sizeof route);
    return route_of(route, body.subspan(NLMSG_ALIGN(sizeof route)));
  }
  return make_error(Error::Kind::protocol, "ask the kernel for a route: unexpected answer");
}

}  // namespace

Result<std::unique_ptr<KernelRoutes>> KernelRoutes::open() {
  UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!socket) return system_error("open a netlink socket");
  return std::unique_ptr<KernelRoutes>{new KernelRoutes{std::move(socket)}};
}

Result<KernelRoute> KernelRoutes::ask(const IpAddress& target) noexcept {
  const Request request = request_for(target, ++sequence_);
  const auto sent = ::send(socket_.get(), &request, request.header.nlmsg_len, 0);
  if (sent < 0) return system_error("ask the kernel for a route");
  // The kernel answers while it handles the request, so the answer is there already.
  for (;;) {
    alignas(nlmsghdr) std::array<std::uint8_t, 4096> buffer;
    const auto received = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (received < 0) return system_error("ask the kernel for a route");
    const ByteView message{buffer.data(), static_cast<std::size_t>(received)};
    if (auto answer = parse(message, sequence_)) return *std::move(answer);
  }
}

}  // namespace tw::relay
