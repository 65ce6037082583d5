#include "node/machine/netlink.h"

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <optional>
#include <utility>

#include "base/assert.h"

namespace tw::node {
namespace {

using OnMessage = std::function<void(nlmsghdr*)>;

// A dump that others changed meanwhile is inconsistent, and is asked for again.
constexpr int dump_attempts = 8;

struct Freed {
  void operator()(nl_sock* socket) const noexcept { nl_socket_free(socket); }
  void operator()(nl_msg* message) const noexcept { nlmsg_free(message); }
  void operator()(nl_cb* callbacks) const noexcept { nl_cb_put(callbacks); }
};

// One request under construction. Its parts are few and bounded, so they always fit the page that
// libnl gives a message; what does not is a programmer's error.
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
  nlattr* open_nest(int attribute) { return nla_nest_start(message_.get(), attribute); }
  void close_nest(nlattr* nest) { nla_nest_end(message_.get(), nest); }
  nl_msg* get() noexcept { return message_.get(); }

 private:
  std::unique_ptr<nl_msg, Freed> message_;
};

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

// A name the kernel would refuse anyway, but that libnl would cut off first.
Result<void> check_name(const std::string& device) {
  if (!device.empty() && device.size() < IFNAMSIZ) return {};
  return make_error(Error::Kind::config,
                    fmt::format("device name \"{}\": must have 1 to 15 characters", device));
}

std::string describe(const RouteSpec& route) {
  std::string text =
      fmt::format("{}{} dev {}", route.local ? "local " : "", route.prefix.text(), route.device);
  if (route.table != main_table) text += fmt::format(" table {}", route.table);
  return text;
}

std::string describe(const RuleSpec& rule) {
  return fmt::format("{} rule: {}from {} with mark {:#x} to table {} (priority {})",
                     rule.family == Family::v4 ? "IPv4" : "IPv6", rule.inverted ? "not " : "",
                     rule.in_device.empty() ? "any" : rule.in_device, rule.mark, rule.table,
                     rule.priority);
}

void put_metrics(Request& request, const RouteMetrics& metrics) {
  if (metrics == RouteMetrics{}) return;
  nlattr* nest = request.open_nest(RTA_METRICS);
  if (metrics.initcwnd != 0) request.number(RTAX_INITCWND, metrics.initcwnd);
  if (metrics.initrwnd != 0) request.number(RTAX_INITRWND, metrics.initrwnd);
  if (!metrics.congestion_control.empty()) {
    request.text(RTAX_CC_ALGO, metrics.congestion_control);
  }
  request.close_nest(nest);
}

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

struct Netlink::Socket {
  std::unique_ptr<nl_sock, Freed> handle;

  Result<void> ask_once(Request& request, const OnMessage& on_message, std::string_view doing,
                        bool& interrupted) {
    Exchange exchange{&on_message};
    const std::unique_ptr<nl_cb, Freed> callbacks{nl_cb_alloc(NL_CB_DEFAULT)};
    TW_ASSERT(callbacks != nullptr);
    nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &exchange);
    nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, on_end, &exchange);
    nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_end, &exchange);
    nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &exchange);

    if (const int sent = nl_send_auto(handle.get(), request.get()); sent < 0) {
      return make_error(Error::Kind::unavailable,
                        fmt::format("{}: rtnetlink send: {}", doing, nl_geterror(sent)));
    }
    interrupted = false;
    while (!exchange.done) {
      const int received = nl_recvmsgs(handle.get(), callbacks.get());
      if (received == -NLE_DUMP_INTR) interrupted = true;
      if (received < 0 && !exchange.done) {
        return make_error(Error::Kind::unavailable,
                          fmt::format("{}: rtnetlink receive: {}", doing, nl_geterror(received)));
      }
    }
    if (exchange.os_errno == 0) return {};
    const std::string remark = exchange.remark.empty() ? "" : fmt::format(" ({})", exchange.remark);
    return system_error(exchange.os_errno, fmt::format("{}{}", doing, remark));
  }

  Result<void> ask(Request& request, std::string_view doing) {
    bool interrupted = false;
    return ask_once(request, [](nlmsghdr*) {}, doing, interrupted);
  }

  Result<void> set_link(const std::string& device, std::string_view doing, const ifinfomsg& change,
                        int attribute, std::uint32_t value) {
    if (auto valid = check_name(device); !valid) return valid;
    Request request(RTM_NEWLINK, 0, change);
    request.text(IFLA_IFNAME, device);
    if (attribute != IFLA_UNSPEC) request.number(attribute, value);
    return ask(request, doing);
  }
};

