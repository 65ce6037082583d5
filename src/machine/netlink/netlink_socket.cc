#include "machine/netlink/netlink_socket.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <net/if.h>

#include <cstddef>
#include <cstring>
#include <utility>

namespace tw {
namespace {

struct Exchange {
  const OnMessage* on_message;
  bool done = false;
  int os_errno = 0;
  std::string remark{};  // what the kernel adds to the errno, if anything
};

// The extended acknowledgement: attributes behind the error and (unless capped) the request.
std::string remark_of(const nlmsgerr* error) {
  const nlmsghdr* header = reinterpret_cast<const nlmsghdr*>(error) - 1;
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  std::size_t offset = NLMSG_HDRLEN + sizeof(nlmsgerr);
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) offset += error->msg.nlmsg_len - NLMSG_HDRLEN;
  offset = NLMSG_ALIGN(offset);
  if (offset >= header->nlmsg_len) return {};
  const auto* first =
      reinterpret_cast<const nlattr*>(reinterpret_cast<const char*>(header) + offset);
  const nlattr* found =
      nla_find(first, static_cast<int>(header->nlmsg_len - offset), NLMSGERR_ATTR_MSG);
  if (found == nullptr || nla_len(found) <= 0) return {};
  const auto size = static_cast<std::size_t>(nla_len(found));
  return std::string(static_cast<const char*>(nla_data(found)),
                     strnlen(nla_get_string(found), size));
}

int on_valid(nl_msg* message, void* argument) {
  (*static_cast<Exchange*>(argument)->on_message)(nlmsg_hdr(message));
  return NL_OK;
}
int on_end(nl_msg*, void* argument) {
  static_cast<Exchange*>(argument)->done = true;
  return NL_STOP;
}
int on_error(sockaddr_nl*, nlmsgerr* error, void* argument) {
  auto& exchange = *static_cast<Exchange*>(argument);
  exchange.done = true;
  exchange.os_errno = -error->error;
  exchange.remark = remark_of(error);
  return NL_STOP;
}

}  // namespace

Result<void> exchange(nl_sock& socket, Request& request, const OnMessage& on_message,
                      std::string_view doing, bool& interrupted) {
  Exchange under_way{&on_message};
  const std::unique_ptr<nl_cb, FreedByLibnl> callbacks{nl_cb_alloc(NL_CB_DEFAULT)};
  TW_ASSERT(callbacks != nullptr);
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &under_way);
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, on_end, &under_way);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_end, &under_way);
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &under_way);

  if (const int sent = nl_send_auto(&socket, request.get()); sent < 0) {
    return make_error(Error::Kind::unavailable,
                      fmt::format("{}: netlink send: {}", doing, nl_geterror(sent)));
  }
  interrupted = false;
  while (!under_way.done) {
    const int received = nl_recvmsgs(&socket, callbacks.get());
    if (received == -NLE_DUMP_INTR) interrupted = true;
    if (received < 0 && !under_way.done) {
      return make_error(Error::Kind::unavailable,
                        fmt::format("{}: netlink receive: {}", doing, nl_geterror(received)));
    }
  }
  if (under_way.os_errno == 0) return {};
  const std::string remark = under_way.remark.empty() ? "" : fmt::format(" ({})", under_way.remark);
  return system_error(under_way.os_errno, fmt::format("{}{}", doing, remark));
}

Result<std::shared_ptr<NetlinkSocket>> NetlinkSocket::open() {
  std::unique_ptr<nl_sock, FreedByLibnl> handle{nl_socket_alloc()};
  if (!handle) return make_error(Error::Kind::exhausted, "rtnetlink socket: out of memory");
  if (const int rc = nl_connect(handle.get(), NETLINK_ROUTE); rc < 0) {
    return make_error(Error::Kind::unavailable,
                      fmt::format("rtnetlink socket: {}", nl_geterror(rc)));
  }
  // Only makes errors say more: an old kernel without it is as good.
  const int on = 1;
  setsockopt(nl_socket_get_fd(handle.get()), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  return std::shared_ptr<NetlinkSocket>{new NetlinkSocket(std::move(handle))};
}

Result<void> NetlinkSocket::ask_once(Request& request, const OnMessage& on_message,
                                     std::string_view doing, bool& interrupted) {
  return exchange(*handle_, request, on_message, doing, interrupted);
}

Result<void> NetlinkSocket::ask(Request& request, std::string_view doing) {
  bool interrupted = false;
  return ask_once(request, [](nlmsghdr*) {}, doing, interrupted);
}

Result<void> NetlinkSocket::set_link(const std::string& device, std::string_view doing,
                                     const ifinfomsg& change, int attribute, std::uint32_t value) {
  if (auto valid = check_name(device); !valid) return valid;
  Request request(RTM_NEWLINK, 0, change);
  request.text(IFLA_IFNAME, device);
  if (attribute != IFLA_UNSPEC) request.number(attribute, value);
  return ask(request, doing);
}

int family_number(Family family) noexcept { return family == Family::v4 ? AF_INET : AF_INET6; }

bool is_one_of(const Error& error, std::initializer_list<int> numbers) noexcept {
  for (const int number : numbers) {
    if (error.os_errno == number) return true;
  }
  return false;
}

Result<void> unless(std::initializer_list<int> harmless, Result<void> result) {
  if (!result && is_one_of(result.error(), harmless)) return {};
  return result;
}

Result<void> check_name(const std::string& device) {
  if (!device.empty() && device.size() < IFNAMSIZ) return {};
  return make_error(Error::Kind::config,
                    fmt::format("device name \"{}\": must have 1 to 15 characters", device));
}

}  // namespace tw
