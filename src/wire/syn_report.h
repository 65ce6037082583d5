// That a client has asked for a connection, said by whoever saw the SYN first (the lane that
// decrypted it) to the relay, which may begin the onward half before the client's handshake is
// complete (KTCP, section 4.1). A plain value that goes through a ring.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/address.h"
#include "wire/ip_packet.h"

namespace tw {

struct SynReport {
  Endpoint client, target;
  std::uint32_t sequence = 0;       ///< the client's ISN: the same again is a retransmission
  std::uint16_t payload_bytes = 0;  ///< data in the SYN (TCP Fast Open)
  /// Its client is there: it came out of the tunnel, or has completed a handshake lately.
  bool proven = true;

  /// Empty unless the packet is a TCP SYN without ACK, RST or FIN, and no fragment. `ip` must be of
  /// `packet`. Costs a few comparisons for anything but TCP with that flag.
  static std::optional<SynReport> of(ByteView packet, const IpPacketView& ip) noexcept;
};

}  // namespace tw
