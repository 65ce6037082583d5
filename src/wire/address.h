// IP addresses, prefixes and endpoints as values: small, comparable, printable. Network order
// inside, host order for ports.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace tw {

enum class Family : std::uint8_t { v4, v6 };

class IpAddress {
 public:
  constexpr IpAddress() noexcept = default;  ///< 0.0.0.0
  static IpAddress v4(std::array<std::uint8_t, 4> octets) noexcept;
  static constexpr IpAddress v6(std::array<std::uint8_t, 16> octets) noexcept {
    return IpAddress{Family::v6, octets};
  }
  /// 4 or 16 bytes in network order; anything else is a programmer's error.
  static IpAddress from_bytes(ByteView octets) noexcept;
  /// Dotted quad or RFC 4291 text, without scope, brackets or prefix length.
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr Family family() const noexcept { return family_; }
  constexpr bool is_v4() const noexcept { return family_ == Family::v4; }
  /// 4 or 16 bytes in network order.
  ByteView bytes() const noexcept { return {octets_.data(), is_v4() ? 4U : 16U}; }
  constexpr std::size_t bits() const noexcept { return is_v4() ? 32 : 128; }
  std::string text() const;

  bool is_unspecified() const noexcept;
  bool is_loopback() const noexcept;    ///< 127/8, ::1, and v4-mapped of it
  bool is_link_local() const noexcept;  ///< 169.254/16, fe80::/10
  bool is_multicast() const noexcept;   ///< 224/4, ff00::/8, and 255.255.255.255
  /// The IPv4 address inside ::ffff:a.b.c.d, or this address itself.
  IpAddress unmapped() const noexcept;

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

 private:
  constexpr IpAddress(Family family, std::array<std::uint8_t, 16> octets) noexcept
      : family_(family), octets_(octets) {}
  Family family_ = Family::v4;
  std::array<std::uint8_t, 16> octets_{};  // IPv4: the first four, the rest zero
};

/// A CIDR prefix. Host bits are always zero.
struct Prefix {
  IpAddress address;
  std::uint8_t length = 0;  ///< bits

  /// Clears the host bits of `address`. `length` must not exceed the family's bits.
  static Prefix of(IpAddress address, std::uint8_t length) noexcept;
  /// "10.0.0.0/8", "fd00::/8", or a bare address (then /32 or /128). Host bits are cleared.
  static std::optional<Prefix> parse(std::string_view text);

  bool contains(const IpAddress& candidate) const noexcept;
  std::string text() const;
  friend constexpr auto operator<=>(const Prefix&, const Prefix&) noexcept = default;
};

/// An address of an interface: host bits kept, unlike a Prefix.
struct InterfaceAddress {
  IpAddress address;
  std::uint8_t length = 0;  ///< prefix length in bits
  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) noexcept = default;
};

/// A UDP or TCP endpoint.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;      ///< host order
  std::uint32_t scope_id = 0;  ///< interface index of a link-local IPv6 address, else 0

  /// "192.0.2.1:51820" or "[2001:db8::1%3]:51820": numeric only, port required.
  static std::optional<Endpoint> parse(std::string_view text);
  std::string text() const;  ///< parse() takes it
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) noexcept = default;
};

}  // namespace tw

template <>
struct std::hash<tw::IpAddress> {
  std::size_t operator()(const tw::IpAddress& address) const noexcept;
};
template <>
struct std::hash<tw::Endpoint> {
  std::size_t operator()(const tw::Endpoint& endpoint) const noexcept;
};
