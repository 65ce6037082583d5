// A train as the segments it stands for, whatever it came from: datagrams of a UDP socket, a GSO
// packet of a TUN, or a single packet. What wraps ports counts, loses and cuts segments, never
// trains.
#pragma once

#include <cstddef>
#include <optional>

#include "port/train.h"
#include "wire/offload/gso.h"

namespace tw {

/// A view: the train and its bytes must outlive it.
class TrainSegments {
 public:
  explicit TrainSegments(const Train& train) noexcept;

  /// At least 1. A TUN packet whose vnet header does not hold water counts as one.
  std::size_t count() const noexcept { return count_; }
  /// Bytes of segment `index` as an IP packet on the link, with headers of its own.
  std::size_t wire_bytes(std::size_t index) const noexcept;
  /// Bytes that slice() will write.
  std::size_t slice_length(std::size_t first, std::size_t count) const noexcept;
  /// Copies segments [first, first + count), which must exist, to `out` as a train of their own.
  /// `out` must have room for slice_length() and not overlap the train.
  Train slice(std::size_t first, std::size_t count, ByteSpan out) const noexcept;

  /// From or to a UDP socket: its bytes begin behind the UDP header.
  static bool is_datagrams(const Train& train) noexcept {
    return train.source.port != 0 || train.destination.port != 0;
  }

 private:
  bool is_whole(std::size_t first, std::size_t count) const noexcept {
    return first == 0 && count == count_;
  }

  const Train& train_;
  std::optional<GsoView> gso_;  // of a TUN train that is to be segmented
  std::size_t count_ = 1;
  std::size_t header_bytes_ = 0;  // in front of each datagram
};

}  // namespace tw
