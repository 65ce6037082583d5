#include "machine/netlink/napi_netlink.h"

#include <fmt/format.h>
#include <linux/genetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "machine/netlink/netlink_socket.h"

namespace tw {
namespace {

// As in the kernel's include/uapi/linux/netdev.h, which Debian 12's headers do not have yet.
constexpr std::string_view family_name = "netdev";
constexpr std::uint8_t napi_get = 11, napi_set = 14;
constexpr std::uint8_t family_version = 1;
enum Attribute : std::uint8_t {
  attr_ifindex = 1,
  attr_id = 2,
  attr_irq = 3,
  attr_pid = 4,
  attr_defer_hard_irqs = 5,
  attr_gro_flush_timeout = 6,
  attr_irq_suspend_timeout = 7,
  attr_threaded = 8,
};
constexpr int dump_attempts = 8;

genlmsghdr header_of(std::uint8_t command, std::uint8_t version = family_version) {
  genlmsghdr header{};
  header.cmd = command;
  header.version = version;
  return header;
}

/// Returns an attribute of 4 or 8 bytes: the kernel sends "uint" as short as it can.
std::optional<std::uint64_t> number_of(nlmsghdr* message, int kind) {
  const nlattr* found = nlmsg_find_attr(message, sizeof(genlmsghdr), kind);
  if (found == nullptr) return {};
  if (nla_len(found) == sizeof(std::uint32_t)) return nla_get_u32(found);
  if (nla_len(found) == sizeof(std::uint64_t)) return nla_get_u64(found);
  return {};
}

std::uint32_t small_number_of(nlmsghdr* message, int kind) {
  return static_cast<std::uint32_t>(number_of(message, kind).value_or(0));
}

NapiState napi_of(nlmsghdr* message) {
  return {.id = small_number_of(message, attr_id),
          .irq = small_number_of(message, attr_irq),
          .thread_pid = small_number_of(message, attr_pid),
          .threaded = number_of(message, attr_threaded),
          .defer_hard_irqs = number_of(message, attr_defer_hard_irqs),
          .gro_flush_timeout = number_of(message, attr_gro_flush_timeout),
          .irq_suspend_timeout = number_of(message, attr_irq_suspend_timeout)};
}

int number_in_netlink(NapiAttribute attribute) {
  constexpr std::array numbers{attr_defer_hard_irqs, attr_gro_flush_timeout,
                               attr_irq_suspend_timeout, attr_threaded};
  return numbers.at(static_cast<std::size_t>(attribute));
}

}  // namespace

struct NapiNetlink::Socket {
  std::unique_ptr<nl_sock, FreedByLibnl> handle;
  int family = 0;
};

NapiNetlink::NapiNetlink(std::unique_ptr<Socket> socket) noexcept : socket_(std::move(socket)) {}
NapiNetlink::NapiNetlink(NapiNetlink&&) noexcept = default;
NapiNetlink& NapiNetlink::operator=(NapiNetlink&&) noexcept = default;
NapiNetlink::~NapiNetlink() = default;

Result<NapiNetlink> NapiNetlink::open() {
  auto socket = std::make_unique<Socket>();
  socket->handle.reset(nl_socket_alloc());
  if (!socket->handle) return make_error(Error::Kind::exhausted, "netlink socket: out of memory");
  if (const int rc = nl_connect(socket->handle.get(), NETLINK_GENERIC); rc < 0) {
    return make_error(Error::Kind::unavailable,
                      fmt::format("generic netlink socket: {}", nl_geterror(rc)));
  }
  const int on = 1;  // makes errors say more, where the kernel can
  ::setsockopt(nl_socket_get_fd(socket->handle.get()), SOL_NETLINK, NETLINK_EXT_ACK, &on,
               sizeof on);
  Request request(GENL_ID_CTRL, 0, header_of(CTRL_CMD_GETFAMILY));
  request.text(CTRL_ATTR_FAMILY_NAME, std::string{family_name});
  bool interrupted = false;
  const auto asked = exchange(
      *socket->handle, request,
      [&](nlmsghdr* message) {
        const nlattr* id = nlmsg_find_attr(message, sizeof(genlmsghdr), CTRL_ATTR_FAMILY_ID);
        if (id != nullptr) socket->family = nla_get_u16(id);
      },
      "look up the netlink family netdev", interrupted);
  if (!asked || socket->family == 0) {
    return make_error(Error::Kind::unavailable,
                      "this kernel has no netlink family netdev (Linux 6.8)");
  }
  return NapiNetlink{std::move(socket)};
}

Result<std::vector<NapiState>> NapiNetlink::napis(std::uint32_t device_index) {
  std::vector<NapiState> found;
  bool interrupted = true;
  for (int attempt = 0; attempt < dump_attempts && interrupted; ++attempt) {
    found.clear();
    interrupted = false;
    Request request(socket_->family, NLM_F_DUMP, header_of(napi_get));
    request.number(attr_ifindex, device_index);
    const auto asked = exchange(
        *socket_->handle, request, [&](nlmsghdr* message) { found.push_back(napi_of(message)); },
        "list the NAPIs", interrupted);
    if (!asked) return std::unexpected(asked.error());
  }
  std::ranges::sort(found, {}, &NapiState::id);
  return found;
}

Result<void> NapiNetlink::set(std::uint32_t napi_id, NapiAttribute attribute, std::uint64_t value) {
  Request request(socket_->family, NLM_F_ACK, header_of(napi_set));
  request.number(attr_id, napi_id);
  const int kind = number_in_netlink(attribute);
  if (value <= UINT32_MAX) {
    request.number(kind, static_cast<std::uint32_t>(value));
  } else {
    std::array<std::uint8_t, sizeof value> octets{};
    std::memcpy(octets.data(), &value, sizeof value);
    request.bytes(kind, octets);
  }
  bool interrupted = false;
  return exchange(
      *socket_->handle, request, [](nlmsghdr*) {}, fmt::format("set NAPI {}", napi_id),
      interrupted);
}

}  // namespace tw
