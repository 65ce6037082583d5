// Steering of a tunnel's packets to its workers: by the kernel, if it is wanted and takes the
// programs, which are then told of sockets and of allowed IPs; else by the workers among
// themselves.
#pragma once

#include <optional>
#include <string>

#include "lane/tunnel.h"
#include "node/device/device_shadow.h"
#include "node/device/device_tuning.h"
#include "node/tunnel/tun_queues.h"
#include "node/tunnel/tunnel_sockets.h"
#include "port/kernel/kernel_steering.h"

namespace tw::node {

/// On the thread that configures the device.
class TunnelSteering {
 public:
  /// To begin with the workers steer.
  TunnelSteering() = default;
  /// A refusal of the kernel is said in the log. Needs CAP_BPF and CAP_NET_ADMIN to begin with.
  static TunnelSteering start(SteerBy wanted, const lane::Tunnel& tunnel, const TunQueues& tun,
                              const TunnelSockets& sockets);

  SteerBy by() const noexcept { return kernel_ ? SteerBy::kernel : SteerBy::user; }
  /// These are open, and others than before, whose group the kernel spreads by its own hash then.
  void use(const TunnelSockets& sockets) noexcept;
  /// The device's peers have become these.
  void follow(const DevicePlan& plan);

 private:
  std::string interface_;
  std::optional<KernelSteering> kernel_;
};

}  // namespace tw::node
