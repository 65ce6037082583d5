// Packets for the tests of this folder: IPv4 with UDP, and TCP trains as a TUN delivers them.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "port/train.h"
#include "wire/be.h"
#include "wire/offload/gso.h"

namespace tw {

struct TestPacket {
  std::vector<std::uint8_t> bytes;
  VnetHeader vnet{};

  /// Borrows the bytes.
  Train train() const {
    Train made;
    made.bytes = const_cast<std::uint8_t*>(bytes.data());
    made.length = made.segment_size = static_cast<std::uint32_t>(bytes.size());
    made.vnet = vnet;
    return made;
  }
};

inline TestPacket ipv4_packet(std::size_t length, std::uint8_t protocol) {
  TestPacket packet;
  packet.bytes.resize(length);
  for (std::size_t i = 20; i < length; ++i) {
    packet.bytes[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13U);
  }
  packet.bytes[0] = 0x45;
  store_be16(packet.bytes, 2, static_cast<std::uint16_t>(length));
  packet.bytes[8] = 64;
  packet.bytes[9] = protocol;
  packet.bytes[12] = packet.bytes[16] = 10;
  packet.bytes[15] = 1;
  packet.bytes[19] = 2;
  return packet;
}

/// `length` bytes in all, 28 at least.
inline TestPacket udp_packet(std::size_t length) {
  TestPacket packet = ipv4_packet(length, 17);
  store_be16(packet.bytes, 24, static_cast<std::uint16_t>(length - 20));
  return packet;
}

/// A train of `payload` bytes behind 40 of headers, `mss` to a segment.
inline TestPacket tcp_train(std::size_t payload, std::uint16_t mss, std::uint32_t sequence = 1) {
  TestPacket packet = ipv4_packet(40 + payload, 6);
  store_be32(packet.bytes, 24, sequence);
  packet.bytes[32] = 0x50;
  packet.bytes[33] = 0x10;
  packet.vnet = {.flags = VnetHeader::needs_csum,
                 .gso_type = VnetHeader::gso_tcp4,
                 .header_length = 40,
                 .gso_size = mss,
                 .csum_start = 20,
                 .csum_offset = 16};
  return packet;
}

/// Sequence number and payload of every segment.
inline std::vector<std::pair<std::uint32_t, std::vector<std::uint8_t>>> tcp_payloads(
    const Train& train) {
  std::vector<std::pair<std::uint32_t, std::vector<std::uint8_t>>> payloads;
  const auto gso = GsoView::of(train.all(), train.vnet);
  if (!gso) return payloads;
  std::vector<std::uint8_t> segment(65'536);
  for (std::size_t i = 0; i < gso->segment_count(); ++i) {
    const std::size_t length = gso->segment(i, segment);
    payloads.emplace_back(load_be32(segment, 24),
                          std::vector<std::uint8_t>(segment.begin() + 40,
                                                    segment.begin() + static_cast<long>(length)));
  }
  return payloads;
}

}  // namespace tw
