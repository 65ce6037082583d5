// A port that misbehaves on purpose: it loses, repeats, swaps and damages what it receives from the
// port that it wraps, by chance but repeatably. For tests of whatever must survive that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/counter.h"
#include "base/random.h"
#include "port/port.h"

namespace tw {

/// Chances between 0 and 1, each decided for every train by itself.
struct FaultSettings {
  double drop = 0;
  double duplicate = 0;
  double reorder = 0;  ///< the train is held back until the next one has passed
  double corrupt = 0;  ///< one bit is flipped
  std::uint64_t seed = 1;
};

struct FaultCounters {
  Counter dropped, duplicated, reordered, corrupted;
};

/// Sends pass through untouched: wrap both ends to trouble both directions. Holds at most 97
/// trains. Allocates as it goes, unlike the ports of the data plane.
class FaultPort final : public Port {
 public:
  /// `inner` must outlive the port. `buffer_bytes`: the largest train that it will deliver.
  FaultPort(Port& inner, FaultSettings settings, std::size_t buffer_bytes = 65'536);

  std::size_t poll(PacketBatch& batch) noexcept override;
  SendResult send(std::span<const Train> trains) noexcept override { return inner_.send(trains); }
  PortCapabilities capabilities() const noexcept override { return inner_.capabilities(); }
  int wait_fd() const noexcept override { return inner_.wait_fd(); }
  bool arm() noexcept override { return ready_.empty() && !held_ && inner_.arm(); }
  Instant next_release() const noexcept override { return inner_.next_release(); }
  std::uint64_t kernel_drops() const noexcept override { return inner_.kernel_drops(); }

  const FaultCounters& counters() const noexcept { return counters_; }

 private:
  struct Owned {
    Train train;
    std::vector<std::uint8_t> bytes;
  };
  static constexpr std::size_t batch_trains = 32;

  void intake() noexcept;

  Port& inner_;
  FaultSettings settings_;
  SeededRandom random_;
  PacketBatch batch_;
  std::deque<Owned> ready_;
  std::optional<Owned> held_;
  FaultCounters counters_;
};

}  // namespace tw
