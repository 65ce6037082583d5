// A dispatcher passes these to workers: requests, and the marks by which a slot changes hands.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "steer/table/indirection_table.h"

namespace tw {

/// A request of an open-loop load: it says itself how much work it is.
struct ServiceRequest {
  std::uint32_t hash = 0;      ///< of its flow
  std::uint32_t flow = 0;      ///< number of its flow
  std::uint32_t sequence = 0;  ///< in its flow
  Slot slot{};                 ///< set by the dispatcher
  Instant sent{};              ///< when it was meant to be sent
  Duration service{};
};

/// Slots that go together from one worker to another. The dispatcher owns it, and uses it again
/// when the new owner has told it that the slots have arrived.
struct SlotBatch {
  std::uint8_t from = 0, to = 0;
  std::vector<Slot> slots;
  /// The new owner's: which of its two marks have come. The hold waits behind other requests.
  bool is_holding = false, is_released = false;
};

/// An entry of the ring from the dispatcher to a worker.
struct WorkItem {
  enum class Kind : std::uint8_t {
    request,
    hold,   ///< to the new owner: hold these slots' requests until they are released
    fence,  ///< to the old owner: nothing of these slots follows; release them
  };
  Kind kind = Kind::request;
  ServiceRequest request{};
  SlotBatch* batch = nullptr;
};

}  // namespace tw
