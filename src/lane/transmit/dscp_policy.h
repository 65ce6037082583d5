// The class of service (DSCP, RFC 2474) that the outer header gives a packet. Copying the inner one
// shows the path what is inside, so that is a choice; the ECN bits below it always follow RFC 6040.
#pragma once

#include <cstdint>

#include "wire/ip/ecn.h"

namespace tw::lane {

class DscpPolicy {
 public:
  /// Zero, whatever the packet says: the default, as in the kernel's device.
  static constexpr DscpPolicy clear() noexcept { return DscpPolicy{0, 0}; }
  /// The packet's own. What is made here has none.
  static constexpr DscpPolicy inherit() noexcept { return DscpPolicy{dscp_mask, 0}; }
  /// This one for all, below 64: keepalives and handshake messages too.
  static constexpr DscpPolicy fixed(std::uint8_t dscp) noexcept {
    return DscpPolicy{0, static_cast<std::uint8_t>(dscp << dscp_shift)};
  }

  friend constexpr bool operator==(const DscpPolicy&, const DscpPolicy&) noexcept = default;

  /// The outer traffic class, TOS byte, of a packet with this one.
  constexpr std::uint8_t outer(std::uint8_t inner) const noexcept {
    return static_cast<std::uint8_t>((inner & (copied_ | ecn::mask)) | set_);
  }

 private:
  static constexpr unsigned dscp_shift = 2;
  static constexpr std::uint8_t dscp_mask = 0xfc;
  constexpr DscpPolicy(std::uint8_t copied, std::uint8_t set) noexcept
      : copied_(copied), set_(set) {}

  std::uint8_t copied_;
  std::uint8_t set_;
};

}  // namespace tw::lane
