// What the program decides is tested without a kernel (the rule is shared, bpf/abi.h) and, with
// privileges, by running the program itself on built packets.
#include "port/tun_queue.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "bpf/abi.h"
#include "port/tun_filter.h"
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

constexpr Duration limit = 2ms;
constexpr std::uint64_t full_packet = 61'000;

// The rule of the program, and what its counters become, in plain memory.
class TunQueueTest : public testing::Test {
 protected:
  bool arrive(std::uint32_t bucket, std::uint64_t length) {
    const std::uint64_t in_bucket =
        tw_tun_queued(shared_.bucket_enqueued[bucket], shared_.bucket_dequeued[bucket]);
    if (tw_tun_keeps(shared_.limit_bytes, queued(), in_bucket, length) == 0) return false;
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
  // Takes out `bytes` in one poll, which lasts `duration`.
  void drain(std::uint64_t bytes, Duration duration, bool dry) {
    queue_.poll(now_, 0);
    queue_.took(Bytes(bytes));
    if (dry && queue_.found_empty()) queue_.found_empty();
    now_ = now_ + duration;
    queue_.poll(now_, 0);
  }

  tw_tun_queue shared_{};
  TunQueue queue_{shared_, limit};
  Instant now_{1s};
};

TEST_F(TunQueueTest, OneDestinationAloneGetsHalfOfTheLimit) {
  EXPECT_EQ(shared_.limit_bytes, 2 * TunQueue::start_bytes);
  const std::uint64_t bytes = fill(7);
  EXPECT_LE(bytes, TunQueue::start_bytes + full_packet);
  EXPECT_GT(bytes, TunQueue::start_bytes - 2 * full_packet);
}

TEST_F(TunQueueTest, AnotherOneStillGetsInAndIsNotPushedOut) {
  fill(7);
  EXPECT_TRUE(arrive(9, full_packet));
  fill(9);
  EXPECT_FALSE(arrive(7, 100));
  // Each that comes finds less, and all together never exceed the limit by more than a packet.
  for (std::uint32_t bucket = 10; bucket < 200; ++bucket) fill(bucket);
  EXPECT_LT(queued(), shared_.limit_bytes + full_packet);
}

TEST_F(TunQueueTest, APacketThatFindsItsBucketEmptyIsKeptBelowTheLimitOnly) {
  EXPECT_TRUE(tw_tun_keeps(100, 99, 0, 65535));
  EXPECT_FALSE(tw_tun_keeps(100, 100, 0, 1));
  EXPECT_FALSE(tw_tun_keeps(100, 60, 30, 11));
  EXPECT_TRUE(tw_tun_keeps(100, 60, 30, 10));
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

TEST_F(TunQueueTest, TheLimitFollowsTheRateOfASlowWorker) {
  for (int i = 0; i < 100; ++i) drain(100'000, 1ms, false);  // 200 KB in 2 ms
  EXPECT_NEAR(static_cast<double>(shared_.limit_bytes), 400'000, 4'000);
  for (int i = 0; i < 100; ++i) drain(1'000, 1ms, false);
  EXPECT_EQ(shared_.limit_bytes, 2 * TunQueue::fewest_bytes);
}

TEST_F(TunQueueTest, TheLimitFollowsTheRateOfAFastWorkerUpToABound) {
  for (int i = 0; i < 300; ++i) drain(1'500'000, 1ms, true);
  EXPECT_NEAR(static_cast<double>(shared_.limit_bytes), 6'000'000, 60'000);
  for (int i = 0; i < 100; ++i) drain(50'000'000, 1ms, true);
  EXPECT_EQ(shared_.limit_bytes, 2 * TunQueue::most_bytes);
}

TEST_F(TunQueueTest, AnIdleQueueSaysNothingAboutTheRate) {
  for (int i = 0; i < 100; ++i) drain(84, 1ms, true);  // a ping
  for (int i = 0; i < 100; ++i) drain(0, 1ms, true);
  drain(1'000, 500ms, false);  // away
  EXPECT_EQ(shared_.limit_bytes, 2 * TunQueue::start_bytes);
}

class TunFilterTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<TunFilter> loaded = TunFilter::load();
    if (!loaded) GTEST_SKIP() << "needs CAP_BPF: " << loaded.error().text();
    filter_ = std::make_unique<TunFilter>(std::move(*loaded));
    filter_->queue().limit_bytes = 10'000;
  }
  // What the program says of a packet; behind an Ethernet header, which the kernel takes off. Its
  // type is none: of IP the kernel would refuse to run what is cut short.
  std::uint32_t run(const Bytes& packet) {
    Bytes frame(14, 0);
    frame.insert(frame.end(), packet.begin(), packet.end());
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.repeat = 1;
    EXPECT_EQ(::bpf_prog_test_run_opts(filter_->program_fd(), &options), 0);
    return options.retval;
  }
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
  TunQueue process{filter_->queue(), limit};
  for (const char* target : {"10.0.0.1", "192.0.2.77", "2001:db8::1", "fd00:1:2:3::4"}) {
    const Bytes packet = packet_to(target, 1'000);
    EXPECT_EQ(run(packet), 1'000U);
    process.took(packet);
  }
  const tw_tun_queue& queue = filter_->queue();
  EXPECT_EQ(queue.enqueued, 4'000U);
  for (std::size_t i = 0; i < tw_tun_buckets; ++i) {
    EXPECT_EQ(queue.bucket_enqueued[i], queue.bucket_dequeued[i]) << i;
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
