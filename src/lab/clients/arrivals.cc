#include "lab/clients/arrivals.h"

#include <algorithm>

namespace tw::lab {

void Arrivals::note(Reading reading, const Stamp& stamp) noexcept {
  datagrams_.add();
  if (reading == Reading::foreign) {
    foreign_.add();
    return;
  }
  if (reading == Reading::corrupt || stamp.peer >= peers_.size()) {
    corrupt_.add();
    return;
  }
  Order& order = orders_[stamp.peer];
  if (!order.window.accept(stamp.sequence)) {
    repeated_.add();
    return;
  }
  const bool late = stamp.sequence < order.next;
  order.next = std::max(order.next, stamp.sequence + 1);
  if (!stamp.measured) return;
  PeerArrivals& peer = peers_[stamp.peer];
  ++peer.received;
  received_.add();
  if (!late) return;
  ++peer.reordered;
  reordered_.add();
}

}  // namespace tw::lab
