// The queue of a TUN, bounded in time: by the program in the kernel (port/tun/tun_filter.h) where
// that can be had, else by a length in packets that is right for a fast machine and long packets.
#pragma once

#include <memory>
#include <string>

#include "base/time.h"
#include "port/tun/tun_filter.h"
#include "port/tun/tun_queue.h"

namespace tw::node {

class TunQueueLimit {
 public:
  /// `limit`: how long a packet may wait in the queue; zero leaves the queue as it is. Never fails:
  /// what cannot be had is said in the log. Needs CAP_BPF and CAP_NET_ADMIN to begin with.
  static TunQueueLimit set(const std::string& interface, int tun_fd, Duration limit);

  /// To be attached to the worker that polls the TUN and told what that reads; null where the queue
  /// is bounded in packets. Valid as long as this, or what it is moved to.
  TunQueue* queue() const noexcept { return queue_.get(); }
  /// The length of the queue is the limit: nobody else may change it.
  bool is_in_packets() const noexcept { return in_packets_; }

 private:
  std::unique_ptr<TunFilter> filter_;
  std::unique_ptr<TunQueue> queue_;
  bool in_packets_ = false;
};

}  // namespace tw::node
