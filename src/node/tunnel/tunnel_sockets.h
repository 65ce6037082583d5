// The UDP sockets of a tunnel: for each worker one a family, all on the same port.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "lane/transmit/transmit_pipeline.h"
#include "node/device/device_tuning.h"
#include "port/kernel/kernel_steering.h"
#include "port/udp/sockets.h"
#include "port/udp/udp_port.h"

namespace tw::node {

class TunnelSockets {
 public:
  /// `port` 0: one that is free in both families. A machine without IPv6 gets IPv4 alone. Fails if
  /// the port is in use in either family. `changes` (null: nobody tells of any) must outlive this.
  /// With several workers, the kernel spreads datagrams over their sockets by its own hash of the
  /// sender, until it is told otherwise (port/kernel/kernel_steering.h).
  static Result<TunnelSockets> open(std::uint16_t port, std::uint32_t fwmark,
                                    const DeviceOffloads& offloads,
                                    const PathChanges* changes = nullptr, std::size_t workers = 1);

  /// As the kernel's device while it is down: nothing comes or goes, port and mark are kept.
  void close() noexcept;
  bool is_open() const noexcept { return !pairs_.empty(); }
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
  lane::UdpPorts ports(std::size_t worker = 0) const noexcept {
    return is_open() ? lane::UdpPorts{pairs_[worker].v4.get(), pairs_[worker].v6.get()}
                     : lane::UdpPorts{};
  }
  /// Tells the programs that steer which socket is whose, and makes them choose among these.
  Result<void> steer(KernelSteering& steering) const;

 private:
  struct Pair {
    std::unique_ptr<UdpPort> v4, v6;  // v6: null without IPv6
  };

  TunnelSockets() = default;
  static Result<Pair> open_pair(const UdpOptions& options, const PathChanges* changes,
                                std::uint16_t& port);
  Result<void> open_others(const UdpOptions& options, const PathChanges* changes,
                           std::size_t workers);
  std::vector<UdpPort*> all() const;

  std::vector<Pair> pairs_;  // by worker
  std::uint16_t port_ = 0;
  std::uint32_t fwmark_ = 0;
  bool receive_trains_ = false;
};

}  // namespace tw::node
