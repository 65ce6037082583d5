// The machine's links and their addresses, through rtnetlink (netlink.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "wire/address.h"

namespace tw {

class NetlinkSocket;

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

class NetlinkLinks {
 public:
  explicit NetlinkLinks(std::shared_ptr<NetlinkSocket> socket) noexcept
      : socket_(std::move(socket)) {}

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

  /// Returns the MTU of the device with this index, in bytes.
  Result<std::uint32_t> mtu_of(std::uint32_t index);

 private:
  std::shared_ptr<NetlinkSocket> socket_;
};

}  // namespace tw
