// Packets for tests, written field by field as the RFCs draw them and summed byte by byte, so that
// they share no code with what they test.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "wire/offload/vnet_header.h"

namespace tw::test {

using Bytes = std::vector<std::uint8_t>;

inline void put16(Bytes& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
  out.push_back(static_cast<std::uint8_t>(value));
}

/// RFC 1071 word by word, not complemented.
inline std::uint32_t naive_sum(const Bytes& bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8U : std::uint32_t{bytes[i]};
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

/// A TCP or UDP train, by its fields.
struct Train {
  bool v6 = false;
  bool tcp = true;
  std::size_t ip_options = 0;   ///< bytes: IPv4 options (of 4) or an IPv6 extension header (of 8)
  std::size_t tcp_options = 0;  ///< bytes, of 4
  std::uint8_t tos = 0;
  std::uint8_t flags = 0x10;  ///< of TCP
  std::uint16_t identification = 7;
  std::uint32_t sequence = 1000;
  std::uint16_t gso_size = 1000;
  std::uint16_t source_port = 40000;
  Bytes payload{};

  std::size_t segments() const {
    return payload.empty() ? 1 : (payload.size() + gso_size - 1) / gso_size;
  }
  std::size_t transport() const { return (v6 ? 40 : 20) + ip_options; }
  std::size_t headers() const { return transport() + (tcp ? 20 + tcp_options : 8); }
  std::size_t sum_offset() const { return tcp ? 16 : 6; }

  /// Segments [first, first + count) as the sender's kernel would write them: with a finished
  /// checksum, or with the sum of the pseudo-header in its place.
  Bytes packet(std::size_t first, std::size_t count, bool finished) const {
    const std::size_t begin = first * gso_size;
    const std::size_t end = std::min(payload.size(), (first + count) * gso_size);
    const Bytes part(payload.begin() + static_cast<long>(begin),
                     payload.begin() + static_cast<long>(end));
    Bytes transport_bytes = transport_header(first, first + count == segments(), part.size());
    transport_bytes.insert(transport_bytes.end(), part.begin(), part.end());
    const Bytes ip = ip_header(first, transport_bytes.size());
    Bytes pseudo =
        v6 ? Bytes(ip.begin() + 8, ip.begin() + 40) : Bytes(ip.begin() + 12, ip.begin() + 20);
    put16(pseudo, transport_bytes.size());
    put16(pseudo, tcp ? 6 : 17);
    std::uint32_t sum = naive_sum(pseudo);
    if (finished) {
      sum = ~naive_sum(transport_bytes, sum) & 0xffffU;
      if (sum == 0) sum = 0xffff;
    }
    transport_bytes[sum_offset()] = static_cast<std::uint8_t>(sum >> 8U);
    transport_bytes[sum_offset() + 1] = static_cast<std::uint8_t>(sum);
    Bytes whole = ip;
    whole.insert(whole.end(), transport_bytes.begin(), transport_bytes.end());
    return whole;
  }
  Bytes whole() const { return packet(0, segments(), false); }

  /// Returns the header that a TUN puts before packet(first, count, false).
  VnetHeader vnet(std::size_t first, std::size_t count) const {
    VnetHeader out;
    out.flags = VnetHeader::needs_csum;
    out.csum_start = static_cast<std::uint16_t>(transport());
    out.csum_offset = static_cast<std::uint16_t>(sum_offset());
    if (count == 1) return out;
    out.gso_type = !tcp ? VnetHeader::gso_udp_l4 : v6 ? VnetHeader::gso_tcp6 : VnetHeader::gso_tcp4;
    if (tcp && first == 0 && (flags & 0x80U) != 0) out.gso_type |= VnetHeader::gso_ecn;
    out.gso_size = gso_size;
    out.header_length = static_cast<std::uint16_t>(headers());
    return out;
  }
  VnetHeader vnet() const { return vnet(0, segments()); }

 private:
  Bytes ip_header(std::size_t first, std::size_t transport_size) const {
    Bytes out;
    if (v6) {
      put16(out, 0x6000U | (std::size_t{tos} << 4U));
      put16(out, 0xbeef);  // flow label
      put16(out, transport_size + ip_options);
      out.push_back(ip_options > 0 ? 60 : tcp ? 6 : 17);
      out.push_back(64);
      for (std::uint8_t i = 0; i < 32; ++i) out.push_back(static_cast<std::uint8_t>(0x20 + i));
      if (ip_options == 0) return out;
      out.push_back(tcp ? 6 : 17);
      out.push_back(static_cast<std::uint8_t>(ip_options / 8 - 1));
      out.push_back(1);  // PadN
      out.push_back(static_cast<std::uint8_t>(ip_options - 4));
      out.resize(40 + ip_options);
      return out;
    }
    out.push_back(static_cast<std::uint8_t>(0x40U | ((20 + ip_options) / 4)));
    out.push_back(tos);
    put16(out, 20 + ip_options + transport_size);
    put16(out, (identification + first) & 0xffffU);
    put16(out, 0x4000);
    out.push_back(64);
    out.push_back(tcp ? 6 : 17);
    put16(out, 0);
    for (const std::size_t pair : {0x0a01U, 0x0203U, 0xc0a8U, 0x0709U}) put16(out, pair);
    out.resize(20 + ip_options, 1);  // no-operation options
    const std::uint32_t sum = ~naive_sum(out) & 0xffffU;
    out[10] = static_cast<std::uint8_t>(sum >> 8U);
    out[11] = static_cast<std::uint8_t>(sum);
    return out;
  }

  Bytes transport_header(std::size_t first, bool last, std::size_t payload_size) const {
    Bytes out;
    put16(out, source_port);
    put16(out, 443);
    if (!tcp) {
      put16(out, 8 + payload_size);
      put16(out, 0);
      return out;
    }
    const std::uint32_t at = sequence + static_cast<std::uint32_t>(first * gso_size);
    put16(out, at >> 16U);
    put16(out, at & 0xffffU);
    put16(out, 0x1234);
    put16(out, 0x5678);
    out.push_back(static_cast<std::uint8_t>((20 + tcp_options) / 4 << 4U));
    std::uint8_t here = flags;
    if (!last) here &= 0xf6;      // FIN, PSH
    if (first > 0) here &= 0x7f;  // CWR
    out.push_back(here);
    put16(out, 501);
    put16(out, 0);
    put16(out, 0);
    for (std::size_t i = 0; i < tcp_options; ++i) out.push_back(static_cast<std::uint8_t>(i % 7));
    return out;
  }
};

/// A train of random shape: both families and protocols, options, odd sizes, one segment or many.
inline Train random_train(RandomSource& random) {
  const auto below = [&](std::size_t bound) {
    return static_cast<std::size_t>(random.next() % bound);
  };
  Train train;
  train.v6 = below(2) == 0;
  train.tcp = below(3) != 0;
  if (below(3) == 0) train.ip_options = train.v6 ? 8 * (1 + below(4)) : 4 * (1 + below(10));
  train.tcp_options = train.tcp ? 4 * below(11) : 0;
  train.tos = static_cast<std::uint8_t>(random.next());
  train.flags = static_cast<std::uint8_t>(random.next());
  train.identification = static_cast<std::uint16_t>(random.next());
  train.sequence = static_cast<std::uint32_t>(random.next());
  train.gso_size = static_cast<std::uint16_t>(1 + (below(4) == 0 ? below(40) : below(1500)));
  const std::size_t most = std::min<std::size_t>(60000, train.gso_size * std::size_t{50});
  train.payload.resize(1 + below(most));
  for (auto& byte : train.payload) byte = static_cast<std::uint8_t>(random.next());
  return train;
}

}  // namespace tw::test
