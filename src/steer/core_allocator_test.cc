#include "steer/core_allocator.h"

#include <gtest/gtest.h>

#include <array>

namespace tw {
namespace {

constexpr AllocatorSettings settings{.least = 1, .most = 4};

TEST(CoreAllocator, GrantsWhenAPacketStillWaits) {
  CoreAllocator allocator{settings};
  Instant now{1s};
  std::array<QueueView, 4> queues{};
  queues[0] = {.waiting = 3, .taken = 10, .busy = true};
  EXPECT_FALSE(allocator.check(queues, CoreSet::first(1), now).grant) << "it may just have come";
  queues[0] = {.waiting = 3, .taken = 12, .busy = true};
  EXPECT_FALSE(allocator.check(queues, CoreSet::first(1), now + 5us).grant) << "others wait";
  queues[0] = {.waiting = 1, .taken = 12, .busy = true};
  EXPECT_EQ(allocator.check(queues, CoreSet::first(1), now + 10us).grant, 1);
}

TEST(CoreAllocator, GrantsNoMoreThanAreAllowed) {
  CoreAllocator allocator{{.most = 2}};
  std::array<QueueView, 4> queues{};
  for (int check = 0; check < 5; ++check) {
    queues[0] = {.waiting = 3, .taken = 10, .busy = true};
    EXPECT_FALSE(allocator.check(queues, CoreSet::first(2), Instant{1s} + check * 5us).grant);
  }
}

TEST(CoreAllocator, ReclaimsWhoHasBeenIdleAtEachCheck) {
  CoreAllocator allocator{settings};
  Instant now{1s};
  std::array<QueueView, 4> queues{};
  queues[0].busy = true;
  CoreSet active = CoreSet::first(2);
  for (Duration idle = 0us; idle < 50us; idle += 5us) {
    EXPECT_FALSE(allocator.check(queues, active, now + idle).reclaim) << idle.count();
  }
  EXPECT_EQ(allocator.check(queues, active, now + 50us).reclaim, 1);
  // Something came and was served between two checks: it was not idle.
  queues[1].taken = 1;
  EXPECT_FALSE(allocator.check(queues, active, now + 55us).reclaim);
  EXPECT_FALSE(allocator.check(queues, active, now + 60us).reclaim);
}

TEST(CoreAllocator, NeverReclaimsTheLast) {
  CoreAllocator allocator{settings};
  const std::array<QueueView, 4> queues{};
  for (int check = 0; check < 100; ++check) {
    EXPECT_FALSE(allocator.check(queues, CoreSet::first(1), Instant{1s} + check * 5us).reclaim);
  }
}

}  // namespace
}  // namespace tw
