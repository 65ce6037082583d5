#include "wire/offload/coalescer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include "wire/be.h"
#include "wire/checksum.h"
#include "wire/ip/test_packet.h"
#include "wire/ip/transport.h"
#include "wire/offload/gso.h"

namespace tw {
namespace {

using test::Bytes;
using test::Train;

/// The packets that a sender without offloads would have sent.
std::deque<Bytes> packets_of(const Train& train) {
  std::deque<Bytes> packets;
  for (std::size_t i = 0; i < train.segments(); ++i) packets.push_back(train.packet(i, 1, true));
  return packets;
}

/// A coalescer and the packets it was given, which have to stay where they are.
class CoalescerTest : public testing::Test {
 protected:
  void add(Bytes packet) {
    Bytes& kept = kept_.emplace_back(std::move(packet));
    const auto ip = IpPacketView::of(kept);
    ASSERT_TRUE(ip);
    coalescer_.add(kept, *ip);
  }
  void add_all(const Train& train) {
    for (Bytes& packet : packets_of(train)) add(std::move(packet));
  }
  std::vector<std::uint16_t> counts() {
    std::vector<std::uint16_t> counts;
    for (const JoinedPackets& joined : coalescer_.finish()) counts.push_back(joined.packets);
    return counts;
  }

  Coalescer coalescer_{256, 16};
  std::deque<Bytes> kept_;
};

Train tcp_train(std::size_t segments, std::uint16_t size = 1000) {
  Train train;
  train.gso_size = size;
  train.payload.resize(segments * size, 0x5a);
  return train;
}

Train udp_train(std::size_t segments) {
  Train train = tcp_train(segments);
  train.tcp = false;
  return train;
}

TEST_F(CoalescerTest, ATrainComesOutAsItsSenderHadIt) {
  for (const bool v6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      Train train = tcp ? tcp_train(12) : udp_train(12);
      train.v6 = v6;
      train.tcp_options = tcp ? 12 : 0;
      train.payload.resize(11'300);  // the last one is shorter
      add_all(train);
      const std::span<JoinedPackets> joined = coalescer_.finish();
      ASSERT_EQ(joined.size(), 1U);
      EXPECT_EQ(joined[0].packets, 12);
      EXPECT_EQ(joined[0].vnet, train.vnet());
      EXPECT_EQ(Bytes(joined[0].bytes, joined[0].bytes + joined[0].length), train.whole());
      coalescer_.clear();
    }
  }
}

TEST_F(CoalescerTest, ASinglePacketStaysWhereItLies) {
  add_all(tcp_train(1));
  const std::span<JoinedPackets> joined = coalescer_.finish();
  ASSERT_EQ(joined.size(), 1U);
  EXPECT_EQ(joined[0].bytes, kept_[0].data());
  EXPECT_EQ(joined[0].vnet, VnetHeader{});
}

/// Whatever is joined: split again as the kernel would, each flow has its packets back, in order.
void expect_every_flow_unchanged(std::uint64_t seed) {
  SCOPED_TRACE(seed);
  SeededRandom random{seed};
  std::vector<std::deque<Bytes>> flows(1 + random.next() % 6);
  std::map<std::uint16_t, std::vector<Bytes>> sent, came;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    Train train = test::random_train(random);
    train.source_port = static_cast<std::uint16_t>(1000 + i);
    train.flags = static_cast<std::uint8_t>(random.next() % 3 == 0 ? random.next() : 0x18);
    if (random.next() % 3 != 0) train.ip_options = 0;
    train.payload.resize(std::min<std::size_t>(train.payload.size(), train.gso_size * 30UL));
    flows[i] = packets_of(train);
    sent[train.source_port].assign(flows[i].begin(), flows[i].end());
  }
  const auto port_of = [](ByteView packet) {
    const auto ip = IpPacketView::of(packet);
    const auto place = TransportPlace::of(packet, *ip);
    return static_cast<std::uint16_t>(packet[place->offset] << 8U | packet[place->offset + 1]);
  };

