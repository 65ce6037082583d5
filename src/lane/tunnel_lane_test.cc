// Two lanes with their handshake contexts, joined in memory, in virtual time: what a tunnel does,
// without a socket or a thread.
#include "lane/tunnel_lane.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "crypto/primitives.h"
#include "exec/manual_context.h"
#include "lane/handshake_lane.h"
#include "port/memory_port.h"

namespace tw::lane {
namespace {

using Packets = std::vector<std::vector<std::uint8_t>>;

constexpr wg::PeerId only_peer{0};

/// The smallest IPv4 packet: 10.0.0.`from` to 10.0.0.`to`, protocol 253, `payload` bytes of `fill`.
std::vector<std::uint8_t> ip_packet(std::uint8_t from, std::uint8_t to, std::size_t payload,
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
  return packet;
}

/// One machine: a lane, its handshakes, and the host's end of its TUN.
class Machine {
 public:
  Machine(std::uint64_t seed, const Clock& clock)
      : random_(seed),
        codec_(random_.next()),
        context_(ContextId{0}, clock),
        engine_(crypto::make_openssl_engine()),
        lane_({context_, channel_, *engine_, tun_, codec_, steering_, ContextId{0}}),
        handshakes_(channel_, context_, indices_, random_, clock) {
    MemoryPort::join(tun_, host_);
    lane_.set_udp_ports({&udp_, nullptr});
    handshakes_.handshaker().set_private_key(key_);
    context_.attach(lane_);
    context_.attach(handshakes_);
  }

  void add_peer(const Machine& other, std::uint8_t number, bool with_endpoint) {
    ASSERT_TRUE(
        handshakes_.handshaker().add_peer(only_peer, {crypto::public_key_of(other.key_), {}}));
    lane_.add_peer(only_peer);
    lane_.allowed_ips().insert(*Prefix::parse("10.0.0." + std::to_string(number)), only_peer);
    if (with_endpoint) lane_.set_endpoint(only_peer, *Endpoint::parse("192.0.2.9:51820"));
  }

  void from_host(std::vector<std::uint8_t> packet) {
    Train train;
    train.bytes = packet.data();
    train.length = train.segment_size = static_cast<std::uint32_t>(packet.size());
    ASSERT_EQ(host_.send({&train, 1}).taken, 1U);
  }
  Packets to_host() {
    PacketBatch batch{256, 2048};
    host_.poll(batch);
    Packets packets;
    for (const Train& train : batch.trains()) {
      packets.emplace_back(train.all().begin(), train.all().end());
    }
    return packets;
  }

  TunnelLane& lane() { return lane_; }
  MemoryPort& udp() { return udp_; }
  MemoryPort& tun() { return tun_; }
  ManualContext& context() { return context_; }
  const LaneCounters& counters() const { return lane_.counters(); }

