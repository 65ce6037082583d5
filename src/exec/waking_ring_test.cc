#include "exec/waking_ring.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstdint>
#include <thread>

namespace tw {
namespace {

bool rings(int fd) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, 0) == 1;
}

TEST(WakingRing, RingsOnlyAConsumerThatSleeps) {
  auto ring = *WakingRing<int>::open(8);
  ASSERT_TRUE(ring->push(1));
  EXPECT_FALSE(rings(ring->fd())) << "the consumer is awake: it looks by itself";
  EXPECT_FALSE(ring->arm()) << "and must not sleep before it has looked";
  int item = 0;
  ASSERT_TRUE(ring->pop(item));
  EXPECT_EQ(item, 1);
  ASSERT_TRUE(ring->arm());
  ASSERT_TRUE(ring->push(2));
  EXPECT_TRUE(rings(ring->fd()));
}

TEST(WakingRing, RefusesWhatDoesNotFit) {
  auto ring = *WakingRing<int>::open(2);
  EXPECT_TRUE(ring->push(1));
  EXPECT_TRUE(ring->push(2));
  EXPECT_FALSE(ring->push(3));
}

// However the two interleave, no item is left behind with the consumer asleep.
TEST(WakingRing, LosesNoWakeUp) {
  constexpr std::uint32_t items = 200'000;
  auto ring = *WakingRing<std::uint32_t>::open(64);
  std::thread producer{[&] {
    for (std::uint32_t next = 0; next < items;) {
      if (ring->push(std::uint32_t{next})) ++next;
    }
  }};
  std::uint32_t expected = 0;
  while (expected < items) {
    std::uint32_t item = 0;
    while (ring->pop(item)) ASSERT_EQ(item, expected++);
    if (expected == items || !ring->arm()) continue;
    pollfd wait{ring->fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, 10'000), 1) << "asleep with " << expected << " of " << items;
    eventfd_t count = 0;
    ASSERT_EQ(::eventfd_read(ring->fd(), &count), 0);
    ring->disarm();
  }
  producer.join();
}

}  // namespace
}  // namespace tw
