// The parts that the netlink sockets of this folder have in common: one request under construction,
// and the exchange of it for the kernel's answer. Nobody else includes this.
#pragma once

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "base/result.h"
#include "wire/address.h"

namespace tw {

/// Called with each message of an answer.
using OnMessage = std::function<void(nlmsghdr*)>;

struct FreedByLibnl {
  void operator()(nl_sock* socket) const noexcept { nl_socket_free(socket); }
  void operator()(nl_msg* message) const noexcept { nlmsg_free(message); }
  void operator()(nl_cb* callbacks) const noexcept { nl_cb_put(callbacks); }
};

/// One request under construction. Its parts are few and bounded, so they always fit the page that
/// libnl gives a message; what does not is a programmer's error.
class Request {
 public:
  template <typename Header>
  Request(int type, int flags, const Header& header)
      : message_(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags)) {
    TW_ASSERT(message_ != nullptr);
    Header copy = header;
    TW_ASSERT(nlmsg_append(message_.get(), &copy, sizeof copy, NLMSG_ALIGNTO) == 0);
  }
  Request& number(int attribute, std::uint32_t value) {
    TW_ASSERT(nla_put_u32(message_.get(), attribute, value) == 0);
    return *this;
  }
  Request& text(int attribute, const std::string& value) {
    TW_ASSERT(nla_put_string(message_.get(), attribute, value.c_str()) == 0);
    return *this;
  }
  Request& address(int attribute, const IpAddress& value) {
    const ByteView octets = value.bytes();
    TW_ASSERT(nla_put(message_.get(), attribute, static_cast<int>(octets.size()), octets.data()) ==
              0);
    return *this;
  }
  Request& bytes(int attribute, ByteView value) {
    TW_ASSERT(nla_put(message_.get(), attribute, static_cast<int>(value.size()), value.data()) ==
              0);
    return *this;
  }
  nlattr* open_nest(int attribute) { return nla_nest_start(message_.get(), attribute); }
  void close_nest(nlattr* nest) { nla_nest_end(message_.get(), nest); }
  nl_msg* get() noexcept { return message_.get(); }

 private:
  std::unique_ptr<nl_msg, FreedByLibnl> message_;
};

/// Sends the request and hands on what comes back. The error has the kernel's errno, and what it
/// says beside. `interrupted`: it was a dump that others changed meanwhile, and is inconsistent.
Result<void> exchange(nl_sock& socket, Request& request, const OnMessage& on_message,
                      std::string_view doing, bool& interrupted);

/// An rtnetlink socket, shared by the classes that speak by it.
class NetlinkSocket {
 public:
  /// Fails only where the kernel has no rtnetlink or no descriptor is left.
  static Result<std::shared_ptr<NetlinkSocket>> open();

  /// exchange() over this socket.
  Result<void> ask_once(Request& request, const OnMessage& on_message, std::string_view doing,
                        bool& interrupted);
  /// Sends a request whose only answer is whether it was granted.
  Result<void> ask(Request& request, std::string_view doing);
  /// Changes a link. `attribute` IFLA_UNSPEC: only what is in `change`.
  Result<void> set_link(const std::string& device, std::string_view doing, const ifinfomsg& change,
                        int attribute, std::uint32_t value);

 private:
  explicit NetlinkSocket(std::unique_ptr<nl_sock, FreedByLibnl> handle) noexcept
      : handle_(std::move(handle)) {}
  std::unique_ptr<nl_sock, FreedByLibnl> handle_;
};

int family_number(Family family) noexcept;
bool is_one_of(const Error& error, std::initializer_list<int> numbers) noexcept;
/// Success in place of an error with one of these numbers.
Result<void> unless(std::initializer_list<int> harmless, Result<void> result);
/// Refuses a name the kernel would refuse anyway, but that libnl would cut off first.
Result<void> check_name(const std::string& device);

}  // namespace tw
