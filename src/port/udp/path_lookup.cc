#include "port/udp/path_lookup.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace tw {
namespace {

constexpr std::size_t answer_bytes = 4096;

/// Everything else is trouble with the question, not with the way.
bool means_no_way(int os_errno) noexcept {
  return os_errno == ENETUNREACH || os_errno == EHOSTUNREACH || os_errno == EACCES ||
         os_errno == EINVAL || os_errno == ENODEV;
}

}  // namespace

KernelPaths::KernelPaths(UniqueFd socket) noexcept : socket_(std::move(socket)) {}

Result<std::unique_ptr<KernelPaths>> KernelPaths::open() {
  UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!socket) return system_error("ask the kernel for routes (netlink)");
  return std::unique_ptr<KernelPaths>{new KernelPaths{std::move(socket)}};
}

std::optional<std::expected<RouteAnswer, int>> KernelPaths::ask_route(
    const RouteQuestion& question) noexcept {
  const RouteRequest request{question, ++sequence_};
  if (::send(socket_.get(), request.bytes().data(), request.bytes().size(), 0) < 0) return {};
  // The kernel answers while it handles the request, so the answer is there already.
  for (;;) {
    alignas(nlmsghdr) std::array<std::uint8_t, answer_bytes> buffer;
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0) return {};
    const ByteView message{buffer.data(), static_cast<std::size_t>(size)};
    if (const auto answer = parse_route_answer(message, sequence_)) return answer;
  }
}

std::optional<Path> KernelPaths::ask(const PathQuestion& question) noexcept {
  RouteQuestion route{.target = question.target.address,
                      .device_index = question.target.scope_id,
                      .mark = question.fwmark,
                      .udp_source = question.own_port,
                      .udp_target = question.target.port};
  if (question.source.known()) route.source = question.source.address;
  auto answer = ask_route(route);
  if (!answer) return {};
  if (!*answer) return means_no_way(answer->error()) ? std::optional{Path{}} : std::nullopt;
  Path path{.device = (*answer)->device_index};
  if (!question.target.address.is_v4()) return path;
  if ((*answer)->is_learned) {
    // The MTU that an ICMP message told hides the one that the administrator has set.
    route.as_configured = true;
    answer = ask_route(route);
    if (!answer || !*answer || (*answer)->is_learned) return path;
  }
  path.route_mtu = (*answer)->mtu;
  return path;
}

}  // namespace tw
