// The second stage of the receive side: sealed packets in, opened packets out. All are opened in
// one batch, whosever they are, where they lie. The stage knows nothing of peers.
#pragma once

#include "crypto/aead_engine.h"
#include "lane/counters.h"
#include "lane/receive/received_packets.h"

namespace tw::lane {

class OpenStage {
 public:
  /// Both must outlive the stage; the engine belongs to the context that opens.
  OpenStage(crypto::AeadEngine& engine, LaneCounters& counters) noexcept
      : engine_(engine), counters_(counters) {}

  /// Returns the same packets, opened, or marked as not authentic. They refer to `sealed`.
  OpenedPackets open(SealedPackets& sealed) noexcept {
    engine_.submit_open(sealed.jobs());
    engine_.complete();
    counters_.open_batches.add();
    counters_.open_jobs.add(sealed.jobs().size());
    return {sealed.jobs(), sealed.arrivals()};
  }

 private:
  crypto::AeadEngine& engine_;
  LaneCounters& counters_;
};

}  // namespace tw::lane
