// The device as the configuration in force wants it. The next configuration is compared with that,
// so that a reload leaves alone the peers that did not change, wherever they have roamed.
#pragma once

#include <span>

#include "base/result.h"
#include "node/config/config.h"
#include "node/device/device.h"
#include "node/device/device_diff.h"
#include "node/endpoints/named_endpoints.h"

namespace tw::node {

class AppliedDevice {
 public:
  /// `device` must outlive this.
  explicit AppliedDevice(DeviceControl& device) : device_(device) {}

  /// Changes the device only where `wanted` differs. On failure the device, and what it is compared
  /// with, stay as they were.
  Result<void> apply(WantedDevice wanted);
  /// Gives peers the endpoints that their names stand for by now. `peers` are those of the
  /// configuration in force; their names are for the log.
  Result<void> move(std::span<const NamedEndpoints::Move> moves, std::span<const PeerConfig> peers);

 private:
  DeviceControl& device_;
  WantedDevice wanted_;
};

}  // namespace tw::node
