// The checksums of a packet, for fuzz targets that must know better than the code they test: summed
// byte by byte, without that code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "wire/ip/ip_packet.h"
#include "wire/ip/test_packet.h"

namespace tw::testing {

using test::Bytes;

/// Where the transport header of a packet is, and what: RFC 8200 header by header, with as many
/// bytes of options as TransportPlace promises to step over.
struct Transport {
  std::uint8_t protocol;
  std::size_t offset;
};

/// Empty for a fragment, and where the headers do not fit.
inline std::optional<Transport> transport_of(const Bytes& packet, const IpPacketView& ip) {
  if (ip.fragment) return {};
  Transport here{ip.protocol, ip.header_length};
  while (ip.version == 6 && (here.protocol == 0 || here.protocol == 60)) {
    if (here.offset + 8 > ip.total_length) return {};
    const std::size_t end = here.offset + 8 + packet[here.offset + 1] * std::size_t{8};
    if (end > ip.total_length || end > 40 + 256) return {};
    here = {packet[here.offset], end};
  }
  return here;
}

/// Where a TCP or UDP packet has its checksum, and the sum of all that it covers.
struct Covered {
  std::size_t field;
  std::uint32_t sum;
};

/// Empty if it has no such checksum, or none inside of it.
inline std::optional<Covered> covered(const Bytes& packet) {
  const auto ip = IpPacketView::of(packet);
  const auto transport = ip ? transport_of(packet, *ip) : std::nullopt;
  if (!transport || (transport->protocol != 6 && transport->protocol != 17)) return {};
  const std::size_t field = transport->offset + (transport->protocol == 6 ? 16 : 6);
  if (field + 2 > ip->total_length) return {};
  Bytes all(ip->source.begin(), ip->source.end());
  all.insert(all.end(), ip->target.begin(), ip->target.end());
  test::put16(all, transport->protocol);
  test::put16(all, ip->total_length - transport->offset);
  all.insert(all.end(), packet.begin() + static_cast<long>(transport->offset),
             packet.begin() + ip->total_length);
  return Covered{field, test::naive_sum(all)};
}

/// Returns the sum of an IPv4 header, its checksum included: 0xffff if that is right.
inline std::uint32_t header_sum(const Bytes& packet) {
  return test::naive_sum(Bytes(packet.begin(), packet.begin() + (packet[0] & 0xfU) * 4));
}

/// Makes all checksums of a packet right.
inline void make_right(Bytes& packet) {
  const auto ip = IpPacketView::of(packet);
  if (!ip) return;
  const auto put = [&](std::size_t at, std::uint32_t sum) {
    packet[at] = static_cast<std::uint8_t>(~sum >> 8U);
    packet[at + 1] = static_cast<std::uint8_t>(~sum);
  };
  if (ip->version == 4) {
    packet[10] = packet[11] = 0;
    put(10, header_sum(packet));
  }
  if (const auto before = covered(packet)) {
    packet[before->field] = packet[before->field + 1] = 0;
    put(before->field, covered(packet)->sum);
  }
}

/// Returns true if all checksums of a TCP or UDP packet are right.
inline bool is_right(const Bytes& packet) {
  if (packet[0] >> 4U == 4 && header_sum(packet) != 0xffff) return false;
  const auto all = covered(packet);
  return all && all->sum == 0xffff;
}

/// Without what a train cannot keep and nobody can miss: the identification of a packet that may
/// not be cut, and which of its two zeros a checksum is.
inline Bytes essence(Bytes packet) {
  if (packet[0] >> 4U == 4 && (packet[6] & 0x40U) != 0) {
    packet[4] = packet[5] = packet[10] = packet[11] = 0;
  }
  const auto all = covered(packet);
  if (all && packet[all->field] == 0xff && packet[all->field + 1] == 0xff) {
    packet[all->field] = packet[all->field + 1] = 0;
  }
  return packet;
}

}  // namespace tw::testing
