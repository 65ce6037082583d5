#include "wire/message/proxy_v2.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "wire/be.h"
#include "wire/crc32c.h"

namespace tw {
namespace {

constexpr std::array<std::uint8_t, 12> signature{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::size_t fixed_size = 16;
constexpr std::size_t command_at = 12, family_at = 13, length_at = 14;
constexpr std::uint8_t command_local = 0x20, command_proxy = 0x21;
constexpr std::uint8_t family_none = 0x00, family_tcp4 = 0x11, family_tcp6 = 0x21;
constexpr std::size_t tlv_head = 3;
constexpr std::size_t crc_size = 4;

/// Bytes of one address of a client; empty if it is none that TCP has.
std::optional<std::size_t> address_size(std::uint8_t family) noexcept {
  if (family == family_tcp4) return 4;
  if (family == family_tcp6) return 16;
  return {};
}

struct Tlv {
  std::uint8_t type;
  std::size_t value_at;  ///< from the start of the TLVs
  ByteView value;
};

/// Takes the TLV that begins at `at` and moves `at` behind it; empty if it is out of bounds.
std::optional<Tlv> next_tlv(ByteView tlvs, std::size_t& at) noexcept {
  if (tlvs.size() - at < tlv_head) return {};
  const std::size_t size = load_be16(tlvs, at + 1);
  if (size > tlvs.size() - at - tlv_head) return {};
  const Tlv tlv{tlvs[at], at + tlv_head, tlvs.subspan(at + tlv_head, size)};
  at = tlv.value_at + size;
  return tlv;
}

/// The CRC over a whole header with its four bytes at `crc_at` taken as zero.
std::uint32_t crc_of(ByteView header, std::size_t crc_at) noexcept {
  constexpr std::array<std::uint8_t, crc_size> zero{};
  Crc32c crc;
  crc.add(header.first(crc_at));
  crc.add(zero);
  crc.add(header.subspan(crc_at + crc_size));
  return crc.value();
}

/// Every TLV in bounds, at most one CRC, and that right (and there, if required).
bool tlvs_are_right(ByteView header, std::size_t tlvs_at, ProxyCrc crc) noexcept {
  const ByteView tlvs = header.subspan(tlvs_at);
  bool seen = false;
  for (std::size_t at = 0; at < tlvs.size();) {
    const auto tlv = next_tlv(tlvs, at);
    if (!tlv) return false;
    if (tlv->type != proxy_crc_tlv) continue;
    if (seen || tlv->value.size() != crc_size) return false;
    seen = true;
    if (crc_of(header, tlvs_at + tlv->value_at) != load_be32(tlv->value, 0)) return false;
  }
  return seen || crc == ProxyCrc::optional;
}

ByteSpan put(ByteSpan out, ByteView bytes) noexcept {
  if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out.subspan(bytes.size());
}

/// The address in the family that the header has: IPv4 inside an IPv6 header is v4-mapped.
ByteSpan put_address(ByteSpan out, const IpAddress& address, std::size_t size) noexcept {
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (address.bytes().size() < size) out = put(out, mapped);
  return put(out, address.bytes());
}

}  // namespace

ProxyParse parse_proxy_header(ByteView received, ProxyCrc crc) noexcept {
  using enum ProxyParse::Status;
  const ByteView head = received.first(std::min(received.size(), signature.size()));
  if (!std::ranges::equal(head, ByteView{signature}.first(head.size()))) return {};
  const std::uint8_t command = received.size() > command_at ? received[command_at] : command_proxy;
  if (command != command_local && command != command_proxy) return {};
  const bool local = command == command_local;
  if (!local && received.size() > family_at && !address_size(received[family_at])) return {};
  if (received.size() < fixed_size) return {.status = needs_more, .length = fixed_size};

  const std::size_t length = fixed_size + load_be16(received, length_at);
  const std::size_t address = local ? 0 : *address_size(received[family_at]);
  const std::size_t tlvs_at = fixed_size + 2 * address + 4;
  if (!local && (length < tlvs_at || length > proxy_max_size)) return {};
  ProxyParse parsed{.status = needs_more, .length = length};
  parsed.header.local = local;
  if (received.size() < length) return parsed;
  parsed.status = complete;
  if (local) return parsed;

  const ByteView header = received.first(length);
  if (!tlvs_are_right(header, tlvs_at, crc)) return {};
  parsed.tlvs = header.subspan(tlvs_at);
  const std::size_t ports_at = fixed_size + 2 * address;
  const auto endpoint = [&](std::size_t address_at, std::size_t port_at) {
    return Endpoint{IpAddress::from_bytes(header.subspan(address_at, address)).unmapped(),
                    load_be16(header, port_at), 0};
  };
  parsed.header.source = endpoint(fixed_size, ports_at);
  parsed.header.target = endpoint(fixed_size + address, ports_at + 2);
  return parsed;
}

std::optional<ByteView> find_proxy_tlv(ByteView tlvs, std::uint8_t type) noexcept {
  for (std::size_t at = 0; at < tlvs.size();) {
    const auto tlv = next_tlv(tlvs, at);
    if (!tlv) return {};
    if (tlv->type == type) return tlv->value;
  }
  return {};
}

std::size_t write_proxy_header(const ProxyHeader& header, ByteSpan out,
                               ByteView extra_tlvs) noexcept {
  const bool v4 = header.source.address.is_v4() && header.target.address.is_v4();
  const std::size_t address = header.local ? 0 : v4 ? 4 : 16;
  const std::size_t addresses = header.local ? 0 : 2 * address + 4;
  const std::size_t length = fixed_size + addresses + extra_tlvs.size() + tlv_head + crc_size;
  if (length > proxy_max_size || length > out.size()) return 0;
  out = out.first(length);
  put(out, signature);
  out[command_at] = header.local ? command_local : command_proxy;
  out[family_at] = header.local ? family_none : v4 ? family_tcp4 : family_tcp6;
  store_be16(out, length_at, static_cast<std::uint16_t>(length - fixed_size));
  ByteSpan rest = out.subspan(fixed_size);
  if (!header.local) {
    rest = put_address(rest, header.source.address, address);
    rest = put_address(rest, header.target.address, address);
    store_be16(rest, 0, header.source.port);
    store_be16(rest, 2, header.target.port);
    rest = rest.subspan(4);
  }
  rest = put(rest, extra_tlvs);
  rest[0] = proxy_crc_tlv;
  store_be16(rest, 1, crc_size);
  renew_proxy_crc(out);
  return length;
}

void renew_proxy_crc(ByteSpan header) noexcept {
  static_assert(proxy_crc_tlv_size == tlv_head + crc_size);
  const std::size_t crc_at = header.size() - crc_size;
  store_be32(header, crc_at, crc_of(header, crc_at));
}

}  // namespace tw
