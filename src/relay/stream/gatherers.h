// Connections whose transfers come in small pieces over far paths, and until when each is left
// alone so that its next piece is larger. Few at a time: only far transfers that are neither fast
// nor idle.
#pragma once

#include <algorithm>
#include <vector>

#include "base/time.h"
#include "relay/stream/connection_table.h"

namespace tw::relay {

class Gatherers {
 public:
  /// Each connection once at a time.
  void add(ConnectionId id, Instant until) {
    waiting_.push_back({id, until});
    next_ = std::min(next_, until);
  }
  /// Calls visit(id) for each whose time is over, the connection having ended or not. The visitor
  /// must not add().
  template <typename Visitor>
  void take_due(Instant now, Visitor&& visit) {
    if (now < next_) return;
    next_ = Instant::max();
    std::erase_if(waiting_, [&](const Waiting& one) {
      if (one.until > now) {
        next_ = std::min(next_, one.until);
        return false;
      }
      visit(one.id);
      return true;
    });
  }
  /// Instant::max() if there are none.
  Instant next_deadline() const noexcept { return next_; }

 private:
  struct Waiting {
    ConnectionId id;
    Instant until;
  };
  std::vector<Waiting> waiting_;
  Instant next_ = Instant::max();
};

}  // namespace tw::relay
