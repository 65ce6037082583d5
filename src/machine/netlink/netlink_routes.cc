#include "machine/netlink/netlink_routes.h"

#include <fmt/format.h>
#include <linux/fib_rules.h>

#include <cerrno>
#include <optional>

#include "machine/netlink/netlink_socket.h"

namespace tw {
namespace {

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

}  // namespace

Result<void> NetlinkRoutes::change_route(int type, int flags, const RouteSpec& route,
                                         std::string_view verb) {
  const std::string doing = fmt::format("{} route {}", verb, describe(route));
  auto device = links_.link(route.device);
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

Result<void> NetlinkRoutes::add_route(const RouteSpec& route) {
  return change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, "add");
}
Result<void> NetlinkRoutes::replace_route(const RouteSpec& route) {
  return change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route, "replace");
}
Result<void> NetlinkRoutes::remove_route(const RouteSpec& route) {
  return unless({ESRCH, ENOENT, ENODEV}, change_route(RTM_DELROUTE, 0, route, "remove"));
}

namespace {

AddressWay way_of(nlmsghdr* header) {
  AddressWay way;
  way.local = static_cast<const rtmsg*>(nlmsg_data(header))->rtm_type == RTN_LOCAL;
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

Result<std::optional<AddressWay>> NetlinkRoutes::way_to(const IpAddress& address) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family_number(address.family()));
  header.rtm_dst_len = static_cast<std::uint8_t>(address.bits());
  Request request(RTM_GETROUTE, 0, header);
  request.address(RTA_DST, address);
  std::optional<AddressWay> way;
  bool interrupted = false;
  const auto asked = socket_->ask_once(
      request, [&](nlmsghdr* reply) { way = way_of(reply); },
      "look up the route to " + address.text(), interrupted);
  if (asked) return way;
  if (is_one_of(asked.error(), {ENETUNREACH, EHOSTUNREACH, ESRCH, EACCES, EINVAL})) {
    return std::optional<AddressWay>{};
  }
  return std::unexpected(asked.error());
}

Result<bool> NetlinkRoutes::delivers(const IpAddress& address) {
  const auto way = way_to(address);
  if (!way) return std::unexpected(way.error());
  return *way && (*way)->local;
}

Result<std::uint32_t> NetlinkRoutes::path_mtu(const IpAddress& target) {
  const auto way = way_to(target);
  if (!way) return std::unexpected(way.error());
  if (!*way) return 0U;
  if ((*way)->mtu != 0 || (*way)->link_index == 0) return (*way)->mtu;
  return links_.mtu_of((*way)->link_index);
}

Result<std::uint32_t> NetlinkRoutes::default_route_mtu() {
  rtmsg header{};
  header.rtm_family = AF_INET;
  Request request(RTM_GETROUTE, NLM_F_DUMP, header);
  std::optional<AddressWay> way;
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
  return links_.mtu_of(way->link_index);
}

Result<bool> NetlinkRoutes::is_table_used(std::uint32_t table) {
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

Result<void> NetlinkRoutes::add_rule(const RuleSpec& rule) {
  if (auto valid = check_in_device(rule); !valid) return valid;
  Request request = rule_request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
  return unless({EEXIST}, socket_->ask(request, "add " + describe(rule)));
}

Result<void> NetlinkRoutes::remove_rule(const RuleSpec& rule) {
  if (auto valid = check_in_device(rule); !valid) return valid;
  Request request = rule_request(RTM_DELRULE, 0, rule);
  return unless({ENOENT, ESRCH}, socket_->ask(request, "remove " + describe(rule)));
}

}  // namespace tw