Netlink::Netlink(std::unique_ptr<Socket> socket) noexcept : socket_(std::move(socket)) {}
Netlink::Netlink(Netlink&&) noexcept = default;
Netlink& Netlink::operator=(Netlink&&) noexcept = default;
Netlink::~Netlink() = default;

Result<Netlink> Netlink::open() {
  auto socket = std::make_unique<Socket>();
  socket->handle.reset(nl_socket_alloc());
  if (!socket->handle) return make_error(Error::Kind::exhausted, "rtnetlink socket: out of memory");
  if (const int rc = nl_connect(socket->handle.get(), NETLINK_ROUTE); rc < 0) {
    return make_error(Error::Kind::unavailable,
                      fmt::format("rtnetlink socket: {}", nl_geterror(rc)));
  }
  // Only makes errors say more: an old kernel without it is as good.
  const int on = 1;
  setsockopt(nl_socket_get_fd(socket->handle.get()), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  return Netlink{std::move(socket)};
}

Result<LinkState> Netlink::link(const std::string& device) {
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

Result<void> Netlink::remove_link(const std::string& device) {
  if (auto valid = check_name(device); !valid) return valid;
  Request request(RTM_DELLINK, 0, ifinfomsg{});
  request.text(IFLA_IFNAME, device);
  return unless({ENODEV}, socket_->ask(request, "remove device " + device));
}

Result<void> Netlink::set_up(const std::string& device, bool up) {
  ifinfomsg change{};
  change.ifi_change = IFF_UP;
  change.ifi_flags = up ? unsigned{IFF_UP} : 0U;
  return socket_->set_link(device, fmt::format("bring {} {}", device, up ? "up" : "down"), change,
                           IFLA_UNSPEC, 0);
}

Result<void> Netlink::set_mtu(const std::string& device, std::uint32_t bytes) {
  return socket_->set_link(device, fmt::format("set the MTU of {} to {}", device, bytes), {},
                           IFLA_MTU, bytes);
}

Result<void> Netlink::set_tx_queue(const std::string& device, std::uint32_t packets) {
  return socket_->set_link(device,
                           fmt::format("set the queue of {} to {} packets", device, packets), {},
                           IFLA_TXQLEN, packets);
}

Result<void> Netlink::set_gso_max_size(const std::string& device, std::uint32_t bytes) {
  return socket_->set_link(device, fmt::format("set gso_max_size of {} to {}", device, bytes), {},
                           IFLA_GSO_MAX_SIZE, bytes);
}

namespace {

Result<Request> address_request(Netlink& netlink, int type, int flags, const std::string& device,
                                const InterfaceAddress& address) {
  auto link = netlink.link(device);
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

Result<void> Netlink::add_address(const std::string& device, const InterfaceAddress& address) {
  const std::string doing =
      fmt::format("add address {}/{} to {}", address.address.text(), address.length, device);
  auto request = address_request(*this, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, device, address);
  if (!request) return in_context(doing, request.error());
  return unless({EEXIST}, socket_->ask(*request, doing));
}

Result<void> Netlink::remove_address(const std::string& device, const InterfaceAddress& address) {
  const std::string doing =
      fmt::format("remove address {}/{} from {}", address.address.text(), address.length, device);
  auto request = address_request(*this, RTM_DELADDR, 0, device, address);
  if (!request) {
    if (request.error().kind == Error::Kind::unavailable) return {};  // gone with its device
    return in_context(doing, request.error());
  }
  return unless({EADDRNOTAVAIL, ENODEV}, socket_->ask(*request, doing));
}

Result<std::vector<LocalAddress>> Netlink::addresses() {
  std::vector<LocalAddress> found;
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

Result<bool> Netlink::delivers(const IpAddress& address) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family_number(address.family()));
  header.rtm_dst_len = static_cast<std::uint8_t>(address.bits());
  Request request(RTM_GETROUTE, 0, header);
  request.address(RTA_DST, address);
  bool local = false;
  const OnMessage look = [&local](nlmsghdr* reply) {
    local = static_cast<const rtmsg*>(nlmsg_data(reply))->rtm_type == RTN_LOCAL;
  };
  bool interrupted = false;
  auto asked =
      socket_->ask_once(request, look, "look up the route to " + address.text(), interrupted);
  if (asked) return local;
  if (is_one_of(asked.error(), {ENETUNREACH, EHOSTUNREACH, ESRCH})) return false;
  return std::unexpected(asked.error());
}

Result<void> Netlink::change_route(int type, int flags, const RouteSpec& route,
                                   std::string_view verb) {
  const std::string doing = fmt::format("{} route {}", verb, describe(route));
  auto device = link(route.device);
  if (!device) {
    // The kernel takes a device's routes away with it.
    if (type == RTM_DELROUTE && device.error().kind == Error::Kind::unavailable) return {};
    return in_context(doing, device.error());
  }
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family_number(route.prefix.address.family()));
  header.rtm_dst_len = route.prefix.length;
  header.rtm_table = RT_TABLE_UNSPEC;  // the number is in RTA_TABLE, which has room for it
  header.rtm_protocol = type == RTM_DELROUTE ? RTPROT_UNSPEC : RTPROT_STATIC;
  header.rtm_type = route.local ? RTN_LOCAL : RTN_UNICAST;
  header.rtm_scope = route.local ? RT_SCOPE_HOST : RT_SCOPE_LINK;
  Request request(type, flags, header);
  request.number(RTA_TABLE, route.table).number(RTA_OIF, device->index);
  if (route.prefix.length > 0) request.address(RTA_DST, route.prefix.address);
  if (type != RTM_DELROUTE) put_metrics(request, route.metrics);
  return socket_->ask(request, doing);
}

Result<void> Netlink::add_route(const RouteSpec& route) {
  return change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, "add");
}
Result<void> Netlink::replace_route(const RouteSpec& route) {
  return change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route, "replace");
}
Result<void> Netlink::remove_route(const RouteSpec& route) {
  return unless({ESRCH, ENOENT, ENODEV}, change_route(RTM_DELROUTE, 0, route, "remove"));
}

