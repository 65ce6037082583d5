// Joins neighbours of one flow into trains, as generic receive offload does in the kernel
// (net/ipv4/tcp_offload.c, udp_offload.c): one write to a TUN then carries some 46 packets.
//
// A joined train says "checksum still to be done", which replaces the checksums that its packets
// came with. Those are the ends' own check, and the tunnel's authentication says nothing of what
// happened before the packet was sealed. So each packet of a train, the first one too, has had its
// checksums verified (IPv4's header, TCP, UDP), in the pass that copies it. A packet that does not
// pass leaves alone and unchanged, and its receiver drops and counts it as it would without us.
//
// A packet that finds nobody to join stays where it lies, byte for byte; only joining copies. The
// packets of one flow leave in the order they came.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "wire/ip/ip_packet.h"
#include "wire/offload/vnet_header.h"

namespace tw {

/// The protocols that are joined.
struct CoalescerKinds {
  bool tcp = true;
  bool udp = true;
};

/// One packet or several joined ones.
struct JoinedPackets {
  std::uint8_t* bytes = nullptr;
  std::uint32_t length = 0;
  std::uint16_t packets = 0;
  VnetHeader vnet{};  ///< zero for a single packet
};

class Coalescer {
 public:
  /// Packets kept between two clear() calls, and how many trains of 64 KB may be joined of them.
  Coalescer(std::size_t packets, std::size_t trains);

  void set_kinds(CoalescerKinds kinds) noexcept { kinds_ = kinds; }
  CoalescerKinds kinds() const noexcept { return kinds_; }

  bool full() const noexcept { return joined_.size() == capacity_; }
  /// `packet` is one whole IP packet without padding, `ip` its view; it must stay in place until
  /// clear(). Not when full().
  void add(ByteSpan packet, const IpPacketView& ip) noexcept;
  /// Returns the joined packets, with finished headers; add() only after clear().
  std::span<JoinedPackets> finish() noexcept;
  void clear() noexcept;

 private:
  /// The facts of a packet that joining needs, checked against its bytes.
  struct Shape {
    bool v4 = false, tcp = false;
    bool may_begin = false;  ///< a train may begin with it
    bool ends = false;       ///< whatever it joins is complete then
    std::uint8_t flags = 0;
    std::uint16_t transport = 0, headers = 0;
    std::uint32_t sequence = 0;
    std::uint32_t payload = 0;
  };
  /// The latest entry of a flow.
  struct Flow {
    std::uint32_t hash;
    std::uint32_t entry;
    Shape first;
    std::uint32_t next_sequence;
    bool open;
  };

  bool shape_of(ByteView packet, const IpPacketView& ip, Shape& shape) const noexcept;
  Flow* find(std::uint32_t hash, ByteView packet, const Shape& shape) noexcept;
  bool can_join(const Flow& flow, ByteView packet, const Shape& shape) const noexcept;
  bool join(Flow& flow, ByteView packet, const Shape& shape) noexcept;
  void remember(std::uint32_t hash, const Shape& shape) noexcept;

  static constexpr std::size_t flows_remembered = 16;

  std::size_t capacity_;
  std::size_t buffers_;
  std::size_t buffers_used_ = 0;
  std::unique_ptr<std::uint8_t[]> storage_;  // untouched pages cost no memory
  std::vector<JoinedPackets> joined_;
  std::vector<Shape> shapes_;  // of the first packet of the joined_ with the same index
  std::array<Flow, flows_remembered> flows_{};
  std::size_t flow_count_ = 0;
  std::size_t latest_ = 0;  // index into flows_
  CoalescerKinds kinds_;
};

}  // namespace tw
