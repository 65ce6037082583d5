// Moves packets from one port to another: with an EmulatedPort as the source, one direction of an
// emulated link between two TUN devices. Give each direction a context of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/counter.h"
#include "exec/poller.h"
#include "port/port.h"

namespace tw {

/// In trains.
struct ForwarderCounters {
  Counter forwarded;
  Counter refused;  ///< the target did not take them (it is down, or full): dropped
};

class Forwarder final : public Poller {
 public:
  /// The ports must outlive the forwarder; `source` is polled by nobody else.
  Forwarder(Port& source, Port& target);

  /// In steps of up to 16 trains, so it may exceed a budget by 15.
  Work poll(Instant now, std::size_t budget) noexcept override;
  Instant next_deadline() const noexcept override { return source_.next_release(); }
  std::span<const int> wait_fds() const noexcept override;
  bool arm() noexcept override { return source_.arm(); }

  const ForwarderCounters& counters() const noexcept { return counters_; }

 private:
  void send(std::span<const Train> trains) noexcept;

  Port& source_;
  Port& target_;
  const std::array<int, 1> wait_fd_;
  PacketBatch batch_;
  ForwarderCounters counters_;
};

}  // namespace tw
