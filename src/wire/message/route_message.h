// The question "by which way would this packet leave?" as the kernel's rtnetlink takes it
// (RTM_GETROUTE), and its answer. Bytes alone: who owns a socket sends and receives them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>

#include "base/bytes.h"
#include "wire/address.h"

namespace tw {

/// The known facts of the packet. A field left at 0 is not asked about: rules that look at it do
/// not match.
struct RouteQuestion {
  IpAddress target;
  std::optional<IpAddress> source{};  ///< of the target's family
  std::uint32_t device_index = 0;     ///< it must leave by this one (a link-local target)
  std::uint32_t mark = 0;
  std::uint16_t udp_source = 0, udp_target = 0;  ///< host order; both, or neither
  /// The route as it is configured, not what has been learned of one destination (Linux 4.13; an
  /// older kernel answers as if it had not been asked for).
  bool as_configured = false;
};

struct RouteAnswer {
  std::uint8_t type = 0;  ///< RTN_UNICAST, RTN_LOCAL, …
  std::uint32_t device_index =
      0;                     ///< it leaves by this one; 0 if the answer names none, or several
  bool has_gateway = false;  ///< else it is on the device's own link
  std::uint32_t mtu = 0;     ///< of the route itself or learned; 0: the device's
  bool is_learned = false;   ///< `mtu` is what somebody's ICMP message said, and will expire
};

/// A request of its own: nothing is allocated.
class RouteRequest {
 public:
  RouteRequest(const RouteQuestion& question, std::uint32_t sequence) noexcept;
  ByteView bytes() const noexcept { return ByteView{bytes_}.first(size_); }

 private:
  void add(std::uint16_t type, ByteView value) noexcept;
  alignas(8) std::array<std::uint8_t, 128> bytes_{};
  std::size_t size_ = 0;
};

/// Empty: a message that does not answer `sequence`. An error is the kernel's errno: ENETUNREACH,
/// EHOSTUNREACH and EACCES where no route leads, EINVAL or ENETUNREACH where the source is not
/// ours; EPROTO is our own, for what is no answer.
std::optional<std::expected<RouteAnswer, int>> parse_route_answer(ByteView message,
                                                                  std::uint32_t sequence) noexcept;

}  // namespace tw
