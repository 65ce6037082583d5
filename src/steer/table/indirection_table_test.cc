#include "steer/table/indirection_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/random.h"

namespace tw {
namespace {

constexpr Instant start{1s};

std::unique_ptr<IndirectionTable> table(std::size_t cores, std::size_t active,
                                        RebalanceSettings settings = {}) {
  return std::make_unique<IndirectionTable>(RendezvousOrder{cores, 7}, CoreSet::first(active),
                                            settings);
}

Slot bucket_slot(std::size_t number) { return Slot{static_cast<std::uint16_t>(number)}; }
std::uint32_t hash_in(std::size_t bucket, std::uint32_t low = 0) {
  return static_cast<std::uint32_t>(bucket << (32 - Bucket::bits)) | low;
}

void settle_all(IndirectionTable& table, std::span<const SlotMove> moves, Instant now) {
  const std::vector<SlotMove> copy{moves.begin(), moves.end()};
  for (const SlotMove& move : copy) EXPECT_EQ(table.settle(move.slot, now), std::nullopt);
}

TEST(IndirectionTable, ACoreThatComesBackGetsTheSameSlots) {
  const auto made = table(5, 5);
  std::vector<std::uint8_t> before;
  for (std::size_t n = 0; n < Bucket::count; ++n) before.push_back(made->target(bucket_slot(n)));
  CoreSet four = CoreSet::first(5);
  four.erase(3);
  const auto gone = made->set_active(four, start);
  EXPECT_NEAR(static_cast<double>(gone.size()), Bucket::count / 5.0, 2);
  EXPECT_TRUE(std::ranges::all_of(gone, [](const SlotMove& move) { return move.from == 3; }));
  settle_all(*made, gone, start);
  settle_all(*made, made->set_active(CoreSet::first(5), start + 1s), start + 1s);
  for (std::size_t n = 0; n < Bucket::count; ++n) {
    ASSERT_EQ(made->target(bucket_slot(n)), before[n]);
    ASSERT_EQ(made->owner(bucket_slot(n)), before[n]);
  }
}

// Two moves of one slot never overlap: it goes on when it has arrived.
TEST(IndirectionTable, ASlotOnItsWayGoesOnWhenItHasArrived) {
  const auto made = table(2, 1);
  const auto moves = made->set_active(CoreSet::first(2), start);
  ASSERT_FALSE(moves.empty());
  const SlotMove first = moves.front();
  EXPECT_TRUE(made->is_moving(first.slot));
  EXPECT_TRUE(made->set_active(CoreSet::first(1), start).empty());
  EXPECT_EQ(made->target(first.slot), first.to);
  EXPECT_EQ(made->settle(first.slot, start), (SlotMove{first.slot, first.to, first.from}));
  EXPECT_EQ(made->owner(first.slot), first.to);
  EXPECT_EQ(made->settle(first.slot, start), std::nullopt);
  EXPECT_EQ(made->owner(first.slot), first.from);
}

// Zipf's law, 10 cores: the design wants a fullest core of at most 1.05 times the mean.
TEST(IndirectionTable, RebalancingLevelsBuckets) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto made = table(10, 10);
    SeededRandom random{seed};
    for (std::uint64_t flow = 1; flow <= 100'000; ++flow) {
      const auto hash = static_cast<std::uint32_t>(random.next());
      if (flow <= 10) made->split(hash, 0);  // elephants have been found
      made->add_load(made->slot_of(hash), Duration{100'000'000 / flow});
    }
    made->fold_load();
    Instant now = start;
    for (int turn = 0; turn < 20; ++turn) {
      settle_all(*made, made->rebalance(now), now);
      now = now + 100ms;
    }
    std::uint64_t fullest = 0;
    for (std::uint8_t core = 0; core < 10; ++core) {
      fullest = std::max(fullest, made->core_load(core));
    }
    EXPECT_LE(static_cast<double>(fullest) / made->mean_load(), 1.05) << "seed " << seed;
  }
}

TEST(IndirectionTable, LevelLoadMovesNothing) {
  const auto made = table(4, 4);
  for (std::size_t n = 0; n < Bucket::count; ++n) made->add_load(bucket_slot(n), 1us);
  made->fold_load();
  EXPECT_TRUE(made->rebalance(start).empty());
  EXPECT_EQ(made->too_large(), std::nullopt);
}

TEST(IndirectionTable, ASlotRestsAfterAMove) {
  const auto made = table(2, 2, {.rest = 50ms});
  std::vector<std::size_t> of_core_0;
  for (std::size_t n = 0; of_core_0.size() < 10; ++n) {
    if (made->target(bucket_slot(n)) == 0) of_core_0.push_back(n);
  }
  for (const std::size_t n : of_core_0) made->add_load(bucket_slot(n), 1ms);
  made->fold_load();
  const auto moves = made->rebalance(start);
  ASSERT_EQ(moves.size(), 5U);
  const std::vector<SlotMove> moved{moves.begin(), moves.end()};
  settle_all(*made, moved, start);
  // All load is where they went: they would go back, but have moved too lately.
  for (const SlotMove& move : moved) made->add_load(move.slot, 50ms);
  made->fold_load();
  EXPECT_TRUE(made->rebalance(start + 49ms).empty());
  EXPECT_FALSE(made->rebalance(start + 50ms).empty());
}

TEST(IndirectionTable, AnElephantLeavesItsBucketAndReturns) {
  const auto made = table(2, 2);
  constexpr std::size_t bucket = 17;
  const std::uint32_t elephant = hash_in(bucket, 5), mouse = hash_in(bucket, 6);
  const std::uint8_t home = made->target(bucket_slot(bucket));
  made->add_load(bucket_slot(bucket), 100ms);
  for (std::size_t n = 0; n < Bucket::count; ++n) made->add_load(bucket_slot(n), 20us);
  made->fold_load();
  EXPECT_EQ(made->too_large(), Bucket{bucket});
  const std::uint64_t all = made->load(bucket_slot(bucket));
  ASSERT_TRUE(made->split(elephant, all - 1000));
  EXPECT_FALSE(made->split(elephant, 1));
  const Slot slot = made->slot_of(elephant);
  EXPECT_TRUE(slot.is_elephant());
  EXPECT_EQ(made->slot_of(mouse), bucket_slot(bucket));
  EXPECT_EQ(made->target(slot), home) << "a split moves nothing";
  EXPECT_EQ(made->load(slot), all - 1000);
  EXPECT_EQ(made->load(bucket_slot(bucket)), 1000U);

  // It has gone elsewhere and become small: it moves to its bucket, and is its bucket's again.
  const auto other = static_cast<std::uint8_t>(1 - home);
  settle_all(*made,
             made->set_active(
                 [&] {
                   CoreSet set;
                   set.insert(other);
                   return set;
                 }(),
                 start),
             start);
  EXPECT_EQ(made->target(slot), other);
  for (int turn = 0; turn < 200; ++turn) made->fold_load();
  EXPECT_TRUE(made->retire_elephants(1000, start + 1s).empty());
  EXPECT_EQ(made->elephants().size(), 0U);
  EXPECT_EQ(made->slot_of(elephant), bucket_slot(bucket));
}

TEST(IndirectionTable, NoMoreElephantsThanThereIsRoomFor) {
  const auto made = table(2, 2);
  for (std::size_t n = 0; n < Slot::elephants; ++n) EXPECT_TRUE(made->split(hash_in(n, 1), 1));
  EXPECT_FALSE(made->split(hash_in(99, 1), 1));
}

}  // namespace
}  // namespace tw
