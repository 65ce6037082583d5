// Integers as bytes: network order (IP, TCP, UDP, PROXY) and little-endian (WireGuard). The typed
// Be16 and Be32 keep a swapped number from being used as a plain one; they never leave `wire/`.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"

namespace tw {

/// An unsigned integer whose bytes in memory are in network order.
template <std::unsigned_integral T>
class BigEndian {
 public:
  constexpr BigEndian() noexcept = default;
  constexpr explicit BigEndian(T host) noexcept : raw_(swapped(host)) {}
  constexpr T host() const noexcept { return swapped(raw_); }
  friend constexpr bool operator==(BigEndian, BigEndian) noexcept = default;

 private:
  static constexpr T swapped(T value) noexcept {
    if constexpr (std::endian::native == std::endian::little) return std::byteswap(value);
    return value;
  }
  T raw_ = 0;
};
using Be16 = BigEndian<std::uint16_t>;
using Be32 = BigEndian<std::uint32_t>;

namespace wire_detail {

constexpr bool fits(ByteView bytes, std::size_t offset, std::size_t size) noexcept {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

template <std::unsigned_integral T>
T load(ByteView bytes, std::size_t offset) noexcept {
  T value;
  TW_DASSERT(fits(bytes, offset, sizeof value));
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}
template <std::unsigned_integral T>
void store(ByteSpan bytes, std::size_t offset, T value) noexcept {
  TW_DASSERT(fits(bytes, offset, sizeof value));
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}
template <std::unsigned_integral T>
constexpr T little(T value) noexcept {
  if constexpr (std::endian::native == std::endian::big) return std::byteswap(value);
  return value;
}

}  // namespace wire_detail

// All of these: `offset` and the integer's size must lie inside `bytes` (a programmer's error if
// not; the caller has checked the length). No alignment is needed.

inline std::uint16_t load_be16(ByteView bytes, std::size_t offset) noexcept {
  return std::bit_cast<Be16>(wire_detail::load<std::uint16_t>(bytes, offset)).host();
}
inline std::uint32_t load_be32(ByteView bytes, std::size_t offset) noexcept {
  return std::bit_cast<Be32>(wire_detail::load<std::uint32_t>(bytes, offset)).host();
}
inline void store_be16(ByteSpan bytes, std::size_t offset, std::uint16_t value) noexcept {
  wire_detail::store(bytes, offset, std::bit_cast<std::uint16_t>(Be16{value}));
}
inline void store_be32(ByteSpan bytes, std::size_t offset, std::uint32_t value) noexcept {
  wire_detail::store(bytes, offset, std::bit_cast<std::uint32_t>(Be32{value}));
}
inline std::uint32_t load_le32(ByteView bytes, std::size_t offset) noexcept {
  return wire_detail::little(wire_detail::load<std::uint32_t>(bytes, offset));
}
inline std::uint64_t load_le64(ByteView bytes, std::size_t offset) noexcept {
  return wire_detail::little(wire_detail::load<std::uint64_t>(bytes, offset));
}
inline void store_le32(ByteSpan bytes, std::size_t offset, std::uint32_t value) noexcept {
  wire_detail::store(bytes, offset, wire_detail::little(value));
}
inline void store_le64(ByteSpan bytes, std::size_t offset, std::uint64_t value) noexcept {
  wire_detail::store(bytes, offset, wire_detail::little(value));
}

}  // namespace tw
