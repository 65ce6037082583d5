// The phases of a relayed connection, each with the data that only it has.
//
//   ReadingHeader ──▶ Deciding ──▶ Connecting ──▶ Greeting ──▶ Asking ──▶ Relaying ──▶ Finished
//   (legs only)          ▲             │          (both only with a leg that is to)
//                        └── stale ────┘
//
// Any phase may end in Finished. A half whose back has failed is Failed until its client comes.
#pragma once

#include <cstdint>
#include <variant>

#include "base/time.h"
#include "relay/journey/back_proof.h"
#include "relay/journey/front_proof.h"
#include "relay/journey/step.h"
#include "relay/proof/pop_proof.h"

namespace tw::relay {

/// The front is a leg of another PoP, whose PROXY header has not come.
struct ReadingHeader {
  FrontProof proof;
  std::uint32_t unskipped = 0;  ///< see read_leg_header()
  bool begun = false;           ///< an octet of it is here
  /// True if the leg may stay so, as a warm one: it owes nothing.
  bool may_wait() const noexcept { return !begun && proof.may_wait(); }
};

/// The target is known, and the way is not: the first one, or the next after a leg that was lost.
struct Deciding {
  Ending lost{};          ///< why the last leg was lost, if one was
  bool leg_only = false;  ///< its PoP is not to blame: a fresh leg to it may live
};

/// The back is on its way.
struct Connecting {
  BackProof proof;
  bool writable = false;  ///< the back's socket
  bool answers = false;   ///< Leg::answers
  Instant begun;
};

/// The back is a leg that has been sent a hello, and no header yet.
struct Greeting {
  BackProof proof;
  bool answers = false;  ///< Leg::answers
};

/// The back is a leg that will tell when the target's server has accepted the connection.
struct Asking {
  BackProof proof;  ///< may still be awaited
};

/// Bytes go both ways, as soon as the client is there.
struct Relaying {
  BackProof proof;                ///< may still be awaited; nothing goes to the front before
  std::uint64_t undelivered = 0;  ///< bytes in both send queues when last looked at
  Instant notice_death_from = Instant::max();  ///< when the server's death is to be noticed
};

/// The back has failed, and the client is not there yet to be told.
struct Failed {
  Ending ending;
};

/// Nothing is left but to close the sockets.
struct Finished {
  Ending ending;
  LegFault fault = LegFault::none;  ///< of a leg's header
};

using Phase =
    std::variant<ReadingHeader, Deciding, Connecting, Greeting, Asking, Relaying, Failed, Finished>;

}  // namespace tw::relay
