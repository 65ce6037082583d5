// The four WireGuard messages as bytes (whitepaper, section 5.4). Views check the length once;
// after that every field is in bounds by construction. Integers are little-endian on the wire.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"

namespace tw {

enum class WgType : std::uint8_t { initiation = 1, response = 2, cookie_reply = 3, data = 4 };

inline constexpr std::size_t wg_initiation_size = 148;
inline constexpr std::size_t wg_response_size = 92;
inline constexpr std::size_t wg_cookie_reply_size = 64;
inline constexpr std::size_t wg_data_header_size = 16;
inline constexpr std::size_t wg_tag_size = 16;
inline constexpr std::size_t wg_data_min_size = wg_data_header_size + wg_tag_size;  // a keepalive

/// The type of a datagram whose length suits that type and whose reserved bytes are zero, or empty.
std::optional<WgType> classify(ByteView datagram) noexcept;

/// A transport data message.
struct WgDataView {
  std::uint32_t receiver_index;
  std::uint64_t counter;
  ByteSpan sealed;  ///< ciphertext and tag
  /// `datagram` must be classified as data.
  static WgDataView of(ByteSpan datagram) noexcept;
};
/// Writes the 16 bytes before the ciphertext.
void write_wg_data_header(std::span<std::uint8_t, wg_data_header_size> out,
                          std::uint32_t receiver_index, std::uint64_t counter) noexcept;

template <std::size_t N>
using Field = std::span<const std::uint8_t, N>;

struct WgInitiationView {
  std::uint32_t sender_index;
  Field<32> ephemeral;
  Field<48> sealed_static;
  Field<28> sealed_timestamp;
  Field<16> mac1, mac2;
  ByteView before_mac1, before_mac2;  ///< the bytes that the two macs cover
  static std::optional<WgInitiationView> of(ByteView datagram) noexcept;
};

struct WgResponseView {
  std::uint32_t sender_index, receiver_index;
  Field<32> ephemeral;
  Field<16> sealed_nothing;
  Field<16> mac1, mac2;
  ByteView before_mac1, before_mac2;
  static std::optional<WgResponseView> of(ByteView datagram) noexcept;
};

struct WgCookieReplyView {
  std::uint32_t receiver_index;
  Field<24> nonce;
  Field<32> sealed_cookie;
  static std::optional<WgCookieReplyView> of(ByteView datagram) noexcept;
};

}  // namespace tw
