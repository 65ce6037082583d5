// Connections straight to their targets. A target's server may be told the client, in a PROXY v2
// header (proxy_targets.h).
#pragma once

#include <utility>
#include <vector>

#include "relay/legs/leg_source.h"
#include "relay/legs/proxy_targets.h"

namespace tw::relay {

class DirectLegs final : public LegSource {
 public:
  explicit DirectLegs(std::vector<ProxyTarget> proxy_protocol = {})
      : proxy_protocol_(std::move(proxy_protocol)) {}
  /// A server of `proxy_protocol` gets a PROXY v2 header first. Fast Open is not used towards it:
  /// the kernel would put the header alone into the SYN, and the request would not come sooner.
  Result<Leg> acquire(const LegRequest& request, Instant now) override;

 private:
  const std::vector<ProxyTarget> proxy_protocol_;
};

}  // namespace tw::relay
