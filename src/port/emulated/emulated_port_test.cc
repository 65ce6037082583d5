#include "port/emulated/emulated_port.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <vector>

#include "port/emulated/memory_port.h"
#include "port/emulated/test_packets.h"
#include "wire/offload/gso.h"

namespace tw {
namespace {

class EmulatedPortTest : public ::testing::Test {
 protected:
  EmulatedPortTest() { MemoryPort::join(near_, far_); }

  void send(const TestPacket& packet) {
    const Train train = packet.train();
    ASSERT_EQ(far_.send({&train, 1}).taken, 1U);
  }
  // Polls until nothing is under way, following next_release() alone; arrival times and trains.
  struct Arrival {
    Duration after;
    Train train;
    std::vector<std::uint8_t> bytes;
  };
  std::vector<Arrival> drain(EmulatedPort& link) {
    const Instant start = clock_.now();
    std::vector<Arrival> arrivals;
    PacketBatch batch{4, 65'536};
    while (true) {
      batch.clear();
      while (link.poll(batch) > 0) {
        for (const Train& train : batch.trains()) {
          arrivals.push_back(
              {clock_.now() - start, train, {train.all().begin(), train.all().end()}});
        }
        batch.clear();
      }
      if (!link.arm()) continue;
      if (link.next_release() == Instant::max()) return arrivals;
      EXPECT_GT(link.next_release(), clock_.now());
      clock_.advance(link.next_release() - clock_.now());
    }
  }

  ManualClock clock_;
  MemoryPort near_{4096}, far_{4096};
};

TEST_F(EmulatedPortTest, DelayIsExactAndBytesUntouched) {
  EmulatedPort link{near_, {.delay = 16'350us}, clock_};
  const TestPacket packet = udp_packet(333);
  send(packet);
  PacketBatch batch{4, 65'536};
  EXPECT_EQ(link.poll(batch), 0U);
  EXPECT_EQ(link.next_release(), clock_.now() + 16'350us);
  EXPECT_EQ(link.queued(), 1U);
  clock_.advance(16'350us - 1ns);
  EXPECT_EQ(link.poll(batch), 0U);
  clock_.advance(1ns);
  ASSERT_EQ(link.poll(batch), 1U);
  EXPECT_TRUE(std::ranges::equal(batch[0].all(), packet.bytes));
  EXPECT_EQ(link.next_release(), Instant::max());
  EXPECT_EQ(link.queued(), 0U);
}

TEST_F(EmulatedPortTest, NoDelayMeansAtOnce) {
  EmulatedPort link{near_, {}, clock_};
  send(udp_packet(100));
  PacketBatch batch{4, 65'536};
  EXPECT_EQ(link.poll(batch), 1U);
}

// Ten packets of 1,000 bytes at 8 Mbps leave a millisecond apart, whatever way the rate divides.
TEST_F(EmulatedPortTest, RateIsExact) {
  EmulatedPort link{near_, {.delay = 5ms, .rate_bps = 8'000'000}, clock_};
  for (int i = 0; i < 10; ++i) send(udp_packet(1000));
  const auto arrivals = drain(link);
  ASSERT_EQ(arrivals.size(), 10U);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(arrivals[i].after, 5ms + 1ms * static_cast<int>(i + 1));
  }
}

TEST_F(EmulatedPortTest, RoundingDoesNotAddUp) {
  // 7 bps over: each packet takes 1,142,... ns and a fraction.
  EmulatedPort link{near_, {.rate_bps = 7'000'000}, clock_};
  for (int i = 0; i < 700; ++i) send(udp_packet(1000));
  const auto arrivals = drain(link);
  ASSERT_EQ(arrivals.size(), 700U);
  EXPECT_EQ(arrivals.back().after, 800ms);
}

// A train takes as long as its segments would, each with headers of its own.
TEST_F(EmulatedPortTest, TrainsTakeTheTimeOfTheirSegments) {
  EmulatedPort link{near_, {.rate_bps = 1'000'000'000}, clock_};
  const TestPacket train = tcp_train(10 * 1448, 1448);
  send(train);
  const auto arrivals = drain(link);
  ASSERT_EQ(arrivals.size(), 1U);
  EXPECT_EQ(arrivals[0].bytes, train.bytes);
  EXPECT_EQ(arrivals[0].train.vnet, train.vnet);
  EXPECT_EQ(arrivals[0].after, Duration{10 * (1448 + 40) * 8});
  EXPECT_EQ(link.counters().out.value(), 10U);
}

TEST_F(EmulatedPortTest, FullQueueDropsTheTailInSegments) {
  // 10 segments' room behind the one on the line; the eleventh and later find it full.
  EmulatedPort link{near_, {.rate_bps = 1'000'000'000, .queue_bytes = 10 * 1488}, clock_};
  const TestPacket train = tcp_train(30 * 1448, 1448);
  send(train);
  const auto arrivals = drain(link);
  ASSERT_EQ(arrivals.size(), 1U);
  EXPECT_EQ(link.counters().out.value(), 10U);
  EXPECT_EQ(link.counters().queue_dropped.value(), 20U);
  EXPECT_TRUE(std::ranges::equal(std::span{arrivals[0].bytes}.subspan(40),
                                 std::span{train.bytes}.subspan(40, 10 * 1448)));
}

TEST_F(EmulatedPortTest, MemoryIsBoundedEvenWithoutARate) {
  EmulatedPort link{near_, {.delay = 1ms, .queue_bytes = 0}, clock_};
  const TestPacket train = tcp_train(45 * 1448, 1448);
  PacketBatch batch{16, 65'536};
  for (int i = 0; i < 200; ++i) {
    send(train);
    EXPECT_EQ(link.poll(batch), 0U);
  }
  EXPECT_GT(link.counters().queue_dropped.value(), 0U);
  EXPECT_EQ(link.counters().queue_dropped.value() % 45, 0U);
  const std::uint64_t arrived = drain(link).size() * 45;
  EXPECT_EQ(link.counters().out.value(), arrived);
  EXPECT_EQ(link.counters().in.value(), arrived + link.counters().queue_dropped.value());
}

// The survivors of a train with losses are the original's segments, unharmed and in order.
TEST_F(EmulatedPortTest, LossCutsSegmentsOutOfTrains) {
  EmulatedPort link{near_,
                    {.rate_bps = 10'000'000'000, .queue_bytes = 20'000'000, .loss = 0.1, .seed = 5},
                    clock_};
  constexpr std::size_t trains = 200, segments = 44, mss = 1448;
  std::map<std::uint32_t, std::vector<std::uint8_t>> sent;  // payload by sequence number
  for (std::uint32_t i = 0; i < trains; ++i) {
    const TestPacket train = tcp_train(segments * mss, mss, i * segments * mss);
    for (const auto& [sequence, payload] : tcp_payloads(train.train())) sent[sequence] = payload;
    send(train);
  }
  const auto arrivals = drain(link);
  std::uint32_t last = 0;
  std::size_t survivors = 0;
  for (const Arrival& arrival : arrivals) {
    Train train = arrival.train;
    train.bytes = const_cast<std::uint8_t*>(arrival.bytes.data());
    for (const auto& [sequence, payload] : tcp_payloads(train)) {
      ASSERT_TRUE(survivors == 0 || sequence > last);
      ASSERT_EQ(payload, sent[sequence]);
      last = sequence;
      ++survivors;
    }
  }
  EXPECT_EQ(survivors, link.counters().out.value());
  EXPECT_EQ(survivors + link.counters().lost.value(), trains * segments);
  EXPECT_NEAR(static_cast<double>(link.counters().lost.value()), 880, 120);
}

TEST_F(EmulatedPortTest, DatagramsOfASocketLoseDatagrams) {
  EmulatedPort link{near_, {.loss = 0.5, .seed = 9}, clock_};
  TestPacket packet;
  packet.bytes.resize(20 * 100 - 50);
  std::iota(packet.bytes.begin(), packet.bytes.end(), std::uint8_t{0});
  Train train = packet.train();
  train.segment_size = 100;
  train.source = {*IpAddress::parse("192.0.2.1"), 1};
  ASSERT_EQ(far_.send({&train, 1}).taken, 1U);
  std::size_t segments = 0;
  for (const Arrival& arrival : drain(link)) {
    segments += arrival.train.segments();
    EXPECT_EQ(arrival.train.source, train.source);
    EXPECT_EQ(arrival.bytes.size() % 50, 0U);
  }
  EXPECT_EQ(segments, link.counters().out.value());
  EXPECT_GT(link.counters().lost.value(), 0U);
  EXPECT_EQ(segments + link.counters().lost.value(), 20U);
}

TEST_F(EmulatedPortTest, SeedDecidesEverything) {
  const auto survivors = [this](std::uint64_t seed) {
    EmulatedPort link{near_, {.delay = 1ms, .loss = 0.3, .seed = seed}, clock_};
    std::vector<std::size_t> lengths;
    for (std::size_t i = 0; i < 100; ++i) send(udp_packet(100 + i));
    for (const Arrival& arrival : drain(link)) lengths.push_back(arrival.bytes.size());
    return lengths;
  };
  EXPECT_EQ(survivors(3), survivors(3));
  EXPECT_NE(survivors(3), survivors(4));
}

// A bucket of four segments, which fills at one a millisecond; what passes does not wait.
TEST_F(EmulatedPortTest, PolicerDropsWhatFindsNoTokensAndDelaysNothing) {
  EmulatedPort link{
      near_, {.delay = 5ms, .rate_bps = 8'000'000, .queue_bytes = 4000, .polices = true}, clock_};
  for (int i = 0; i < 10; ++i) send(udp_packet(1000));
  auto arrivals = drain(link);
  ASSERT_EQ(arrivals.size(), 4U);
  for (const Arrival& arrival : arrivals) EXPECT_EQ(arrival.after, 5ms);
  EXPECT_EQ(link.counters().queue_dropped.value(), 6U);
  // 5 ms later it is full again, and holds no more than before.
  for (int i = 0; i < 10; ++i) send(udp_packet(1000));
  EXPECT_EQ(drain(link).size(), 4U);
}

TEST_F(EmulatedPortTest, PolicedRateIsTheTokens) {
  EmulatedPort link{near_, {.rate_bps = 8'000'000, .queue_bytes = 4000, .polices = true}, clock_};
  std::size_t arrived = 0;
  for (int i = 0; i < 1000; ++i) {
    send(udp_packet(1000));
    send(udp_packet(1000));
    arrived += drain(link).size();
    clock_.advance(1ms);
  }
  EXPECT_NEAR(static_cast<double>(arrived), 1003, 1);
}

// Twice as fast, ten times as slow: what is on the line already keeps its time.
TEST_F(EmulatedPortTest, RateChangesForWhatComesLater) {
  EmulatedPort link{near_, {.rate_bps = 8'000'000, .queue_bytes = 10'000}, clock_};
  PacketBatch batch{4, 65'536};
  send(udp_packet(1000));
  EXPECT_EQ(link.poll(batch), 0U);
  link.set_rate(800'000);
  send(udp_packet(1000));
  const auto arrivals = drain(link);
  ASSERT_EQ(arrivals.size(), 2U);
  EXPECT_EQ(arrivals[0].after, 1ms);
  EXPECT_EQ(arrivals[1].after, 11ms);
}

// 10 MB are under way, and the first rate would have taken memory for five.
TEST_F(EmulatedPortTest, MemoryIsThatOfTheHighestRate) {
  EmulatedPort link{
      near_,
      {.delay = 1s, .rate_bps = 8'000'000, .most_rate_bps = 80'000'000, .queue_bytes = 1'000'000},
      clock_};
  link.set_rate(80'000'000);
  PacketBatch batch{4, 65'536};
  for (int burst = 0; burst < 33; ++burst) {
    for (int i = 0; i < 300; ++i) send(udp_packet(1000));
    while (link.queued() < static_cast<std::uint64_t>(burst + 1) * 300) link.poll(batch);
    clock_.advance(30ms);
  }
  EXPECT_EQ(link.counters().queue_dropped.value(), 0U);
  EXPECT_EQ(drain(link).size(), 33U * 300U);
}

TEST_F(EmulatedPortTest, SlowerLineHasTheSameQueueInBytes) {
  EmulatedPort link{near_, {.rate_bps = 80'000'000, .queue_bytes = 10'000}, clock_};
  link.set_rate(8'000'000);
  for (int i = 0; i < 20; ++i) send(udp_packet(1000));
  EXPECT_EQ(drain(link).size(), 10U);
}

// Every packet waits for the next lump, no longer than the longest hold; looked at every ms.
TEST_F(EmulatedPortTest, LumpsHoldPacketsWithinBounds) {
  const auto arrivals_of = [this](std::uint64_t seed) {
    EmulatedPort link{
        near_, {.delay = 10ms, .least_hold = 1ms, .most_hold = 20ms, .seed = seed}, clock_};
    std::vector<int> found;  // ms
    PacketBatch batch{64, 65'536};
    for (int i = 0; i < 1000 + 40; ++i) {
      if (i < 1000) send(udp_packet(100));
      batch.clear();
      found.insert(found.end(), link.poll(batch), i);
      clock_.advance(1ms);
    }
    return found;
  };
  const auto found = arrivals_of(7);
  ASSERT_EQ(found.size(), 1000U);
  std::map<int, int> lumps;
  for (int i = 0; i < 1000; ++i) {
    const int after = found[static_cast<std::size_t>(i)] - i;
    EXPECT_GE(after, 10);
    EXPECT_LE(after, 31);
    ++lumps[found[static_cast<std::size_t>(i)]];
  }
  // 10.5 ms apart on average.
  EXPECT_NEAR(static_cast<double>(lumps.size()), 1000 / 10.5, 20);
  EXPECT_EQ(found, arrivals_of(7));
  EXPECT_NE(found, arrivals_of(8));
}

// A wrong header of a TUN about its packet is no reason to fail: the packet passes as one segment.
TEST_F(EmulatedPortTest, HeaderThatDoesNotHoldWaterCountsAsOne) {
  EmulatedPort link{near_, {.rate_bps = 8'000'000'000}, clock_};
  TestPacket broken = tcp_train(5000, 1000);
  broken.vnet.gso_size = 0;
  send(broken);
  const auto arrivals = drain(link);
  ASSERT_EQ(arrivals.size(), 1U);
  EXPECT_EQ(arrivals[0].bytes, broken.bytes);
  EXPECT_EQ(link.counters().out.value(), 1U);
}

TEST_F(EmulatedPortTest, SendsPassThroughAtOnce) {
  EmulatedPort link{near_, {.delay = 1s, .loss = 1}, clock_};
  const TestPacket packet = udp_packet(50);
  const Train train = packet.train();
  EXPECT_EQ(link.send({&train, 1}).taken, 1U);
  PacketBatch batch{1, 65'536};
  EXPECT_EQ(far_.poll(batch), 1U);
}

}  // namespace
}  // namespace tw
