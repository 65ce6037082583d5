// A target that is nearer from here than its PoP is connected to directly: no leg can be of use
// then. The round trip through a PoP is not known (its last part is the PoP's), but it is longer
// than the leg's; so the target's own round trip is held against the leg's. With hysteresis: a
// choice stays until the other way is clearly better. A pure rule, by networks of targets, which it
// forgets.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "base/time.h"
#include "wire/address.h"

namespace tw::relay {

class PathChoice {
 public:
  /// Targets of one network are as near as each other: IPv4 /24, IPv6 /48.
  static constexpr std::uint8_t bits_v4 = 24, bits_v6 = 48;
  /// A measurement is believed for so long; a network in use is measured again after half.
  static constexpr Duration memory = 2min;
  /// Networks that are known at one time; further ones go by their PoPs.
  static constexpr std::size_t most_networks = 4096;

  /// True if `target` is known to be nearer than a PoP whose leg takes `leg_rtt` (zero: unknown).
  bool prefers_direct(const IpAddress& target, Duration leg_rtt, Instant now) noexcept;
  /// True if its round trip should be measured now: once, until a minute has passed.
  bool wants_measure(const IpAddress& target, Instant now);
  /// A round trip from here, as TCP measured it when it connected.
  void measured(const IpAddress& target, Duration rtt, Instant now);
  std::size_t networks() const noexcept { return networks_.size(); }

 private:
  struct Network {
    Duration rtt{0};  // zero: not known
    Instant measured, asked;
    bool direct = false;
  };
  static Prefix network_of(const IpAddress& target) noexcept;
  Network* remember(const IpAddress& target, Instant now);

  std::unordered_map<IpAddress, Network> networks_;
};

}  // namespace tw::relay
