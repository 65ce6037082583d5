// The TUN of a tunnel: the interface, and a port for each of its queues, bounded in time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "node/device/device_tuning.h"
#include "node/tunnel/tun_queue_limit.h"
#include "port/tun/tun_port.h"
#include "wire/offload/coalescer.h"

namespace tw::node {

class TunQueues {
 public:
  /// Makes the interface (down, without addresses) with `count` queues, which stay as many. Needs
  /// CAP_NET_ADMIN and /dev/net/tun. `mtu`: bytes, of inner packets.
  static Result<TunQueues> open(const std::string& interface, std::uint32_t mtu, std::size_t count,
                                const DeviceTuning& tuning);

  const std::string& interface() const noexcept { return interface_; }
  int ifindex() const noexcept { return ifindex_; }
  /// A descriptor that tells of the interface as long as it lives, wherever it is moved.
  int fd() const noexcept { return ports_.front()->wait_fd(); }
  /// Trains inside UDP tunnels come out of it; none are taken.
  bool gives_udp_tunnels() const noexcept { return gives_udp_tunnels_; }
  /// Follows a new MTU of the interface, as far as it is here: see limit_trains().
  void mtu_changed(std::uint32_t mtu) const { limit_trains(mtu); }

  std::size_t count() const noexcept { return ports_.size(); }
  TunPort& port(std::size_t number) noexcept { return *ports_[number]; }
  /// Returns the poller that bounds a queue in time. It must be attached to the context that polls
  /// the port, before the port's poller. Null: that queue is bounded in packets, or not at all.
  TunQueue* limit(std::size_t number) noexcept { return limit_.queue(number); }
  bool is_limited_in_time() const noexcept { return limit_.is_in_time(); }
  /// For want of eBPF the interface's queue is bounded by its length, which nobody else may change.
  bool is_limited_in_packets() const noexcept { return limit_.is_in_packets(); }

 private:
  /// Limits the packets of the interface to what fits one send once it is sealed. Longer ones would
  /// be cut in two: slower, no more. But what a device above makes of up to 64 KB (VXLAN, whose own
  /// limit we do not know) the kernel would cut into single packets if this one took less. What is
  /// refused is logged.
  void limit_trains(std::uint32_t mtu) const;

  std::string interface_;
  int ifindex_ = 0;
  bool gives_udp_tunnels_ = false;
  std::vector<std::unique_ptr<TunPort>> ports_;
  TunQueueLimit limit_;
};

}  // namespace tw::node
