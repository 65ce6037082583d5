// The listening sockets of a relay: which there are to be, and opening those that are not there
// yet. They outlive what is done behind them: a port that nobody holds for a moment is one that
// any user of the machine may take, and whoever holds the leg port is told clients' requests.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "relay/settings.h"
#include "relay/sockets/listener.h"
#include "wire/address.h"

namespace tw::relay {

/// The place that a listening socket is bound to. While this is the same, so is the socket.
struct DoorPlan {
  Endpoint address;
  std::string device;
  int device_index = 0;  ///< the device that has the name now: sockets are bound to that one
  Listener::Kind kind = Listener::Kind::clients;
  friend bool operator==(const DoorPlan&, const DoorPlan&) noexcept = default;
};

struct OpenDoor {
  DoorPlan plan;
  UniqueFd socket;  ///< listening
};

/// In the order in which they are opened: for clients by each device, in both families; for legs at
/// each of our overlay addresses.
std::vector<DoorPlan> doors_of(const RelaySettings& settings);

/// Opens those of doors_of(`settings`) that `open` does not have: all of them or, on failure, none.
/// A system without IPv6 has fewer. The devices must exist, the overlay addresses need not yet;
/// needs CAP_NET_ADMIN. May run on any thread.
Result<std::vector<OpenDoor>> open_doors(const RelaySettings& settings,
                                         const std::vector<DoorPlan>& open = {});

}  // namespace tw::relay
