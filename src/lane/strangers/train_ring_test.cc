#include "lane/strangers/train_ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>
#include <vector>

#include "base/random.h"

namespace tw::lane {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t capacity = std::size_t{1} << 18U;

Train train_of(std::uint8_t tag) {
  Train train;
  train.traffic_class = tag;
  train.source = {IpAddress::v4({192, 0, 2, tag}), 1000, 0};
  train.vnet.gso_size = tag;
  return train;
}

TEST(TrainRing, NothingIsSeenBeforeItIsPublished) {
  TrainRing ring{capacity};
  EXPECT_FALSE(ring.publish());
  const Train train = train_of(7);
  ASSERT_TRUE(ring.add(train, Bytes(100, 1)));
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.publish());
  EXPECT_FALSE(ring.publish());
  PacketBatch batch{4, TrainRing::train_bytes};
  ring.poll(batch);
  ASSERT_EQ(batch.size(), 1U);
  EXPECT_EQ(batch[0].source, train.source);
  EXPECT_EQ(batch[0].vnet.gso_size, 7);
  EXPECT_TRUE(batch[0].passed_on);
  EXPECT_TRUE(ring.empty());
}

// As UDP_GRO has it: all segments of a train are alike but the last, which may be shorter.
TEST(TrainRing, SegmentsOfATrainJoinAsLongAsTheyAreOne) {
  TrainRing ring{capacity};
  const Train one = train_of(1), other = train_of(2);
  for (const std::size_t size : {100U, 100U, 60U}) ASSERT_TRUE(ring.add(one, Bytes(size, 1)));
  for (const std::size_t size : {60U, 100U}) ASSERT_TRUE(ring.add(one, Bytes(size, 2)));
  ASSERT_TRUE(ring.add(other, Bytes(100, 3)));
  ring.publish();
  ASSERT_TRUE(ring.add(other, Bytes(100, 4)));
  ring.publish();
  PacketBatch batch{8, TrainRing::train_bytes};
  ring.poll(batch);
  std::vector<std::pair<std::uint32_t, std::size_t>> found;
  for (const Train& train : batch.trains()) found.emplace_back(train.length, train.segments());
  EXPECT_EQ(found, (std::vector<std::pair<std::uint32_t, std::size_t>>{
                       {260, 3}, {60, 1}, {100, 1}, {100, 1}, {100, 1}}));
}

TEST(TrainRing, RefusesWhatNoBatchCouldTake) {
  TrainRing ring{capacity};
  const Train train = train_of(1);
  EXPECT_FALSE(ring.add(train, {}));
  EXPECT_FALSE(ring.add(train, Bytes(TrainRing::train_bytes + 1)));
  ASSERT_TRUE(ring.add(train, Bytes(40'000)));
  ASSERT_TRUE(ring.add(train, Bytes(40'000)));  // too long together: a train of its own
  ring.publish();
  PacketBatch batch{8, TrainRing::train_bytes};
  ring.poll(batch);
  EXPECT_EQ(batch.size(), 2U);
}

// Segments as one side adds them and the other takes them, against a plain queue.
TEST(TrainRing, LosesNothingAndKeepsTheOrder) {
  SeededRandom random{9};
  TrainRing ring{capacity};
  std::deque<Bytes> model, unpublished;
  PacketBatch batch{3, TrainRing::train_bytes};
  std::array<Train, 2> trains{train_of(1), train_of(2)};
  std::size_t refused = 0, taken = 0;
  for (int step = 0; step < 50'000; ++step) {
    const std::uint64_t dice = random.next();
    if (dice % 8 < 5) {
      const bool is_long = dice >> 8U & 1U;
      Bytes segment(1 + (dice >> 16U) % (is_long ? TrainRing::train_bytes : 200),
                    static_cast<std::uint8_t>(step));
      if (ring.add(trains[dice >> 4U & 1U], segment)) {
        unpublished.push_back(std::move(segment));
      } else {
        ++refused;
      }
    } else if (dice % 8 == 5) {
      ring.publish();
      model.insert(model.end(), unpublished.begin(), unpublished.end());
      unpublished.clear();
    } else {
      batch.clear();
      ring.poll(batch);
      for (const Train& train : batch.trains()) {
        for (std::size_t i = 0; i < train.segments(); ++i) {
          ASSERT_FALSE(model.empty());
          ASSERT_TRUE(std::ranges::equal(train.segment(i), model.front()));
          model.pop_front();
          ++taken;
        }
      }
    }
  }
  EXPECT_GT(refused, 100U);
  EXPECT_GT(taken, 10'000U);
}

// On two threads, for ThreadSanitizer.
TEST(TrainRing, TwoThreadsAgree) {
  constexpr std::uint32_t count = 50'000;
  TrainRing ring{capacity};
  std::jthread producer{[&ring] {
    const Train train = train_of(1);
    for (std::uint32_t number = 0; number < count;) {
      Bytes segment(8 + number % 300);
      std::memcpy(segment.data(), &number, sizeof number);
      if (ring.add(train, segment)) ++number;
      ring.publish();
    }
  }};
  PacketBatch batch{16, TrainRing::train_bytes};
  for (std::uint32_t expected = 0; expected < count;) {
    batch.clear();
    ring.poll(batch);
    for (const Train& train : batch.trains()) {
      for (std::size_t i = 0; i < train.segments(); ++i, ++expected) {
        std::uint32_t number = 0;
        std::memcpy(&number, train.segment(i).data(), sizeof number);
        ASSERT_EQ(number, expected);
      }
    }
  }
}

}  // namespace
}  // namespace tw::lane
