// The UDP sockets of a tunnel: one a family, both on the same port.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "lane/transmit/transmit_pipeline.h"
#include "node/device/device_tuning.h"
#include "port/udp/udp_port.h"

namespace tw::node {

class TunnelSockets {
 public:
  /// `port` 0: one that is free in both families. A machine without IPv6 gets IPv4 alone. Fails if
  /// the port is in use in either family. `changes` (null: nobody tells of any) must outlive this.
  static Result<TunnelSockets> open(std::uint16_t port, std::uint32_t fwmark,
                                    const DeviceOffloads& offloads,
                                    const PathChanges* changes = nullptr);

  /// As the kernel's device while it is down: nothing comes or goes, port and mark are kept.
  void close() noexcept;
  bool is_open() const noexcept { return v4_ != nullptr; }
  /// While closed: what the next open() is to ask for.
  void set_port(std::uint16_t port) noexcept { port_ = port; }

  /// Sets the mark of both sockets, or of none. 0: no mark.
  Result<void> set_fwmark(std::uint32_t fwmark);
  std::uint32_t fwmark() const noexcept { return fwmark_; }
  std::uint16_t port() const noexcept { return port_; }
  /// Trains come whole from every socket: wanted, and the kernel has it.
  bool receive_trains() const noexcept { return receive_trains_; }
  /// Trains leave whole from every socket. On the context that sends.
  bool send_trains() const noexcept;
  /// Datagrams that the kernel had no room for.
  std::uint64_t kernel_drops() const noexcept;
  /// Valid as long as this, or what it is moved to.
  lane::UdpPorts ports() const noexcept { return {v4_.get(), v6_.get()}; }

 private:
  TunnelSockets() = default;
  std::unique_ptr<UdpPort> v4_, v6_;  // v6: null without IPv6
  std::uint16_t port_ = 0;
  std::uint32_t fwmark_ = 0;
  bool receive_trains_ = false;
};

}  // namespace tw::node
