#include "wire/ip/embedded_ipv4.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "base/assert.h"

namespace tw {
namespace {

constexpr std::size_t ipv4_bytes = 4;

bool has_at(ByteView bytes, std::size_t at, std::initializer_list<std::uint8_t> wanted) noexcept {
  return std::ranges::equal(bytes.subspan(at, wanted.size()), wanted);
}

bool is_zero(ByteView bytes) noexcept {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

EmbeddedIpv4::EmbeddedIpv4(const IpAddress& address) noexcept {
  if (address.is_v4()) return;
  const ByteView bytes = address.bytes();
  const ByteView last = bytes.last(ipv4_bytes);
  const ByteView head = bytes.first(12);
  // The unspecified address and loopback are none of an IPv4 machine's.
  const bool is_compatible = is_zero(head) && (!is_zero(last.first(3)) || last[3] > 1);
  const bool is_mapped = is_zero(head.first(8)) && (has_at(head, 8, {0, 0, 0xff, 0xff}) ||
                                                    has_at(head, 8, {0xff, 0xff, 0, 0}));
  const bool is_nat64 = has_at(head, 0, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0});
  if (is_compatible || is_mapped || is_nat64) add(last);
  if (has_at(bytes, 0, {0, 0x64, 0xff, 0x9b, 0, 1})) add_local_nat64(bytes);
  if (has_at(bytes, 0, {0x20, 0x02})) add(bytes.subspan(2, ipv4_bytes));
  if (has_at(bytes, 0, {0x20, 0x01, 0, 0})) {
    add(bytes.subspan(4, ipv4_bytes));
    std::array<std::uint8_t, ipv4_bytes> client{};
    std::ranges::transform(last, client.begin(), [](std::uint8_t byte) {
      return static_cast<std::uint8_t>(byte ^ 0xffU);
    });
    add(client);
  }
  // The bit that may differ says whether the IPv4 address is unique in the world.
  if ((bytes[8] & 0xfdU) == 0 && has_at(bytes, 9, {0, 0x5e, 0xfe})) add(last);
}

/// The prefix may be as long as its translator was told, and what follows the IPv4 address is zero.
/// Octet 8 belongs to none and is zero: RFC 6052, section 2.2. A reading that begins with 0 is no
/// host's (RFC 1122, section 3.2.1.3), and counts only if there is no other.
void EmbeddedIpv4::add_local_nat64(ByteView bytes) noexcept {
  constexpr std::size_t reserved = 8;
  const auto add_if = [&](std::array<std::size_t, ipv4_bytes> at) {
    if (bytes[reserved] != 0 || !is_zero(bytes.subspan(at.back() + 1))) return;
    const std::array octets{bytes[at[0]], bytes[at[1]], bytes[at[2]], bytes[at[3]]};
    if (octets[0] != 0) add(octets);
  };
  add_if({6, 7, 9, 10});
  add_if({7, 9, 10, 11});
  add_if({9, 10, 11, 12});
  const ByteView last = bytes.last(ipv4_bytes);
  if (last[0] != 0 || count_ == 0) add(last);
}

void EmbeddedIpv4::add(ByteView octets) noexcept {
  const IpAddress address = IpAddress::from_bytes(octets);
  if (std::find(begin(), end(), address) != end()) return;
  TW_ASSERT(count_ < most);
  found_[count_++] = address;
}

}  // namespace tw
