// That a client has asked for a connection, said by whoever saw the SYN first (the lane that
// decrypted it) to the relay, which may begin the onward half before the client's handshake is
// complete (KTCP, section 4.1). Whoever reports may also hold the packet back until the relay has
// answered. Plain values that go through rings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/bytes.h"
#include "wire/address.h"
#include "wire/ip/ip_packet.h"

namespace tw {

struct SynReport {
  /// `held` of a packet that has gone its way.
  static constexpr std::uint32_t not_held = std::numeric_limits<std::uint32_t>::max();

  Endpoint client, target;
  std::uint32_t sequence = 0;       ///< the client's ISN: the same again is a retransmission
  std::uint16_t payload_bytes = 0;  ///< data in the SYN (TCP Fast Open)
  /// Its client is there: it came out of the tunnel, or has completed a handshake lately.
  bool proven = true;
  /// held_number() of the packet that is held back: its reporter waits for exactly one SynAnswer.
  std::uint32_t held = not_held;

  bool is_held() const noexcept { return held != not_held; }

  /// Empty unless the packet is a TCP SYN without ACK, RST or FIN, no fragment, and its checksums
  /// hold: a damaged one names a connection that nobody has asked for. `ip` must be of `packet`.
  /// Costs a few comparisons for anything but TCP with that flag.
  static std::optional<SynReport> of(ByteView packet, const IpPacketView& ip) noexcept;
};

/// The most SYNs that each reporter may hold at a time: as many answers may be under way to it, and
/// no more.
inline constexpr std::uint32_t held_syns_max = 1024;
/// Numbers what several reporters hold: `slot`, below held_syns_max, is the reporter's own.
constexpr std::uint32_t held_number(std::size_t reporter, std::uint32_t slot) noexcept {
  return static_cast<std::uint32_t>(reporter) * held_syns_max + slot;
}
constexpr std::size_t reporter_of(std::uint32_t held) noexcept { return held / held_syns_max; }

/// The verdict on a SYN that is held.
enum class SynVerdict : std::uint8_t {
  pass,    ///< it goes on its way, to whoever accepts it
  refuse,  ///< its sender gets a reset
  drop,    ///< it is forgotten: another one of its connection is held, or has been accepted
};

struct SynAnswer {
  std::uint32_t held = SynReport::not_held;  ///< of the SynReport
  SynVerdict verdict = SynVerdict::pass;
};

}  // namespace tw
