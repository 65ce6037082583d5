// The Internet checksum (RFC 1071): the one's-complement sum of 16-bit words. It does not care
// about byte order or about the order of its parts, so bytes are summed in words as wide as the
// machine loads them, with vectors where the CPU has them, and put into network order at the end.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace tw {

/// A sum under way. Parts may be added in any order, as long as each begins at an even offset of
/// what is summed; an odd part is padded with a zero byte.
class InternetSum {
 public:
  InternetSum() noexcept = default;

  /// Reads each byte once: 20 bytes a cycle with AVX2, 8 without.
  void add(ByteView bytes) noexcept;
  /// Adds `from` while copying it to `out`, which must have room and may not overlap it: one pass
  /// over the bytes instead of two.
  void add_copying(ByteView from, ByteSpan out) noexcept;
  void add_number(std::uint16_t host) noexcept;
  void add(InternetSum part) noexcept { add_native(part.native_); }

  /// The sum itself, host order: what a half-done checksum field holds.
  std::uint16_t folded() const noexcept;
  /// Its complement, host order: what a finished checksum field holds. Over bytes that include a
  /// right checksum this is 0.
  std::uint16_t checksum() const noexcept { return static_cast<std::uint16_t>(~folded()); }

 private:
  void add_native(std::uint64_t word) noexcept {
    native_ += word;
    native_ += native_ < word ? 1U : 0U;
  }
  std::uint64_t native_ = 0;
};

/// The pseudo-header of TCP and UDP: RFC 9293 section 3.1 for IPv4 (4-byte addresses), RFC 8200
/// section 8.1 for IPv6. `length` counts the transport header and its payload.
InternetSum pseudo_header_sum(ByteView source, ByteView target, std::uint8_t protocol,
                              std::uint32_t length) noexcept;

/// The finished checksum after one 16-bit word of what it covers changed: RFC 1624, equation 3.
std::uint16_t updated_checksum(std::uint16_t checksum, std::uint16_t old_word,
                               std::uint16_t new_word) noexcept;

}  // namespace tw
