// A packet between stages, as the scheduling sees it: its flow, and how far it is. What it carries
// is with whoever derives from it. It crosses contexts by reference.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/time.h"

namespace tw {

struct StagedPacket {
  enum class State : std::uint8_t {
    sealed,
    opened,  ///< by some context; its flow's deliver stage may take it
    dead,    ///< there was no room for it in the ring of the open stage
  };

  std::uint32_t flow = 0;
  Instant since{};  ///< waits since then
  std::atomic<State> state{State::sealed};
};

struct StageTurn;

/// Does to packets what the stages are for; runs on the context of the stage. Calls for different
/// flows come from several contexts at once.
class StageWork {
 public:
  virtual ~StageWork() = default;
  /// Opens (or seals) the packet where it lies.
  virtual void open(StagedPacket& packet, const StageTurn& turn) noexcept = 0;
  /// The packet is published and no longer the open stage's.
  virtual void opened(const StageTurn& turn) noexcept = 0;
  /// A deliver call of that flow begins.
  virtual void call_begins(std::uint32_t flow, const StageTurn& turn) noexcept = 0;
  /// The packet leaves, as the next in its flow. `place` in its deliver call, from 0.
  virtual void deliver(StagedPacket& packet, std::size_t place, const StageTurn& turn) noexcept = 0;
  /// The packet was `dead`: it is given back in its turn.
  virtual void discard(StagedPacket& packet, const StageTurn& turn) noexcept = 0;
  /// A deliver call has ended: packets that it delivered may leave together.
  virtual void call_ends(std::uint32_t flow, std::size_t packets,
                         const StageTurn& turn) noexcept = 0;
};

}  // namespace tw
