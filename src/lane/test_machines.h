// Two lanes with their handshake contexts, joined in memory, in virtual time: what a tunnel does,
// without a socket or a thread. For the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/primitives.h"
#include "exec/manual_context.h"
#include "lane/tunnel.h"
#include "port/emulated/memory_port.h"
#include "wire/be.h"
#include "wire/checksum.h"
#include "wire/ip/transport.h"
#include "wire/offload/gso.h"

namespace tw::lane::test {

using Packets = std::vector<std::vector<std::uint8_t>>;

inline constexpr wg::PeerId only_peer{0};

/// The smallest IPv4 packet: 10.0.0.`from` to 10.0.0.`to`, protocol 253, `payload` bytes of `fill`.
inline std::vector<std::uint8_t> ip_packet(std::uint8_t from, std::uint8_t to, std::size_t payload,
                                           std::uint8_t fill) {
  std::vector<std::uint8_t> packet(20 + payload, fill);
  const std::array<std::uint8_t, 20> header{0x45,
                                            0,
                                            static_cast<std::uint8_t>((20 + payload) >> 8U),
                                            static_cast<std::uint8_t>(20 + payload),
                                            0,
                                            0,
                                            0,
                                            0,
                                            64,
                                            253,
                                            0,
                                            0,
                                            10,
                                            0,
                                            0,
                                            from,
                                            10,
                                            0,
                                            0,
                                            to};
  std::copy(header.begin(), header.end(), packet.begin());
  InternetSum sum;
  sum.add(ByteView{packet}.first(20));
  store_be16(packet, 10, sum.checksum());
  return packet;
}

/// The same as a TCP segment from port 40000 to 443, ISN `isn`, with `options` bytes of zeros for
/// TCP options and `payload` bytes behind them. All checksums hold.
inline std::vector<std::uint8_t> tcp_packet(std::uint8_t from, std::uint8_t to, std::uint8_t flags,
                                            std::uint8_t isn = 7, std::size_t options = 0,
                                            std::size_t payload = 0) {
  std::vector<std::uint8_t> packet = ip_packet(from, to, tcp_min_header + options + payload, 0);
  const ByteSpan bytes{packet};
  packet[9] = protocol_tcp;
  store_be16(bytes, 10,
             updated_checksum(load_be16(bytes, 10), 64U << 8U | 253U, 64U << 8U | protocol_tcp));
  store_be16(bytes, 20, 40000);
  store_be16(bytes, 22, 443);
  packet[27] = isn;
  packet[32] = static_cast<std::uint8_t>((tcp_min_header + options) / 4 << 4U);
  packet[33] = flags;
  InternetSum sum =
      pseudo_header_sum(bytes.subspan(12, 4), bytes.subspan(16, 4), protocol_tcp,
                        static_cast<std::uint32_t>(tcp_min_header + options + payload));
  sum.add(bytes.subspan(20));
  store_be16(bytes, 36, sum.checksum());
  return packet;
}

/// One machine: a lane, its handshakes, and the host's end of its TUN.
class Machine {
 public:
  Machine(std::uint64_t seed, const Clock& clock)
      : random_(seed),
        context_(ContextId{0}, clock),
        engine_(crypto::make_openssl_engine()),
        tunnel_(std::array{TunnelSeat{context_, *engine_, tun_}}, context_, random_, clock) {
    MemoryPort::join(tun_, host_);
    lane().set_udp_ports({&udp_, nullptr});
    tunnel_.handshakes().handshaker().set_private_key(key_);
    lane().set_public_key(crypto::public_key_of(key_));
    tunnel_.attach();
  }

  void add_peer(const Machine& other, std::uint8_t number, bool with_endpoint) {
    add_peer(other.public_key(), number, with_endpoint);
  }
  void add_peer(const crypto::PublicKey& other, std::uint8_t number, bool with_endpoint) {
    ASSERT_TRUE(tunnel_.handshakes().handshaker().add_peer(only_peer, {other, {}}));
    lane().add_peer(only_peer);
    allow("10.0.0." + std::to_string(number));
    if (with_endpoint) lane().set_endpoint(only_peer, *Endpoint::parse("192.0.2.9:51820"));
  }

  void from_host(std::vector<std::uint8_t> packet, const VnetHeader& vnet = {}) {
    Train train;
    train.vnet = vnet;
    train.bytes = packet.data();
    train.length = train.segment_size = static_cast<std::uint32_t>(packet.size());
    ASSERT_EQ(host_.send({&train, 1}).taken, 1U);
  }
  /// Returns the packets that the host gets, trains split into the packets that they stand for.
  Packets to_host() {
    PacketBatch batch{256, 65536};
    host_.poll(batch);
    trains_to_host_ = batch.size();
    Packets packets;
    for (const Train& train : batch.trains()) {
      const std::optional<GsoView> view = GsoView::of(train.all(), train.vnet);
      EXPECT_TRUE(view);
      if (!view) continue;
      view->split_all(
          [&](std::size_t, std::size_t length) { return ByteSpan{packets.emplace_back(length)}; });
    }
    return packets;
  }
  /// Returns how many trains the last to_host() took from the TUN.
  std::size_t trains_to_host() const { return trains_to_host_; }

  /// One more prefix of the peer's.
  void allow(const std::string& prefix) {
    lane().allowed_ips().insert(*Prefix::parse(prefix), only_peer);
  }

  crypto::PublicKey public_key() const { return crypto::public_key_of(key_); }
  TunnelLane& lane() { return tunnel_.lane(0); }
  MemoryPort& udp() { return udp_; }
  MemoryPort& tun() { return tun_; }
  /// Trains that the host has not taken yet.
  std::size_t tun_waiting() const { return host_.waiting(); }
  ManualContext& context() { return context_; }
  const LaneCounters& counters() const { return tunnel_.lane(0).counters(); }

 private:
  SeededRandom random_;
  ManualContext context_;
  std::unique_ptr<crypto::AeadEngine> engine_;
  crypto::PrivateKey key_ = crypto::generate_private_key();
  MemoryPort udp_, tun_, host_;
  Tunnel tunnel_;
  std::size_t trains_to_host_ = 0;
};

class TwoMachinesTest : public testing::Test {
 protected:
  TwoMachinesTest() : left_(1, clock_), right_(2, clock_) {
    MemoryPort::join(left_.udp(), right_.udp());
    left_.add_peer(right_, 2, true);
    right_.add_peer(left_, 1, false);
  }

  void settle() {
    for (int turn = 0; turn < 20; ++turn) {
      left_.context().run_until_idle();
      right_.context().run_until_idle();
    }
  }
  void advance(Duration by) {
    clock_.advance(by);
    settle();
  }
  /// The conservation rule of design and counters.h, with `staged` packets waiting on the left.
  void expect_conserved(std::int64_t staged = 0) {
    EXPECT_EQ(left_.counters().from_wire.queued(), 0);
    EXPECT_EQ(left_.counters().to_wire.queued(), staged);
    EXPECT_EQ(right_.counters().from_wire.queued(), 0);
    EXPECT_EQ(right_.counters().to_wire.queued(), 0);
  }

  ManualClock clock_;
  Machine left_, right_;
};

}  // namespace tw::lane::test