namespace {

/// A route's own MTU and its device; 0: it names none.
struct RouteWay {
  std::uint32_t mtu = 0, link_index = 0;
};

RouteWay way_of(nlmsghdr* header) {
  RouteWay way;
  if (auto* index = nlmsg_find_attr(header, sizeof(rtmsg), RTA_OIF)) {
    way.link_index = nla_get_u32(index);
  }
  auto* metrics = nlmsg_find_attr(header, sizeof(rtmsg), RTA_METRICS);
  if (metrics == nullptr) return way;
  const nlattr* mtu =
      nla_find(static_cast<const nlattr*>(nla_data(metrics)), nla_len(metrics), RTAX_MTU);
  if (mtu != nullptr) way.mtu = nla_get_u32(mtu);
  return way;
}

std::uint32_t table_of(nlmsghdr* header) {
  auto* table = nlmsg_find_attr(header, sizeof(rtmsg), RTA_TABLE);
  if (table != nullptr) return nla_get_u32(table);
  return static_cast<const rtmsg*>(nlmsg_data(header))->rtm_table;
}

}  // namespace

Result<std::uint32_t> Netlink::link_mtu(std::uint32_t index) {
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

Result<std::uint32_t> Netlink::path_mtu(const IpAddress& target) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family_number(target.family()));
  header.rtm_dst_len = static_cast<std::uint8_t>(target.bits());
  Request request(RTM_GETROUTE, 0, header);
  request.address(RTA_DST, target);
  RouteWay way;
  bool interrupted = false;
  const auto asked = socket_->ask_once(
      request, [&](nlmsghdr* reply) { way = way_of(reply); },
      "look up the route to " + target.text(), interrupted);
  if (!asked) {
    if (is_one_of(asked.error(), {ENETUNREACH, EHOSTUNREACH, ESRCH, EACCES, EINVAL})) return 0U;
    return std::unexpected(asked.error());
  }
  if (way.mtu != 0 || way.link_index == 0) return way.mtu;
  return link_mtu(way.link_index);
}

