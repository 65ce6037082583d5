// Bytes that must not outlive their use: wiped when they go, compared in constant time, never
// printed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace tw::crypto {

/// Overwrites in a way the compiler may not remove.
void wipe(ByteSpan bytes) noexcept;
/// Constant time in the contents; false at once if the lengths differ.
bool equal(ByteView left, ByteView right) noexcept;
/// From the kernel's getrandom(2).
void random_bytes(ByteSpan out) noexcept;

/// N bytes of key material. A copy is wiped like its original, and a move wipes its source at once.
template <std::size_t N>
class Secret {
 public:
  Secret() noexcept = default;  ///< all zero
  explicit Secret(std::span<const std::uint8_t, N> bytes) noexcept {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  }
  Secret(const Secret&) noexcept = default;
  Secret& operator=(const Secret&) noexcept = default;
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    bytes_ = other.bytes_;
    wipe(other.bytes_);
    return *this;
  }
  ~Secret() { wipe(bytes_); }

  ByteView view() const noexcept { return bytes_; }
  std::span<std::uint8_t, N> span() noexcept { return bytes_; }
  bool is_zero() const noexcept { return equal(bytes_, std::array<std::uint8_t, N>{}); }
  friend bool operator==(const Secret& left, const Secret& right) noexcept {
    return equal(left.bytes_, right.bytes_);
  }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

using PrivateKey = Secret<32>;    ///< X25519 scalar
using PresharedKey = Secret<32>;  ///< all zero: none
using SymmetricKey = Secret<32>;

/// Not secret: may be printed, hashed and compared as any value.
struct PublicKey {
  std::array<std::uint8_t, 32> bytes{};
  friend auto operator<=>(const PublicKey&, const PublicKey&) noexcept = default;
};

/// 44 characters of base64, as `wg` prints and takes keys. Empty unless exactly that.
std::optional<std::array<std::uint8_t, 32>> key_from_base64(std::string_view text) noexcept;
std::string key_to_base64(ByteView key);

}  // namespace tw::crypto

template <>
struct std::hash<tw::crypto::PublicKey> {
  std::size_t operator()(const tw::crypto::PublicKey& key) const noexcept;
};
