#include "relay/admission/kernel_route.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "wire/message/route_message.h"

namespace tw::relay {
namespace {

constexpr const char* what = "ask the kernel for a route";

KernelRoute route_of(const RouteAnswer& answer) noexcept {
  if (answer.type == RTN_UNREACHABLE || answer.type == RTN_PROHIBIT ||
      answer.type == RTN_BLACKHOLE || answer.type == RTN_THROW) {
    return {.kind = KernelRoute::Kind::unreachable, .device_index = 0};
  }
  return {.kind = answer.type == RTN_UNICAST ? KernelRoute::Kind::remote : KernelRoute::Kind::local,
          .device_index = static_cast<int>(answer.device_index),
          .on_link = !answer.has_gateway};
}

Result<KernelRoute> without_answer(int os_errno) {
  if (os_errno == ENETUNREACH || os_errno == EHOSTUNREACH || os_errno == EACCES ||
      os_errno == EINVAL) {
    return KernelRoute{};
  }
  if (os_errno == EPROTO) {
    return make_error(Error::Kind::protocol, std::string{what} + ": unexpected answer");
  }
  return system_error(os_errno, what);
}

}  // namespace

Result<std::unique_ptr<KernelRoutes>> KernelRoutes::open() {
  UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!socket) return system_error("open a netlink socket");
  return std::unique_ptr<KernelRoutes>{new KernelRoutes{std::move(socket)}};
}

Result<KernelRoute> KernelRoutes::ask(const IpAddress& target) noexcept {
  const RouteRequest request{{.target = target}, ++sequence_};
  const auto sent = ::send(socket_.get(), request.bytes().data(), request.bytes().size(), 0);
  if (sent < 0) return system_error(what);
  // The kernel answers while it handles the request, so the answer is there already.
  for (;;) {
    alignas(nlmsghdr) std::array<std::uint8_t, 4096> buffer;
    const auto received = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (received < 0) return system_error(what);
    const ByteView message{buffer.data(), static_cast<std::size_t>(received)};
    const auto answer = parse_route_answer(message, sequence_);
    if (!answer) continue;
    return *answer ? Result<KernelRoute>{route_of(**answer)} : without_answer(answer->error());
  }
}

}  // namespace tw::relay