 private:
  SeededRandom random_;
  ReceiverIndex codec_;
  SteeringTable steering_;
  ManualContext context_;
  HandshakeChannel channel_;
  IndexAllocator indices_{codec_, random_};
  std::unique_ptr<crypto::AeadEngine> engine_;
  crypto::PrivateKey key_ = crypto::generate_private_key();
  MemoryPort udp_, tun_, host_;
  TunnelLane lane_;
  HandshakeLane handshakes_;
};

class TunnelLaneTest : public testing::Test {
 protected:
  TunnelLaneTest() : left_(1, clock_), right_(2, clock_) {
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

TEST_F(TunnelLaneTest, FirstPacketWaitsForTheHandshakeAndArrives) {
  const auto packet = ip_packet(1, 2, 100, 0xaa);
  left_.from_host(packet);
  settle();
  EXPECT_EQ(right_.to_host(), Packets{packet});
  expect_conserved();
}

TEST_F(TunnelLaneTest, ManyPacketsArriveInOrderBothWays) {
  left_.from_host(ip_packet(1, 2, 0, 0));
  settle();
  right_.to_host();
  Packets there, back;
  for (std::uint8_t i = 0; i < 200; ++i) {
    there.push_back(ip_packet(1, 2, i * 7U, i));
    back.push_back(ip_packet(2, 1, 1400U - i, i));
    left_.from_host(there.back());
    right_.from_host(back.back());
  }
  settle();
  EXPECT_EQ(right_.to_host(), there);
  EXPECT_EQ(left_.to_host(), back);
  expect_conserved();
}

TEST_F(TunnelLaneTest, StagedPacketsAreBoundedAndExpire) {
  left_.udp().refuse_sends(ENETUNREACH);  // nobody will answer
  for (int i = 0; i < 200; ++i) left_.from_host(ip_packet(1, 2, 10, 1));
  settle();
  const DropCounters& drops = left_.counters().to_wire.drops;
  EXPECT_EQ(drops.of(Drop::stage_full), 200 - wg::staged_packets_max);
  expect_conserved(wg::staged_packets_max);
  for (int second = 0; second < 120; ++second) advance(1s);
  EXPECT_EQ(drops.of(Drop::stage_expired), wg::staged_packets_max);
  EXPECT_GT(drops.of(Drop::socket_error), 10U);  // the initiations, one each five seconds
  expect_conserved();
}

TEST_F(TunnelLaneTest, RefusesInnerSourcesOutsideAllowedIps) {
  left_.from_host(ip_packet(7, 2, 100, 0));  // the left host forges its source
  settle();
  EXPECT_TRUE(right_.to_host().empty());
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::not_allowed_ip), 1U);
  expect_conserved();
}

TEST_F(TunnelLaneTest, CountsWhatHasNoWay) {
  left_.from_host(ip_packet(1, 77, 10, 0));
  left_.from_host({0x45, 0, 0});
  right_.from_host(ip_packet(2, 1, 10, 0));  // the left's endpoint is not known yet
  settle();
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::no_route), 1U);
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::malformed_inner), 1U);
  EXPECT_EQ(right_.counters().to_wire.drops.of(Drop::no_endpoint), 1U);
  expect_conserved();
}

TEST_F(TunnelLaneTest, GarbageFromTheWireIsCountedAndHarmless) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  right_.to_host();
  Packets garbage{
      {}, {9}, {4, 0, 0, 0}, std::vector<std::uint8_t>(148, 1), std::vector<std::uint8_t>(32, 4)};
  garbage[4] = {4, 0, 0, 0};
  garbage[4].resize(64, 0x5a);  // data for an index nobody gave out
  garbage[3][1] = 1;            // an initiation with a reserved byte set
  std::vector<std::uint8_t> forged(148, 0);
  forged[0] = 1;  // an initiation without a mac1
  garbage.push_back(forged);
  for (auto& datagram : garbage) {
    Train train;
    train.bytes = datagram.data();
    train.length = train.segment_size = static_cast<std::uint32_t>(datagram.size());
    left_.udp().send({&train, 1});
  }
  settle();
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::no_keypair), 1U);
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::malformed), 4U);
  const auto packet = ip_packet(1, 2, 10, 3);
  left_.from_host(packet);
  settle();
  EXPECT_EQ(right_.to_host(), Packets{packet});
  expect_conserved();
}

TEST_F(TunnelLaneTest, RekeysUnderTrafficAndLosesNothing) {
  std::size_t sent = 0, arrived = 0;
  for (int second = 0; second < 400; ++second) {
    left_.from_host(ip_packet(1, 2, 50, 1));
    ++sent;
    settle();
    arrived += right_.to_host().size();
    clock_.advance(1s);
  }
  EXPECT_EQ(arrived, sent);
  expect_conserved();
}

TEST_F(TunnelLaneTest, AFullSocketAndADeadTunAreDropsWithReasons) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  left_.udp().refuse_sends(EAGAIN);
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  EXPECT_EQ(left_.counters().to_wire.drops.of(Drop::socket_full), 1U);
  left_.udp().refuse_sends(0);
  right_.tun().refuse_sends(EIO);
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::tun_error), 1U);
  expect_conserved();
}

TEST_F(TunnelLaneTest, ARemovedPeerIsGoneAndItsSlotStartsAfresh) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  right_.to_host();
  right_.lane().remove_peer(only_peer, clock_.now());
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  EXPECT_TRUE(right_.to_host().empty());
  EXPECT_EQ(right_.counters().from_wire.drops.of(Drop::no_keypair), 1U);
  EXPECT_TRUE(right_.lane().snapshot(0, 10).empty());
  expect_conserved();
}

}  // namespace
}  // namespace tw::lane
