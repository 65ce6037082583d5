#include "wire/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/mix.h"
#include "base/random.h"
#include "wire/decimal.h"
#include "wire/host_port.h"

namespace tw {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_head{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// Addresses are chosen by whoever connects, so what collides must not be: each process has secrets
/// of its own.
struct HashSecrets {
  HashSecrets() noexcept {
    SystemRandom random;
    for (std::uint64_t& word : words) word = random.next();
  }
  std::array<std::uint64_t, 3> words{};
};

/// `rest`: what belongs to the value beside the address.
std::size_t hash_of(const IpAddress& address, std::uint64_t rest) noexcept {
  static const HashSecrets secrets;
  std::array<std::uint64_t, 2> octets{};
  std::memcpy(octets.data(), address.bytes().data(), address.bytes().size());
  const std::uint64_t folded = mix(octets[0] ^ secrets.words[0], octets[1] ^ secrets.words[1]);
  return mix(folded ^ rest ^ (address.is_v4() ? 0 : 1), secrets.words[2]);
}

}  // namespace

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> octets) noexcept { return from_bytes(octets); }

IpAddress IpAddress::from_bytes(ByteView octets) noexcept {
  TW_ASSERT(octets.size() == 4 || octets.size() == 16);
  std::array<std::uint8_t, 16> whole{};
  std::ranges::copy(octets, whole.begin());
  return IpAddress{octets.size() == 4 ? Family::v4 : Family::v6, whole};
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton wants a terminator; nothing valid is longer than INET6_ADDRSTRLEN with it.
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.contains('\0')) return {};
  std::ranges::copy(text, terminated.begin());
  std::array<std::uint8_t, 16> octets{};
  if (::inet_pton(AF_INET, terminated.data(), octets.data()) == 1) {
    return IpAddress{Family::v4, octets};
  }
  if (::inet_pton(AF_INET6, terminated.data(), octets.data()) == 1) {
    return IpAddress{Family::v6, octets};
  }
  return {};
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  TW_ASSERT(::inet_ntop(is_v4() ? AF_INET : AF_INET6, octets_.data(), out.data(), out.size()) !=
            nullptr);
  return out.data();
}

bool IpAddress::is_unspecified() const noexcept {
  return std::ranges::all_of(bytes(), [](std::uint8_t octet) { return octet == 0; });
}

bool IpAddress::is_loopback() const noexcept {
  const IpAddress plain = unmapped();
  if (plain.is_v4()) return plain.octets_[0] == 127;
  return octets_[15] == 1 &&
         std::ranges::all_of(bytes().first(15), [](std::uint8_t octet) { return octet == 0; });
}

bool IpAddress::is_link_local() const noexcept {
  const IpAddress plain = unmapped();
  if (plain.is_v4()) return plain.octets_[0] == 169 && plain.octets_[1] == 254;
  return octets_[0] == 0xfe && (octets_[1] & 0xc0U) == 0x80;
}

bool IpAddress::is_multicast() const noexcept {
  const IpAddress plain = unmapped();
  if (!plain.is_v4()) return octets_[0] == 0xff;
  return (plain.octets_[0] & 0xf0U) == 0xe0 ||
         std::ranges::all_of(plain.bytes(), [](std::uint8_t octet) { return octet == 0xff; });
}

IpAddress IpAddress::unmapped() const noexcept {
  if (is_v4() || !std::ranges::equal(bytes().first(12), mapped_head)) return *this;
  return from_bytes(bytes().last(4));
}

Prefix Prefix::of(IpAddress address, std::uint8_t length) noexcept {
  TW_ASSERT(length <= address.bits());
  std::array<std::uint8_t, 16> octets{};
  const ByteView from = address.bytes();
  std::ranges::copy(from, octets.begin());
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::size_t kept =
        std::min<std::size_t>(8, length - std::min<std::size_t>(length, i * 8));
    octets[i] = static_cast<std::uint8_t>(octets[i] & (0xff00U >> kept));
  }
  return Prefix{IpAddress::from_bytes(ByteView{octets}.first(from.size())), length};
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return {};
  const auto bits = static_cast<std::uint32_t>(address->bits());
  if (slash == std::string_view::npos) return of(*address, static_cast<std::uint8_t>(bits));
  const auto length = parse_decimal(text.substr(slash + 1), bits);
  if (!length) return {};
  return of(*address, static_cast<std::uint8_t>(*length));
}

bool Prefix::contains(const IpAddress& candidate) const noexcept {
  return candidate.family() == address.family() && of(candidate, length).address == address;
}

std::string Prefix::text() const { return address.text() + '/' + std::to_string(length); }

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  return parse_endpoint(text, numeric_zone);
}

std::string Endpoint::text() const {
  const std::string ending = ':' + std::to_string(port);
  if (address.is_v4()) return address.text() + ending;
  const std::string scope = scope_id == 0 ? std::string{} : '%' + std::to_string(scope_id);
  return '[' + address.text() + scope + ']' + ending;
}

}  // namespace tw

std::size_t std::hash<tw::IpAddress>::operator()(const tw::IpAddress& address) const noexcept {
  return tw::hash_of(address, 0);
}

std::size_t std::hash<tw::Endpoint>::operator()(const tw::Endpoint& endpoint) const noexcept {
  constexpr unsigned family_bits = 1, port_bits = 16;
  return tw::hash_of(endpoint.address,
                     (std::uint64_t{endpoint.scope_id} << (family_bits + port_bits)) |
                         (std::uint64_t{endpoint.port} << family_bits));
}
