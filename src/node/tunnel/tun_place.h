// Where a TUN is: a device may be moved to another network namespace, and its sockets stay where it
// was born. What it is there (up or down, how large its MTU) is asked through rtnetlink's own view
// of other namespaces (IFLA_TARGET_NETNSID), which needs CAP_NET_ADMIN and no more: to enter the
// namespace needs CAP_SYS_ADMIN, which a running device has given up.
#pragma once

#include <cstdint>
#include <optional>

#include "base/unique_fd.h"

namespace tw::node {

struct TunPlace {
  bool is_home = false;  ///< in the namespace of this process
  std::uint32_t ifindex = 0;
  std::uint32_t mtu = 0;  ///< bytes
  bool is_up = false;
};

class TunPlaces {
 public:
  /// `tun_fd` must outlive this.
  explicit TunPlaces(int tun_fd) noexcept : tun_fd_(tun_fd) {}
  /// Where the device is now, whatever its name has become. Empty: it is gone, or the kernel is too
  /// old to tell (Linux 5.3).
  std::optional<TunPlace> find() noexcept;

 private:
  std::optional<std::int32_t> known_id(int namespace_fd) noexcept;
  std::optional<std::int32_t> namespace_id(int namespace_fd) noexcept;

  const int tun_fd_;
  UniqueFd netlink_;
  std::uint32_t sequence_ = 0;
};

}  // namespace tw::node