  Coalescer coalescer{256, 4};
  std::deque<Bytes> kept;
  for (std::size_t left = 200; left > 0; --left) {
    std::deque<Bytes>& flow = flows[random.next() % flows.size()];
    for (std::size_t run = 1 + random.next() % 8; run > 0 && !flow.empty(); --run) {
      if (coalescer.full()) break;
      Bytes& packet = kept.emplace_back(std::move(flow.front()));
      flow.pop_front();
      coalescer.add(packet, *IpPacketView::of(packet));
    }
  }
  std::size_t packets = 0;
  for (const JoinedPackets& joined : coalescer.finish()) {
    const ByteView bytes{joined.bytes, joined.length};
    const auto view = GsoView::of(bytes, joined.vnet);
    ASSERT_TRUE(view);
    ASSERT_EQ(view->segment_count(), joined.packets);
    packets += joined.packets;
    std::vector<Bytes>& out = came[port_of(bytes)];
    view->split_all(
        [&](std::size_t, std::size_t length) { return ByteSpan{out.emplace_back(length)}; });
  }
  EXPECT_EQ(packets, kept.size());
  for (auto& [port, all] : sent) {
    all.resize(came[port].size());
    EXPECT_EQ(came[port], all) << "flow " << port;
  }
}

TEST(Coalescer, SplitAgainEveryFlowHasItsPacketsInOrder) {
  for (std::uint64_t seed = 0; seed < 300 && !testing::Test::HasFailure(); ++seed) {
    expect_every_flow_unchanged(seed);
  }
}

TEST_F(CoalescerTest, InterleavedFlowsAreJoinedEachToItsOwn) {
  Train a = tcp_train(6), b = udp_train(6);
  b.source_port = 50000;
  std::deque<Bytes> as = packets_of(a), bs = packets_of(b);
  for (std::size_t i = 0; i < 6; ++i) {
    add(as[i]);
    add(bs[i]);
  }
  EXPECT_EQ(counts(), (std::vector<std::uint16_t>{6, 6}));
}

TEST_F(CoalescerTest, PushAndShortSegmentsEndATrain) {
  Train pushed = tcp_train(4);
  pushed.flags = 0x18;  // PSH with the last
  add_all(pushed);
  Train next = tcp_train(3);
  next.sequence = pushed.sequence + 4000;
  next.identification = static_cast<std::uint16_t>(pushed.identification + 4);
  add_all(next);
  EXPECT_EQ(counts(), (std::vector<std::uint16_t>{4, 3}));
}

/// Two packets that look like neighbours but for what `change` does to the second.
template <typename Change>
std::size_t trains_after(Change&& change, const Train& base = tcp_train(1)) {
  Train second = base;
  second.sequence += static_cast<std::uint32_t>(base.payload.size());
  ++second.identification;
  Bytes one = base.packet(0, 1, true);
  Bytes two = change(second);
  Coalescer coalescer{8, 2};
  coalescer.add(one, *IpPacketView::of(one));
  coalescer.add(two, *IpPacketView::of(two));
  return coalescer.finish().size();
}

TEST(Coalescer, WhatDiffersInAnythingButItsPlaceIsNotJoined) {
  const auto whole = [](const Train& train) { return train.packet(0, 1, true); };
  EXPECT_EQ(trains_after(whole), 1U);  // the control
  const auto with = [&](auto&& edit) {
    return trains_after([&](Train& train) {
      edit(train);
      return whole(train);
    });
  };
  EXPECT_EQ(with([](Train& t) { t.tos = 3; }), 2U) << "a congestion mark";
  EXPECT_EQ(with([](Train& t) { t.sequence += 1; }), 2U) << "a gap";
  EXPECT_EQ(with([](Train& t) { t.sequence -= 1000; }), 2U) << "a retransmission";
  EXPECT_EQ(with([](Train& t) { t.source_port = 1; }), 2U) << "another flow";
  EXPECT_EQ(with([](Train& t) { t.payload.resize(t.gso_size = 1001); }), 2U) << "a longer segment";
  EXPECT_EQ(with([](Train& t) { t.payload.clear(); }), 2U) << "an acknowledgement";
  EXPECT_EQ(with([](Train& t) { t.tcp_options = 12; }), 2U) << "options";
  EXPECT_EQ(with([](Train& t) { t.identification = 99; }), 2U) << "identification";
  EXPECT_EQ(with([](Train& t) { t.ip_options = 4; }), 2U) << "IP options";
  for (const int flag : {0x02, 0x04, 0x20, 0x40, 0x80}) {
    EXPECT_EQ(with([&](Train& t) { t.flags |= static_cast<std::uint8_t>(flag); }), 2U) << flag;
  }
  // Each with checksums that hold, at `sum`.
  const auto with_byte = [&](std::size_t at, std::size_t sum) {
    return trains_after([&](Train& train) {
      Bytes packet = whole(train);
      const std::uint16_t before = load_be16(packet, at & ~1UL);
      packet[at] ^= 1U;
      store_be16(packet, sum,
                 updated_checksum(load_be16(packet, sum), before, load_be16(packet, at & ~1UL)));
      return packet;
    });
  };
  EXPECT_EQ(with_byte(8, 10), 2U) << "time to live";
  EXPECT_EQ(with_byte(28, 36), 2U) << "acknowledgement number";
  EXPECT_EQ(with_byte(34, 36), 2U) << "window";
  EXPECT_EQ(with_byte(39, 36), 2U) << "urgent pointer";
}

TEST(Coalescer, AFixedIdentificationIsJoinedIfNobodyMayCutThePacket) {
  EXPECT_EQ(trains_after([](Train& train) {
              --train.identification;
              return train.packet(0, 1, true);
            }),
            1U);
}

TEST(Coalescer, UdpWithoutAChecksumIsLeftAlone) {
  const auto without = [](Train& train) {
    Bytes packet = train.packet(0, 1, true);
    packet[26] = packet[27] = 0;
    return packet;
  };
  EXPECT_EQ(trains_after(without, udp_train(1)), 2U);
}

/// One packet of a train has a bit turned round before the tunnel gets it. Whatever is joined, the
/// far end must see exactly what was sent: the damaged packet as it is, the others as they are.
void expect_left_alone(const Train& train, std::size_t damaged, std::size_t at, unsigned bit) {
  std::deque<Bytes> packets = packets_of(train);
  packets[damaged][at] ^= static_cast<std::uint8_t>(1U << bit);
  Coalescer coalescer{16, 4};
  std::vector<Bytes> given, came;
  for (Bytes& packet : packets) {
    const auto ip = IpPacketView::of(packet);
    if (!ip || ip->total_length != packet.size()) return;  // the lane drops it, or sees another one
    given.push_back(packet);
    coalescer.add(packet, *ip);
  }
  for (const JoinedPackets& joined : coalescer.finish()) {
    const ByteView bytes{joined.bytes, joined.length};
    if (joined.bytes == packets[damaged].data()) {
      EXPECT_EQ(joined.packets, 1);
      EXPECT_EQ(joined.vnet, VnetHeader{}) << "no checksum to be done";
    }
    const auto view = GsoView::of(bytes, joined.vnet);
    ASSERT_TRUE(view);
    view->split_all(
        [&](std::size_t, std::size_t length) { return ByteSpan{came.emplace_back(length)}; });
  }
  // A damaged port or protocol makes it another flow's: order holds within each.
  std::ranges::sort(given);
  std::ranges::sort(came);
  EXPECT_EQ(came, given) << (train.v6 ? "IPv6 " : "IPv4 ") << (train.tcp ? "TCP" : "UDP")
                         << ", packet " << damaged << ", byte " << at << ", bit " << bit;
}

TEST(Coalescer, NothingDamagedIsHealed) {
  for (const unsigned kind : {0U, 1U, 2U, 3U}) {
    Train train = (kind & 1U) != 0 ? tcp_train(0, 70) : udp_train(0);
    train.v6 = (kind & 2U) != 0;
    train.gso_size = 70;
    train.payload.resize(4UL * 70 - 3, 0xa5);
    for (std::size_t damaged = 0; damaged < 4; ++damaged) {
      const std::size_t size = train.packet(damaged, 1, true).size();
      for (std::size_t at = 0; at < size && !testing::Test::HasFailure(); ++at) {
        expect_left_alone(train, damaged, at, at % 8);
      }
    }
  }
}

TEST_F(CoalescerTest, WhatFollowsADamagedPacketIsJoinedAgain) {
  for (const bool tcp : {false, true}) {
    std::deque<Bytes> packets = packets_of(tcp ? tcp_train(8) : udp_train(8));
    packets[3].back() ^= 1U;
    for (Bytes& packet : packets) add(std::move(packet));
    EXPECT_EQ(counts(), (std::vector<std::uint16_t>{3, 1, 4}));
    coalescer_.clear();
  }
}

// Each would begin a train: none may take a buffer that others need.
TEST(Coalescer, DamagedPacketsTakeNoBuffer) {
  Coalescer coalescer{64, 1};
  std::deque<Bytes> packets = packets_of(tcp_train(40));
  for (std::size_t i = 1; i < 31; i += 2) packets[i].back() ^= 1U;
  for (Bytes& packet : packets) coalescer.add(packet, *IpPacketView::of(packet));
  const std::span<JoinedPackets> joined = coalescer.finish();
  ASSERT_EQ(joined.size(), 31U);
  EXPECT_EQ(joined.back().packets, 10);
}

// RFC 768: none is none, and none can be wrong. RFC 8200 forbids it over IPv6, which is for the
// receiver to say.
TEST(Coalescer, ADamagedDatagramWithoutAChecksumStaysWithoutOne) {
  for (const bool v6 : {false, true}) {
    Train train = udp_train(1);
    train.v6 = v6;
    EXPECT_EQ(trains_after(
                  [&](Train& second) {
                    Bytes packet = second.packet(0, 1, true);
                    packet[second.transport() + 6] = packet[second.transport() + 7] = 0;
                    packet.back() ^= 1U;
                    return packet;
                  },
                  train),
              2U);
  }
}

TEST_F(CoalescerTest, AnAcknowledgementIsNotOvertaken) {
  Train first = tcp_train(2), ack = tcp_train(0), last = tcp_train(2);
  ack.sequence = last.sequence = first.sequence + 2000;
  add_all(first);
  add(ack.packet(0, 1, true));
  add_all(last);
  EXPECT_EQ(counts(), (std::vector<std::uint16_t>{2, 1, 2}));
}

TEST_F(CoalescerTest, NeverLongerThanAnIpPacketAndLongUdpTrainsAreCut) {
  add_all(tcp_train(100, 1400));
  EXPECT_EQ(counts(), (std::vector<std::uint16_t>{46, 46, 8}));
  coalescer_.clear();
  Train small = udp_train(0);
  small.gso_size = 10;
  small.payload.resize(1000);
  add_all(small);
  EXPECT_EQ(counts(), (std::vector<std::uint16_t>{64, 36}));
}

TEST_F(CoalescerTest, EachKindCanBeTurnedOff) {
  coalescer_.set_kinds({.tcp = false, .udp = true});
  add_all(tcp_train(3));
  add_all(udp_train(3));
  EXPECT_EQ(counts(), (std::vector<std::uint16_t>{1, 1, 1, 3}));
}

TEST(Coalescer, WithoutBuffersPacketsGoSingly) {
  Coalescer coalescer{8, 0};
  std::deque<Bytes> packets = packets_of(tcp_train(3));
  for (Bytes& packet : packets) coalescer.add(packet, *IpPacketView::of(packet));
  EXPECT_EQ(coalescer.finish().size(), 3U);
}

}  // namespace
}  // namespace tw
