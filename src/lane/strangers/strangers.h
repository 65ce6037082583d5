// A worker's ways to the others: what has come to it and is another's goes there through a bounded
// ring. The kernel steers by hints (the head of a train, which anybody may forge), or by nothing
// but a hash; that each session has one owner all the same is done here.
#pragma once

#include <algorithm>
#include <vector>

#include "exec/context.h"
#include "lane/strangers/stranger_port.h"
#include "lane/strangers/train_ring.h"

namespace tw::lane {

/// Used by one lane, on its context. Without a way, as with one worker, nothing is passed on.
class Strangers {
 public:
  /// Both rings, of which this is the producer, and the context of their consumer must outlive
  /// this.
  void add(ExecContext& owner, TrainRing& from_wire, TrainRing& from_host) {
    ways_.push_back({owner, from_wire, from_host});
  }
  bool has_ways() const noexcept { return !ways_.empty(); }

  /// Passes on a segment that came from the wire. False if the ring is full, or nobody has this id:
  /// the segment is the caller's still.
  bool from_wire(ContextId owner, const Train& train, ByteView segment) noexcept {
    Way* const way = find(owner);
    return way != nullptr && way->from_wire.add(train, segment);
  }
  /// The same for a packet that came from the host.
  bool from_host(ContextId owner, const Train& train) noexcept {
    Way* const way = find(owner);
    return way != nullptr && way->from_host.add(train, train.all());
  }
  /// The batch ends: its trains are about to be forgotten. What was passed on is the owners' now.
  void publish() noexcept {
    if (!passing_) return;
    passing_ = false;
    for (Way& way : ways_) {
      const bool of_wire = way.from_wire.publish(), of_host = way.from_host.publish();
      if (of_wire || of_host) way.owner.wake();
    }
  }

  /// Where this lane gets what the others pass on.
  StrangerPort wire, host;

 private:
  struct Way {
    ExecContext& owner;
    TrainRing& from_wire;
    TrainRing& from_host;
  };

  Way* find(ContextId owner) noexcept {
    const auto way = std::ranges::find(ways_, owner, [](Way& one) { return one.owner.id(); });
    if (way == ways_.end()) return nullptr;
    passing_ = true;
    return &*way;
  }

  std::vector<Way> ways_;
  bool passing_ = false;  // since the last publish()
};

}  // namespace tw::lane
