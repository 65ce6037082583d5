// The other end of a veth, as rtnetlink names it. Works in the network namespace of the calling
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace tw {

struct VethPeer {
  std::uint32_t index = 0;  ///< of the device, in its own namespace
  /// The number that the calling thread's namespace has for the peer's; empty: they are the same.
  std::optional<std::int32_t> namespace_id{};
};

/// `unavailable` if the device has no other end.
Result<VethPeer> veth_peer(const std::string& device);
/// The number that the calling thread's namespace has for the one of this descriptor; -1: none.
Result<std::int32_t> namespace_id(int descriptor);

}  // namespace tw
