// Counts the packets that came out behind the tunnel, peer by peer: how many, in what order, and
// whether intact. Written by the sink's thread alone; totals may be read while it runs.
#pragma once

#include <cstdint>
#include <vector>

#include "base/counter.h"
#include "lab/clients/pattern.h"
#include "wg/replay_window.h"

namespace tw::lab {

struct PeerArrivals {
  std::uint64_t received = 0;   ///< once each, of those that were measured
  std::uint64_t reordered = 0;  ///< of them: came after one that was sent later
};

class Arrivals {
 public:
  /// Memory: 1 KB a peer, here and never again.
  explicit Arrivals(std::uint32_t peers) : peers_(peers), orders_(peers) {}

  /// A payload that the pattern has judged; `stamp` is looked at if it is intact.
  void note(Reading reading, const Stamp& stamp) noexcept;

  const std::vector<PeerArrivals>& peers() const noexcept { return peers_; }
  std::uint64_t received() const noexcept { return received_.value(); }
  std::uint64_t reordered() const noexcept { return reordered_.value(); }
  /// Came a second time, or more than 8,128 packets late.
  std::uint64_t repeated() const noexcept { return repeated_.value(); }
  std::uint64_t corrupt() const noexcept { return corrupt_.value(); }
  std::uint64_t foreign() const noexcept { return foreign_.value(); }
  /// All that came, whatever it was.
  std::uint64_t datagrams() const noexcept { return datagrams_.value(); }

 private:
  struct Order {
    wg::ReplayWindow window;
    std::uint64_t next = 0;  // one more than the highest sequence seen
  };
  std::vector<PeerArrivals> peers_;
  std::vector<Order> orders_;
  Counter datagrams_, received_, reordered_, repeated_, corrupt_, foreign_;
};

}  // namespace tw::lab