Result<std::uint32_t> Netlink::default_route_mtu() {
  rtmsg header{};
  header.rtm_family = AF_INET;
  Request request(RTM_GETROUTE, NLM_F_DUMP, header);
  std::optional<RouteWay> way;
  bool interrupted = false;
  const auto asked = socket_->ask_once(
      request,
      [&](nlmsghdr* reply) {
        const auto* route = static_cast<const rtmsg*>(nlmsg_data(reply));
        if (!way && route->rtm_dst_len == 0 && table_of(reply) == main_table) way = way_of(reply);
      },
      "look up the default route", interrupted);
  if (!asked) return std::unexpected(asked.error());
  if (!way) return 0U;
  if (way->mtu != 0 || way->link_index == 0) return way->mtu;
  return link_mtu(way->link_index);
}

Result<bool> Netlink::is_table_used(std::uint32_t table) {
  bool used = false;
  for (const int family : {AF_INET, AF_INET6}) {
    rtmsg header{};
    header.rtm_family = static_cast<std::uint8_t>(family);
    Request request(RTM_GETROUTE, NLM_F_DUMP, header);
    bool interrupted = false;
    const auto asked = socket_->ask_once(
        request, [&](nlmsghdr* reply) { used = used || table_of(reply) == table; },
        "list the routes", interrupted);
    if (!asked) return std::unexpected(asked.error());
  }
  return used;
}

namespace {

Result<void> check_in_device(const RuleSpec& rule) {
  return rule.in_device.empty() ? Result<void>{} : check_name(rule.in_device);
}

Request rule_request(int type, int flags, const RuleSpec& rule) {
  fib_rule_hdr header{};
  header.family = static_cast<std::uint8_t>(family_number(rule.family));
  header.action = FR_ACT_TO_TBL;
  if (rule.inverted) header.flags |= FIB_RULE_INVERT;
  Request request(type, flags, header);
  request.number(FRA_TABLE, rule.table);
  if (rule.priority != 0) request.number(FRA_PRIORITY, rule.priority);
  if (rule.mark != 0) request.number(FRA_FWMARK, rule.mark).number(FRA_FWMASK, 0xffffffffU);
  if (!rule.in_device.empty()) request.text(FRA_IIFNAME, rule.in_device);
  if (rule.suppressed_length >= 0) {
    request.number(FRA_SUPPRESS_PREFIXLEN, static_cast<std::uint32_t>(rule.suppressed_length));
  }
  return request;
}

}  // namespace

Result<void> Netlink::add_rule(const RuleSpec& rule) {
  if (auto valid = check_in_device(rule); !valid) return valid;
  Request request = rule_request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
  return unless({EEXIST}, socket_->ask(request, "add " + describe(rule)));
}

Result<void> Netlink::remove_rule(const RuleSpec& rule) {
  if (auto valid = check_in_device(rule); !valid) return valid;
  Request request = rule_request(RTM_DELRULE, 0, rule);
  return unless({ENOENT, ESRCH}, socket_->ask(request, "remove " + describe(rule)));
}

}  // namespace tw::node
