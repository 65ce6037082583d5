// The queues of a TUN, bounded in time: by the program in the kernel (port/tun/tun_filter.h) where
// that can be had, else by a length in packets that is right for a fast machine and long packets.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "port/tun/tun_filter.h"
#include "port/tun/tun_queue.h"

namespace tw::node {

class TunQueueLimit {
 public:
  /// `tun_fd`: any of its `queues`. `limit`: how long a packet may wait in one; zero leaves them as
  /// they are. Never fails: what cannot be had is said in the log. Needs CAP_BPF and CAP_NET_ADMIN
  /// to begin with.
  static TunQueueLimit set(const std::string& interface, int tun_fd, std::size_t queues,
                           Duration limit);

  /// To be attached to the worker that polls this queue and told what that reads; null where queues
  /// are bounded in packets. Valid as long as this, or what it is moved to.
  TunQueue* queue(std::size_t number) const noexcept {
    return number < queues_.size() ? queues_[number].get() : nullptr;
  }
  bool is_in_time() const noexcept { return !queues_.empty(); }
  /// The length of the queue is the limit: nobody else may change it.
  bool is_in_packets() const noexcept { return in_packets_; }

 private:
  std::unique_ptr<TunFilter> filter_;
  std::vector<std::unique_ptr<TunQueue>> queues_;
  bool in_packets_ = false;
};

}  // namespace tw::node
