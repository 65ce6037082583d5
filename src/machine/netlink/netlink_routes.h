// The machine's routes and routing rules, and what the kernel makes of them, through rtnetlink
// (netlink.h). Only a route that somebody else has made is never replaced, but reported.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "machine/netlink/netlink_links.h"
#include "wire/address.h"

namespace tw {

inline constexpr std::uint32_t main_table = 254;  ///< RT_TABLE_MAIN

/// Where packets to an address go.
struct AddressWay {
  std::uint32_t mtu = 0;         ///< of the route, in bytes; 0: it names none
  std::uint32_t link_index = 0;  ///< of the device they leave by; 0: none
  bool local = false;            ///< they are delivered here
};

struct RouteMetrics {
  std::uint32_t initcwnd = 0;        ///< segments; 0: the system's
  std::uint32_t initrwnd = 0;        ///< segments; 0: the system's
  std::string congestion_control{};  ///< "": the system's
  friend auto operator<=>(const RouteMetrics&, const RouteMetrics&) = default;
};

struct RouteSpec {
  Prefix prefix;
  std::string device;
  std::uint32_t table = main_table;
  bool local = false;  ///< type local: packets for `prefix` are delivered here
  RouteMetrics metrics{};
  friend auto operator<=>(const RouteSpec&, const RouteSpec&) = default;
};

/// Packets with this mark that came in by this device are routed by this table.
struct RuleSpec {
  Family family = Family::v4;
  std::uint32_t priority = 0;  ///< 0: the kernel puts it before those that are there
  std::uint32_t mark = 0;      ///< 0: any
  std::uint32_t table = 0;
  std::string in_device{};  ///< "": any
  bool inverted = false;    ///< packets that do not match, instead
  /// The table counts only for prefixes longer than this; -1: always. 0 leaves out its default
  /// route.
  std::int32_t suppressed_length = -1;
  friend auto operator<=>(const RuleSpec&, const RuleSpec&) = default;
};

class NetlinkRoutes {
 public:
  explicit NetlinkRoutes(std::shared_ptr<NetlinkSocket> socket) noexcept
      : socket_(socket), links_(std::move(socket)) {}

  /// The kernel's answer to `ip route get`; empty if there is no route.
  Result<std::optional<AddressWay>> way_to(const IpAddress& address);
  /// Returns true if packets to the address are delivered here. Linux begins to do so a moment
  /// after add_address() for IPv6, even without duplicate address detection.
  Result<bool> delivers(const IpAddress& address);

  /// An error with EEXIST if the table has a route to the prefix already, by whatever device.
  Result<void> add_route(const RouteSpec& route);
  /// Takes the place of the route of our own that was added before, without a gap.
  Result<void> replace_route(const RouteSpec& route);
  Result<void> remove_route(const RouteSpec& route);

  /// The MTU that packets to this address are to have, in bytes: the route's own, or its device's.
  /// 0 if there is no route.
  Result<std::uint32_t> path_mtu(const IpAddress& target);
  /// The same of the first IPv4 default route in the main table; 0 if there is none.
  Result<std::uint32_t> default_route_mtu();
  /// Returns true if the table has any route, of either family.
  Result<bool> is_table_used(std::uint32_t table);

  Result<void> add_rule(const RuleSpec& rule);
  Result<void> remove_rule(const RuleSpec& rule);

 private:
  Result<void> change_route(int type, int flags, const RouteSpec& route, std::string_view doing);

  std::shared_ptr<NetlinkSocket> socket_;
  NetlinkLinks links_;  // of the same socket: routes are asked for by their devices' indexes
};

}  // namespace tw
