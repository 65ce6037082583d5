// Between the device's lanes and the relay: a ring of SYNs from each lane, and one of answers to
// it. A ring has one end on either side, so each lane has its own.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "node/tunnel/tunnel_device.h"
#include "relay/syn/syn_source.h"

namespace tw::node {

class TunnelSyns {
 public:
  /// `device` must outlive this. Nothing is reported yet. Fails if descriptors have run out.
  static Result<std::unique_ptr<TunnelSyns>> open(Device& device);

  /// The ends that the relay is given; valid as long as this.
  std::vector<relay::SynSource*> sources() const;
  std::vector<relay::SynAnswers*> answers() const;
  /// The lanes report from now on. Waits for them.
  void report(Device& device) const;

 private:
  struct Lane {
    std::unique_ptr<relay::SynRing> ring;
    std::unique_ptr<relay::SynRingSource> source;
    std::unique_ptr<relay::SynAnswers> answers;
  };
  std::vector<Lane> lanes_;
};

}  // namespace tw::node
