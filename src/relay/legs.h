// The two sources of legs: a connection straight to the target, and one to another PoP inside the
// tunnel, with the target in a PROXY v2 header.
#pragma once

#include <string>
#include <vector>

#include "relay/leg_source.h"
#include "relay/settings.h"

namespace tw::relay {

class DirectLegs final : public LegSource {
 public:
  explicit DirectLegs(const RelayLimits& limits) noexcept : limits_(limits) {}
  Result<Leg> acquire(const LegRequest& request) override;

 private:
  const RelayLimits limits_;
};

class PopLegs final : public LegSource {
 public:
  /// `settings` names the device, our addresses, the leg port, turbo start and limits; nothing is
  /// kept of it by reference.
  PopLegs(const RelaySettings& settings, const PopSettings& pop);
  /// Fails if we have no address of the PoP's family to come from: it would not know us.
  Result<Leg> acquire(const LegRequest& request) override;

 private:
  const std::string device_;
  const std::vector<IpAddress> our_addresses_;
  const Endpoint pop_;
  const TurboSettings turbo_;
  const RelayLimits limits_;
};

}  // namespace tw::relay
