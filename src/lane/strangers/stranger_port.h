// The trains that other workers pass on to this one, as a port: so they are taken in turns with the
// sockets, or the TUN queue, and under their budget.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/assert.h"
#include "lane/strangers/train_ring.h"
#include "port/port.h"

namespace tw::lane {

/// Trains come with `Train::passed_on` set. Nothing is sent.
class StrangerPort final : public Port {
 public:
  /// Before the first poll. `ring`, of which this is the consumer, must outlive this.
  void add(TrainRing& ring) { rings_.push_back(&ring); }
  bool has_any() const noexcept { return !rings_.empty(); }

  std::size_t poll(PacketBatch& batch) noexcept override {
    const std::size_t before = batch.size();
    for (std::size_t i = 0; i < rings_.size() && batch.room() > 0; ++i) {
      rings_[next_]->poll(batch);
      next_ = (next_ + 1) % rings_.size();
    }
    return batch.size() - before;
  }
  SendResult send(std::span<const Train> /*trains*/) noexcept override {
    TW_ASSERT(false);
    return {};
  }
  /// Whoever passes something on wakes the context.
  int wait_fd() const noexcept override { return -1; }
  bool arm() noexcept override {
    return std::ranges::all_of(rings_, [](const TrainRing* ring) { return ring->empty(); });
  }

 private:
  std::vector<TrainRing*> rings_;
  std::size_t next_ = 0;
};

}  // namespace tw::lane
