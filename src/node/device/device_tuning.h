// The choices in how a device works: nothing here changes what a peer sees, but for
// the class of service. The defaults are right for nearly everybody.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "crypto/aead_choice.h"
#include "exec/governor.h"
#include "lane/transmit/dscp_policy.h"

namespace tw::node {

/// Trains cross the kernel in one piece. Each of these can be turned off; what the kernel has not,
/// or refuses later, is gone by itself, and says so in the log.
struct DeviceOffloads {
  bool udp_receive = true;     ///< UDP_GRO
  bool udp_send = true;        ///< UDP_SEGMENT
  bool tun_tcp = true;         ///< TCP trains from and to the TUN
  bool tun_udp = true;         ///< UDP trains from and to the TUN
  bool tun_udp_tunnel = true;  ///< trains inside UDP tunnels from the TUN
  friend bool operator==(const DeviceOffloads&, const DeviceOffloads&) noexcept = default;
};

struct DeviceTuning {
  std::string cipher{crypto::automatic_engine};  ///< or the name of an engine
  /// The data worker's governor. Spinning for as long as a wake-up costs spares most of them under
  /// load.
  GovernorSettings governor{.mode = GovernorSettings::Mode::adaptive};
  DeviceOffloads offloads{};
  /// The time that a packet may wait in the TUN's queue, or transport data in a socket; zero: any
  /// time. 0.5 ms lost no throughput against 1 or 2; round trips beside a saturating stream follow
  /// it.
  Duration queue_limit = 500us;
  lane::DscpPolicy dscp = lane::DscpPolicy::clear();  ///< of outer packets
};

/// The one that puts a packet on the queue of the worker that owns its session.
enum class SteerBy : std::uint8_t {
  kernel,  ///< programs in the kernel, where it takes them; else the workers, as with `user`
  user,    ///< the workers, who pass on what has come to another's queue
};

/// The threads that carry the device's packets. A session belongs to one of them.
struct DeviceWorkers {
  std::uint16_t max = 1;  ///< as many as there are: none comes or goes while the device runs
  std::vector<std::uint16_t> cores{};  ///< CPUs for the workers in turn; empty: as the kernel likes
  SteerBy steering = SteerBy::kernel;
};

/// The part of a DeviceTuning that is in effect.
struct TuningInEffect {
  DeviceOffloads offloads;       ///< wanted, had, and not lost since
  Duration queue_limit{};        ///< zero: none
  bool tun_queue_timed = false;  ///< else the TUN's queue is bounded in packets, for want of eBPF
  GovernorSettings governor;
  SteerBy steering = SteerBy::kernel;
};

}  // namespace tw::node
