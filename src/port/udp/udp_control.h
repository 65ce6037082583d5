// Reads the control messages (cmsg(3)) that the kernel gives with a received train, within the
// bytes that it has filled, whatever their lengths claim.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>

#include "base/bytes.h"
#include "port/train.h"

namespace tw {

struct UdpControl {
  std::uint32_t segment_size = 0;            ///< of a train (UDP_GRO); 0: it is one datagram
  std::uint8_t traffic_class = 0;            ///< IP_TOS, IPV6_TCLASS
  LocalAddress local{};                      ///< IP_PKTINFO, IPV6_PKTINFO
  std::optional<timespec> arrived{};         ///< SO_TIMESTAMPNS: by the wall clock
  std::optional<std::uint32_t> overflows{};  ///< SO_RXQ_OVFL: dropped since the socket's beginning

  /// Reads `control`, a msghdr's control buffer as far as it was filled. Messages of other kinds,
  /// and those too short for what they are to hold, are skipped; what follows one whose length
  /// leads out of the buffer is not looked for. Of two of a kind the later one counts.
  static UdpControl read(ByteView control) noexcept;
};

}  // namespace tw
