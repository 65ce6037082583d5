// Peers whose handshakes go unanswered: noted by the handshake worker, taken by the control thread.
// A peer is in it once, so that it is bounded by the peers there are. The lock is held for moments,
// and never by the data worker.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

#include "base/unique_fd.h"
#include "wg/protocol.h"

namespace tw::node {

class UnansweredPeers {
 public:
  UnansweredPeers() : ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  /// Any thread.
  void note(wg::PeerId peer) {
    const std::lock_guard lock{mutex_};
    if (!peers_.insert(peer).second) return;
    const std::uint64_t one = 1;
    static_cast<void>(::write(ready_.get(), &one, sizeof one));
  }
  /// Returns the peers that were noted since the last call.
  std::set<wg::PeerId> take() {
    // First: a peer that is noted after this is announced again, though perhaps taken now.
    std::uint64_t count = 0;
    static_cast<void>(::read(ready_.get(), &count, sizeof count));
    const std::lock_guard lock{mutex_};
    return std::exchange(peers_, {});
  }
  /// Readable when take() has something.
  int wait_fd() const noexcept { return ready_.get(); }

 private:
  UniqueFd ready_;
  std::mutex mutex_;
  std::set<wg::PeerId> peers_;
};

}  // namespace tw::node
