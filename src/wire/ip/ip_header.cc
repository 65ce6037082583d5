#include "wire/ip/ip_header.h"

#include <algorithm>

#include "base/assert.h"
#include "wire/be.h"
#include "wire/checksum.h"

namespace tw {
namespace {

constexpr std::uint8_t hop_limit = 64;
constexpr std::uint16_t dont_fragment = 0x4000;

void write_v4(const IpHeader& header, std::uint16_t payload, ByteSpan out) noexcept {
  out[0] = 0x45;
  out[1] = header.traffic_class;
  store_be16(out, 2, static_cast<std::uint16_t>(ipv4_header_size + payload));
  store_be16(out, 4, 0);
  store_be16(out, 6, dont_fragment);
  out[8] = hop_limit;
  out[9] = header.protocol;
  store_be16(out, 10, 0);
  std::ranges::copy(header.source, out.begin() + 12);
  std::ranges::copy(header.target, out.begin() + 16);
  InternetSum sum;
  sum.add(out);
  store_be16(out, 10, sum.checksum());
}

void write_v6(const IpHeader& header, std::uint16_t payload, ByteSpan out) noexcept {
  constexpr std::uint32_t version = 6U << 28U;
  store_be32(out, 0, version | std::uint32_t{header.traffic_class} << 20U);
  store_be16(out, 4, payload);
  out[6] = header.protocol;
  out[7] = hop_limit;
  std::ranges::copy(header.source, out.begin() + 8);
  std::ranges::copy(header.target, out.begin() + 24);
}

}  // namespace

void write_ip_header(const IpHeader& header, std::size_t payload, ByteSpan out) noexcept {
  TW_ASSERT(header.source.size() == 4 || header.source.size() == 16);
  TW_ASSERT(header.source.size() == header.target.size());
  TW_ASSERT(payload <= 0xffff - ipv4_header_size && out.size() >= header.size());
  const auto length = static_cast<std::uint16_t>(payload);
  const ByteSpan bytes = out.first(header.size());
  bytes.size() == ipv4_header_size ? write_v4(header, length, bytes)
                                   : write_v6(header, length, bytes);
}

}  // namespace tw
