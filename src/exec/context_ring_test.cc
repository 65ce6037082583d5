#include "exec/context_ring.h"

#include <gtest/gtest.h>

#include "exec/manual_context.h"

namespace tw {
namespace {

TEST(ContextRing, WakesItsConsumerOnceForAllThatWasPushed) {
  ManualClock clock;
  clock.advance(1s);
  ManualContext consumer{ContextId{0}, clock};
  ContextRing<int> ring{consumer, 4};
  const auto awake = [&] { return consumer.next_deadline() <= clock.now(); };
  ring.wake();
  EXPECT_FALSE(awake()) << "for nothing";
  EXPECT_TRUE(ring.push(1));
  EXPECT_TRUE(ring.push(2));
  EXPECT_FALSE(awake());
  ring.wake();
  EXPECT_TRUE(awake());
  consumer.step();
  EXPECT_FALSE(awake());
  ring.wake();
  EXPECT_FALSE(awake()) << "it knows of these already";
}

TEST(ContextRing, IsBoundedAndInOrder) {
  ManualClock clock;
  ManualContext consumer{ContextId{0}, clock};
  ContextRing<int> ring{consumer, 2};
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.push(1));
  EXPECT_TRUE(ring.push(2));
  EXPECT_FALSE(ring.push(3));
  int item = 0;
  EXPECT_TRUE(ring.pop(item));
  EXPECT_EQ(item, 1);
  EXPECT_FALSE(ring.empty());
  EXPECT_TRUE(ring.pop(item));
  EXPECT_EQ(item, 2);
  EXPECT_FALSE(ring.pop(item));
  EXPECT_TRUE(ring.empty());
}

}  // namespace
}  // namespace tw
