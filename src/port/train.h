// A train: what one receive or send call moves. From a UDP socket, a run of datagrams of one sender
// (UDP_GRO); from a TUN, a packet with its virtio-net header. A single packet is a train of one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"
#include "wire/address.h"
#include "wire/offload/vnet_header.h"

namespace tw {

/// The address of this machine that a datagram came to, or is to come from: on a machine with
/// several, a peer must hear from the one it spoke to.
struct LocalAddress {
  IpAddress address;
  /// The interface it came in by; 0: nothing is known, and the kernel chooses by route. It does not
  /// bind what is sent to that interface (routes change), unless the address means nothing without.
  std::uint32_t ifindex = 0;

  bool known() const noexcept { return ifindex != 0; }
  friend bool operator==(const LocalAddress&, const LocalAddress&) noexcept = default;
};

/// Does not own its bytes: the PacketBatch that received it does, until it is cleared.
struct Train {
  std::uint8_t* bytes = nullptr;   ///< first byte of the first segment
  std::uint32_t length = 0;        ///< bytes of all segments together
  std::uint32_t segment_size = 0;  ///< bytes of each segment but the last, which may be shorter;
                                   ///< 0 only if length is 0
  VnetHeader vnet{};               ///< TUN only; zero from and to a UDP socket
  std::uint8_t traffic_class = 0;  ///< outer TOS byte (DSCP and ECN); UDP only
  std::uint8_t hop_limit = 0;      ///< outer TTL or hop limit; UDP send only, 0: the host's own
  /// UDP send: to an address that has proved nothing, and for which nothing is to be remembered.
  bool unproven = false;
  bool passed_on = false;  ///< came from another worker's port, and then to its owner
  Endpoint source{};       ///< UDP receive: who sent it
  Endpoint destination{};  ///< UDP send: where it goes
  LocalAddress local{};    ///< UDP: our end of it
  Duration age{};          ///< UDP receive: since the kernel had it; 0 if that is unknown
  Duration unpolled{};     ///< UDP receive: how long nobody had asked for it before

  /// Segments of a UDP train, an empty datagram being one. A TUN packet counts by its vnet header;
  /// see wire/offload/gso.h.
  std::size_t segments() const noexcept {
    return length <= segment_size ? 1 : (length + segment_size - 1) / segment_size;
  }
  /// Segment `index`, which must be below segments().
  ByteSpan segment(std::size_t index) const noexcept {
    const std::size_t begin = index * segment_size;
    return {bytes + begin, std::min<std::size_t>(segment_size, length - begin)};
  }
  ByteSpan all() const noexcept { return {bytes, length}; }
};

}  // namespace tw
