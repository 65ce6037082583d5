// Watches other devices of the machine while a tunnel runs: they appear, vanish, change names and
// addresses, and the tunnel's own may be given another name. Hears of a change, and reports the
// present state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "machine/netlink/netlink_links.h"
#include "node/links/links_plan.h"

namespace tw::node {

/// Belongs to one thread and one network namespace.
class DeviceWatch {
 public:
  static Result<DeviceWatch> open();
  /// Readable when there may be something new.
  int wait_fd() const noexcept { return fd_.get(); }
  /// Takes what has come. True if there was something, or too much to be told.
  bool take_changes() noexcept;

 private:
  explicit DeviceWatch(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// Brings up to date what `around` says of devices. A device that once was a client device stays
/// one until it is gone, whatever it is called by then: to what it sends the policy still applies.
Result<void> look_around(NetlinkLinks& links, std::uint32_t link_index,
                         const std::vector<std::string>& client_devices, Surroundings& around);

/// The name of the device with this index; "" if there is none.
std::string device_name(std::uint32_t index);

}  // namespace tw::node
