// The program's decisions are tested without a kernel (the rule is shared, bpf/abi.h) and, with
// privileges, by running the program itself on built packets.
#include "port/tun/tun_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "bpf/abi.h"
#include "port/kernel/test_program.h"
#include "port/tun/tun_filter.h"
#include "wire/address.h"

namespace tw {
namespace {

using Bytes = std::vector<std::uint8_t>;

// An IP packet of `length` bytes to `target`, which nobody looks at any closer.
Bytes packet_to(std::string_view target, std::size_t length) {
  const IpAddress address = *IpAddress::parse(target);
  Bytes packet(length);
  packet[0] = address.is_v4() ? 0x45 : 0x60;
  std::ranges::copy(address.bytes(), packet.begin() + (address.is_v4() ? 16 : 24));
  return packet;
}

constexpr Duration target = 2ms;
constexpr std::uint64_t full_packet = 61'000;

// The worker's CPU time, as the test says.
Duration worked_so_far;
Duration worked() noexcept { return worked_so_far; }

// The rule of the program, and what its counters become, in plain memory.
class TunQueueTest : public testing::Test {
 protected:
  TunQueueTest() { queue_.poll(now_, 0); }
  bool arrive(std::uint32_t bucket, std::uint64_t length) {
    const std::uint64_t in_bucket =
        tw_tun_queued(shared_.bucket_enqueued[bucket], shared_.bucket_dequeued[bucket]);
    const std::uint64_t limit =
        tw_tun_limit(shared_.limit_bytes, static_cast<std::uint64_t>(now_.since_origin().count()),
                     shared_.served_at_ns, shared_.bytes_per_us);
    if (tw_tun_keeps(limit, queued(), in_bucket, length) == 0) return false;
    shared_.enqueued += length;
    shared_.bucket_enqueued[bucket] += length;
    return true;
  }
  std::uint64_t queued() const { return tw_tun_queued(shared_.enqueued, shared_.dequeued); }
  std::uint64_t fill(std::uint32_t bucket) {
    std::uint64_t bytes = 0;
    while (arrive(bucket, full_packet)) bytes += full_packet;
    return bytes;
  }
  // One turn of the worker: it takes at most `most` bytes of the packets that go to no address,
  // works for `work`, and before that is away for `away`.
  std::uint64_t turn(std::uint64_t most, Duration work, Duration away = 0ms) {
    now_ = now_ + away;
    queue_.poll(now_, 0);
    const std::uint64_t taken = std::min(most, queued());
    queue_.took(Bytes(taken));
    if (taken < most && queue_.found_empty()) queue_.found_empty();
    worked_so_far += work;
    now_ = now_ + work;
    return taken;
  }
  // A load that never yields, against a worker that takes 1 GB/s, in turns of 100 us.
  void flood(Duration time, Duration away = 0ms) {
    for (const Instant end = now_ + time; now_ < end;) {
      fill(0);
      turn(100'000, 100us, away);
    }
  }
  Duration wait() const { return Duration{static_cast<Duration::rep>(queued())}; }  // at 1 GB/s

  tw_tun_queue shared_{};
  TunQueue queue_{shared_, target, worked};
  Instant now_{1s};
};

TEST_F(TunQueueTest, OneDestinationAloneGetsHalfOfTheLimit) {
  const std::uint64_t half = shared_.limit_bytes / 2;
  const std::uint64_t bytes = fill(7);
  EXPECT_LE(bytes, half + full_packet);
  EXPECT_GT(bytes, half - 2 * full_packet);
}

TEST_F(TunQueueTest, AnotherOneStillGetsInAndIsNotPushedOut) {
  fill(7);
  EXPECT_TRUE(arrive(9, full_packet));
  fill(9);
  EXPECT_FALSE(arrive(7, 1'000));
  // Each that comes finds less, and all together never exceed the limit by more than a packet.
  for (std::uint32_t bucket = 10; bucket < 200; ++bucket) fill(bucket);
  EXPECT_LT(queued(), shared_.limit_bytes + full_packet);
}

TEST_F(TunQueueTest, AnEmptyBucketTakesAnyPacketBelowTheLimitAndASmallOneAbove) {
  EXPECT_TRUE(tw_tun_keeps(100, 99, 0, 65535));
  EXPECT_FALSE(tw_tun_keeps(100, 100, 0, 65535));
  EXPECT_TRUE(tw_tun_keeps(100, 100, 0, tw_tun_share_bytes));
  EXPECT_FALSE(tw_tun_keeps(100, tw_tun_most_bytes, 0, 1));
  EXPECT_FALSE(tw_tun_keeps(10'000, 6'000, 3'000, 1'001));
  EXPECT_TRUE(tw_tun_keeps(10'000, 6'000, 3'000, 1'000));
}

TEST_F(TunQueueTest, ASmallPacketFindsALittleRoomInAFullBucket) {
  fill(7);
  EXPECT_TRUE(arrive(7, 84));
  EXPECT_TRUE(arrive(7, tw_tun_small_bytes));
  EXPECT_FALSE(arrive(7, tw_tun_small_bytes + 1));
  std::uint64_t bytes = 0;
  while (arrive(7, 84)) bytes += 84;
  EXPECT_LT(bytes, shared_.limit_bytes / 8);  // others find room all the same
}

TEST_F(TunQueueTest, WhatIsReadMakesRoomInItsOwnBucket) {
  const Bytes packet = packet_to("10.0.0.1", full_packet);
  std::uint64_t address = 0;
  std::memcpy(&address, packet.data() + 16, 4);
  const std::uint32_t bucket = tw_tun_bucket(address);
  fill(bucket);
  EXPECT_FALSE(arrive(bucket, full_packet));
  queue_.took(packet);
  EXPECT_EQ(shared_.bucket_dequeued[bucket], full_packet);
  EXPECT_TRUE(arrive(bucket, full_packet));
}

TEST_F(TunQueueTest, AddressesOfOneIpv6NetworkShareABucket) {
  queue_.took(packet_to("2001:db8:0:1::1", 1000));
  queue_.took(packet_to("2001:db8:0:1:ffff::9", 500));
  queue_.took(packet_to("2001:db8:0:2::1", 250));
  EXPECT_EQ(std::ranges::count(shared_.bucket_dequeued, 1500U), 1);
  EXPECT_EQ(std::ranges::count(shared_.bucket_dequeued, 250U), 1);
}

TEST_F(TunQueueTest, WhatTheDeviceDroppedBehindTheProgramIsForgotten) {
  arrive(3, 1000);
  EXPECT_TRUE(queue_.found_empty());  // let in, but not there: look again
  EXPECT_FALSE(queue_.found_empty());
  EXPECT_EQ(queued(), 0U);
  EXPECT_EQ(shared_.bucket_dequeued[3], 1000U);
  EXPECT_FALSE(queue_.found_empty());  // nothing is missing now
}

TEST_F(TunQueueTest, APacketThatComesBetweenTheTwoLooksIsNotForgotten) {
  arrive(3, 1000);
  EXPECT_TRUE(queue_.found_empty());
  queue_.took(packet_to("10.0.0.1", 400));  // the second look found one
  EXPECT_TRUE(queue_.found_empty());        // from the beginning
  EXPECT_EQ(shared_.bucket_dequeued[3], 0U);
}

TEST_F(TunQueueTest, APacketOnItsWayMakesTheQueueEmptyNotHuge) {
  shared_.enqueued = 400;  // let in, not yet in the ring
  EXPECT_TRUE(queue_.found_empty());
  EXPECT_FALSE(queue_.found_empty());
  queue_.took(Bytes(400));  // and here it is
  EXPECT_EQ(queued(), 0U);
  EXPECT_TRUE(arrive(3, full_packet));
  EXPECT_TRUE(queue_.found_empty());
  EXPECT_FALSE(queue_.found_empty());
  EXPECT_EQ(shared_.dequeued, shared_.enqueued);
}

TEST_F(TunQueueTest, AQueueThatStandsIsBroughtToTheTarget) {
  flood(300ms);
  for (int i = 0; i < 100; ++i) {
    flood(10ms);
    fill(0);
    // A full packet more or less: the limit is not exact, and the worker takes a few in a turn.
    EXPECT_LT(wait(), target * 3 / 2);
    EXPECT_GT(wait(), target / 2);
  }
}

TEST_F(TunQueueTest, ManyDestinationsTogetherWaitNoLongerThanOne) {
  for (int i = 0; i < 10'000; ++i) {
    for (std::uint32_t bucket = 1; bucket < 8; ++bucket) fill(bucket);
    queue_.poll(now_, 0);
    // Two packets of whichever bucket holds most: who fills it does not matter to the sum.
    for (int packet = 0; packet < 2; ++packet) {
      std::uint32_t fullest = 1;
      for (std::uint32_t bucket = 2; bucket < 8; ++bucket) {
        const auto held = [&](std::uint32_t of) {
          return tw_tun_queued(shared_.bucket_enqueued[of], shared_.bucket_dequeued[of]);
        };
        if (held(bucket) > held(fullest)) fullest = bucket;
      }
      queue_.took(Bytes(full_packet));
      shared_.bucket_dequeued[fullest] += full_packet;
    }
    worked_so_far += 2 * full_packet * 1ns;
    now_ = now_ + 2 * full_packet * 1ns;
  }
  EXPECT_LT(wait(), target * 3 / 2);
}

TEST_F(TunQueueTest, ABurstThatTheWorkerEmptiesInTwiceTheTargetIsKept) {
  for (int burst = 0; burst < 50; ++burst) {
    for (int packet = 0; packet < 60; ++packet) EXPECT_TRUE(arrive(0, full_packet));  // 3.7 ms
    for (int i = 0; i < 100; ++i) turn(100'000, 100us);
  }
  EXPECT_EQ(queue_.limit(), 2 * target);
}

TEST_F(TunQueueTest, TheLimitRisesAgainOnceTheQueueIsEmpty) {
  flood(500ms);
  EXPECT_LT(queue_.limit(), target * 3 / 2);
  for (int i = 0; i < 2'000 && queue_.limit() < 2 * target; ++i) turn(100'000, 100us);
  EXPECT_EQ(queue_.limit(), 2 * target);
}

TEST_F(TunQueueTest, AfterAPauseItHasRisenAtOnce) {
  flood(500ms);
  turn(10'000'000, 10ms);
  turn(0, 10us, 1s);
  turn(0, 10us);
  EXPECT_EQ(queue_.limit(), 2 * target);
}

TEST_F(TunQueueTest, WhatPilesUpWhileTheWorkerIsAwayIsNoStandingQueue) {
  for (int i = 0; i < 1'000; ++i) {
    // Away for 5 ms of each 6, while 900 KB come; in the 1 ms that is left it empties the queue.
    for (int packet = 0; packet < 15; ++packet) EXPECT_TRUE(arrive(0, full_packet)) << i;
    turn(500'000, 500us, 5ms);
    turn(500'000, 500us);
  }
  EXPECT_EQ(queue_.limit(), 2 * target);
}

TEST_F(TunQueueTest, AbsencesDoNotMakeTheWorkerLookSlow) {
  flood(500ms);
  const std::uint64_t rate = shared_.bytes_per_us;
  EXPECT_NEAR(static_cast<double>(rate), 1024, 20);
  flood(2s, 1ms);
  EXPECT_EQ(shared_.bytes_per_us, rate);
  EXPECT_LT(queue_.limit(), target * 3 / 2);
}

TEST_F(TunQueueTest, WhoSendsLittleGetsInBeforeTheWorkerHasCaughtUp) {
  flood(500ms);
  now_ = now_ + 10ms;
  fill(0);
  turn(0, 0ms);  // back, with more in the queue than the limit is
  ASSERT_GT(queued(), shared_.limit_bytes);
  EXPECT_FALSE(arrive(0, 1'000));
  EXPECT_TRUE(arrive(9, 1'420));
  std::uint64_t bytes = 0;
  while (arrive(9, 1'000)) bytes += 1'000;
  EXPECT_LT(bytes, std::uint64_t{tw_tun_share_bytes});
  // Nor do all the others together push the wait far.
  const std::uint64_t before = queued();
  for (std::uint32_t bucket = 1; bucket < tw_tun_buckets; ++bucket) {
    while (arrive(bucket, 1'000)) bytes += 1'000;
  }
  EXPECT_LE(queued(), before + tw_tun_buckets * std::uint64_t{tw_tun_share_bytes});
  EXPECT_LE(queued(), std::uint64_t{tw_tun_most_bytes});
}

TEST_F(TunQueueTest, WhileTheWorkerIsAwayAsMuchMoreGetsInAsItWouldHaveTaken) {
  flood(500ms);
  fill(0);
  const std::uint64_t before = queued();
  now_ = now_ + 1ms;  // may still be a turn
  fill(0);
  EXPECT_LT(queued(), before + 2 * full_packet);
  now_ = now_ + 5ms;
  fill(0);
  // One destination gets half of what the limit has risen by.
  EXPECT_NEAR(static_cast<double>(queued() - before), 2'500'000, 200'000);
  EXPECT_GT(tw_tun_most_bytes, tw_tun_limit(0, UINT64_MAX / 4, 0, 100));
  EXPECT_EQ(tw_tun_limit(tw_tun_most_bytes, UINT64_MAX / 4, 0, 1 << 20), tw_tun_most_bytes);
}

TEST_F(TunQueueTest, ASlowWorkerIsMeasuredToo) {
  for (int i = 0; i < 2'000; ++i) {
    fill(0);
    turn(full_packet, 1220us);  // 50 MB/s
  }
  EXPECT_NEAR(static_cast<double>(shared_.bytes_per_us), 51, 2);
  EXPECT_EQ(shared_.limit_bytes, 2 * TunQueue::fewest_bytes);
}

TEST_F(TunQueueTest, AnIdleQueueSaysNothingAboutTheRate) {
  const std::uint64_t before = shared_.bytes_per_us;
  for (int i = 0; i < 100; ++i) {
    arrive(0, 84);  // a ping
    turn(1'000, 1ms);
  }
  EXPECT_EQ(shared_.bytes_per_us, before);
  EXPECT_EQ(queue_.limit(), 2 * target);
}

class TunFilterTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<TunFilter> loaded = TunFilter::load();
    if (!loaded) GTEST_SKIP() << "needs CAP_BPF: " << loaded.error().text();
    filter_ = std::make_unique<TunFilter>(std::move(*loaded));
    filter_->queue().limit_bytes = 10'000;
  }
  std::uint32_t run(const Bytes& packet) { return run_on_packet(filter_->program_fd(), packet); }
  std::unique_ptr<TunFilter> filter_;
};

TEST_F(TunFilterTest, KeepsWhatFitsAndCountsWhatDoesNot) {
  EXPECT_EQ(run(packet_to("10.0.0.1", 3'000)), 3'000U);
  EXPECT_EQ(run(packet_to("10.0.0.1", 2'000)), 2'000U);
  EXPECT_EQ(run(packet_to("10.0.0.1", 1'000)), 0U);  // half of the limit
  EXPECT_EQ(run(packet_to("10.0.0.2", 1'400)), 1'400U);
  EXPECT_EQ(filter_->queue().enqueued, 6'400U);
  EXPECT_EQ(filter_->queue().dropped, 1U);
}

TEST_F(TunFilterTest, FindsTheBucketThatTheProcessFinds) {
  TunQueue process{filter_->queue(), target};
  for (const char* host : {"10.0.0.1", "192.0.2.77", "2001:db8::1", "fd00:1:2:3::4"}) {
    const Bytes packet = packet_to(host, 1'000);
    EXPECT_EQ(run(packet), 1'000U);
    process.took(packet);
  }
  const tw_tun_queue& queue = filter_->queue();
  EXPECT_EQ(queue.enqueued, 4'000U);
  for (std::size_t i = 0; i < tw_tun_buckets; ++i) {
    EXPECT_EQ(queue.bucket_enqueued[i], queue.bucket_dequeued[i]) << i;
  }
}

TEST_F(TunFilterTest, LetsMoreInWhileTheProcessIsAway) {
  filter_->queue().bytes_per_us = 1'000;  // served last when the machine started
  for (int i = 0; i < 10; ++i) EXPECT_EQ(run(packet_to("10.0.0.1", 3'000)), 3'000U);
  EXPECT_EQ(filter_->queue().dropped, 0U);
}

// Each queue of a device has its own memory, which the other half finds by its number.
TEST(TunFilterQueues, LieSideBySide) {
  const Result<TunFilter> loaded = TunFilter::load(3);
  if (!loaded) GTEST_SKIP() << "needs CAP_BPF: " << loaded.error().text();
  for (std::size_t number = 0; number < 3; ++number) {
    loaded->queue(number).limit_bytes = 1000 + number;
    loaded->queue(number).bucket_enqueued[tw_tun_buckets - 1] = number;
  }
  for (std::size_t number = 0; number < 3; ++number) {
    EXPECT_EQ(loaded->queue(number).limit_bytes, 1000 + number);
    EXPECT_EQ(loaded->queue(number).bucket_enqueued[tw_tun_buckets - 1], number);
  }
}

TEST_F(TunFilterTest, LetsNothingInWithoutALimit) {
  filter_->queue().limit_bytes = 0;
  EXPECT_EQ(run(packet_to("10.0.0.1", 100)), 0U);
}

// A packet too short for its header is the TUN's business, not a reason to read beyond it.
TEST_F(TunFilterTest, TakesAPacketThatIsCutShort) {
  Bytes packet(15, 0);
  packet[0] = 0x45;
  EXPECT_EQ(run(packet), 15U);
  packet[0] = 0x60;
  EXPECT_EQ(run(packet), 15U);
  EXPECT_EQ(filter_->queue().bucket_enqueued[0], 30U);
}

}  // namespace
}  // namespace tw
