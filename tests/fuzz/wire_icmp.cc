// link: tw_wire
// covers: wire/ip/icmp.cc
// ICMP errors: an answer is a whole packet back to the sender, within its limit, and is itself
// never answered.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "wire/ip/icmp.h"
#include "wire/ip/ip_packet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  tw::Undelivered reason;
  if ((bytes[0] & 1U) != 0) reason.why = tw::Undelivered::Why::too_big;
  reason.mtu = bytes[1] * std::uint32_t{400};
  const tw::ByteView packet{bytes + 2, size - 2};
  std::array<std::uint8_t, tw::icmp_error_max> out{};
  const std::size_t length = tw::icmp_undelivered(packet, reason, out);
  if (length == 0) return 0;
  const auto asked = tw::IpPacketView::of(packet);
  TW_ASSERT(asked);
  TW_ASSERT(length <= (asked->version == 4 ? 576U : tw::icmp_error_max));
  const tw::ByteView answer{out.data(), length};
  const auto told = tw::IpPacketView::of(answer);
  TW_ASSERT(told && told->version == asked->version && told->total_length == length);
  TW_ASSERT(std::ranges::equal(told->target, asked->source));
  TW_ASSERT(std::ranges::equal(told->source, asked->target));
  std::array<std::uint8_t, tw::icmp_error_max> again{};
  TW_ASSERT(tw::icmp_undelivered(answer, reason, again) == 0);
  return 0;
}
