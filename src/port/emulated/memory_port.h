// Two ports joined in memory: what one sends, the other receives. For tests; one thread drives
// both.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "port/port.h"

namespace tw {

class MemoryPort final : public Port {
 public:
  /// Each end holds at most `capacity` trains that it has not polled yet; then send() to it is
  /// refused with EAGAIN. Both must live until the last use of either.
  explicit MemoryPort(std::size_t capacity = 1024) noexcept : capacity_(capacity) {}
  /// Makes two ports each other's far end.
  static void join(MemoryPort& left, MemoryPort& right) noexcept {
    left.far_ = &right;
    right.far_ = &left;
  }

  std::size_t poll(PacketBatch& batch) noexcept override;
  SendResult send(std::span<const Train> trains) noexcept override;
  PortCapabilities capabilities() const noexcept override { return capabilities_; }
  int wait_fd() const noexcept override { return -1; }
  bool arm() noexcept override { return waiting_.empty(); }

  /// Makes send() refuse with this errno; 0 ends that.
  void refuse_sends(int os_errno) noexcept { refusal_ = os_errno; }
  /// The same for trains of more than one TUN segment. EINVAL: as a kernel without the offload
  /// does, and then it is no capability any more.
  void refuse_trains(int os_errno) noexcept { train_refusal_ = os_errno; }
  /// Takes this many segments of the next train, and refuses its rest as a full socket does.
  void refuse_after_segments(std::size_t segments, int os_errno) noexcept {
    partial_ = segments;
    partial_refusal_ = os_errno;
  }
  std::size_t waiting() const noexcept { return waiting_.size(); }
  /// Lets `change` alter each train that waits here, its bytes too, as a router on the way may.
  template <typename Change>
  void mark_waiting(Change&& change) {
    for (Owned& owned : waiting_) change(owned.train);
  }

 private:
  struct Owned {
    Train train;
    std::vector<std::uint8_t> bytes;
  };
  std::size_t capacity_;
  MemoryPort* far_ = nullptr;
  std::deque<Owned> waiting_;
  PortCapabilities capabilities_{.receives_trains = true,
                                 .sends_trains = true,
                                 .checksums = true,
                                 .tcp_trains = true,
                                 .udp_trains = true};
  int refusal_ = 0;
  int train_refusal_ = 0;
  std::size_t partial_ = 0;
  int partial_refusal_ = 0;
};

}  // namespace tw
