// The machine's links, addresses, routes and rules, through one rtnetlink socket.
//
// What add_x() took, remove_x() takes: the value is the record of how to undo it. Adding what is
// there and removing what is gone succeed, so that undoing twice does no harm; only a route that
// somebody else has made is never replaced, but reported. Errors say what was tried, and what the
// kernel said about it (NETLINK_EXT_ACK).
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/address.h"

namespace tw {

inline constexpr std::uint32_t main_table = 254;  ///< RT_TABLE_MAIN

struct LinkState {
  std::uint32_t index = 0;
  bool up = false;
  std::uint32_t mtu = 0;  ///< bytes
  std::uint32_t tx_queue_packets = 0;
  std::uint64_t tx_dropped = 0;  ///< packets the kernel could not queue on the device
};

/// An address as the kernel lists it.
struct DeviceAddress {
  std::uint32_t link_index = 0;
  InterfaceAddress address;
};

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
  /// What the table says counts only for prefixes longer than this; -1: always. 0 leaves out its
  /// default route.
  std::int32_t suppressed_length = -1;
  friend auto operator<=>(const RuleSpec&, const RuleSpec&) = default;
};

/// Belongs to one thread; works on the network namespace that thread was in at open().
class Netlink {
 public:
  /// Fails only where the kernel has no rtnetlink or no descriptor is left. Changing anything needs
  /// CAP_NET_ADMIN.
  static Result<Netlink> open();
  Netlink(Netlink&&) noexcept;
  Netlink& operator=(Netlink&&) noexcept;
  ~Netlink();

  /// `unavailable` if there is no such device.
  Result<LinkState> link(const std::string& device);
  Result<void> remove_link(const std::string& device);
  Result<void> set_up(const std::string& device, bool up);
  /// EBUSY before Linux 6.2 unless the device is down.
  Result<void> rename(std::uint32_t index, const std::string& name);
  Result<void> set_mtu(const std::string& device, std::uint32_t bytes);
  Result<void> set_tx_queue(const std::string& device, std::uint32_t packets);
  /// The longest packet that the stack leaves to the device to cut. Linux 5.18.
  Result<void> set_gso_max_size(const std::string& device, std::uint32_t bytes);
  /// Leaves the device without one (qdisc noqueue): what it turns away, its sender is told of.
  Result<void> remove_discipline(const std::string& device);

  Result<void> add_address(const std::string& device, const InterfaceAddress& address);
  Result<void> remove_address(const std::string& device, const InterfaceAddress& address);
  /// Every address of every link.
  Result<std::vector<DeviceAddress>> addresses();
  /// The kernel's answer to `ip route get`; empty if there is no route.
  Result<std::optional<AddressWay>> way_to(const IpAddress& address);
  /// Whether packets to the address are delivered here. Linux begins to do so a moment after
  /// add_address() for IPv6, even without duplicate address detection.
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
  /// Whether the table has any route, of either family.
  Result<bool> is_table_used(std::uint32_t table);

  Result<void> add_rule(const RuleSpec& rule);
  Result<void> remove_rule(const RuleSpec& rule);

 private:
  struct Socket;
  explicit Netlink(std::unique_ptr<Socket> socket) noexcept;
  Result<std::uint32_t> link_mtu(std::uint32_t index);
  Result<void> change_route(int type, int flags, const RouteSpec& route, std::string_view doing);
  std::unique_ptr<Socket> socket_;
};

}  // namespace tw
