// Where handshakes have completed from: what the gates of all lanes know, as an initiation may come
// to any of them. Told once a handshake, asked once an initiation in a flood.
#pragma once

#include <cstddef>
#include <functional>

#include "base/hash_marks.h"
#include "wire/address.h"

namespace tw::lane {

/// Any lane may tell and ask. Whoever finds its place taken by another is a stranger again.
class KnownSources {
 public:
  // std::hash of an address is keyed with a secret of the process: nobody outside can aim at a
  // slot.
  void remember(const Endpoint& source) noexcept {
    endpoints_.remember(std::hash<Endpoint>{}(source));
    addresses_.remember(std::hash<IpAddress>{}(source.address));
  }
  bool has(const Endpoint& source) const noexcept {
    return endpoints_.has(std::hash<Endpoint>{}(source));
  }
  bool has_address(const IpAddress& address) const noexcept {
    return addresses_.has(std::hash<IpAddress>{}(address));
  }

 private:
  /// As many as a tunnel may have peers behind addresses of their own, within reason: 64 KB.
  static constexpr std::size_t slots = 16384;
  HashMarks endpoints_{slots}, addresses_{slots};
};

}  // namespace tw::lane
