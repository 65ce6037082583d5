#include "exec/turn.h"

#include <gtest/gtest.h>

namespace tw {
namespace {

TEST(TurnTest, ATrainThatDoesNotFitWaitsForATurnOfItsOwn) {
  Turn turn{Instant{}, 100};
  EXPECT_EQ(turn.take(60), 60U);
  EXPECT_EQ(turn.take(60), 0U);
  EXPECT_TRUE(turn.over());
  Turn next{Instant{}, 100};
  EXPECT_EQ(next.take(250), 100U);
  EXPECT_TRUE(next.over());
}

TEST(TurnTest, SaysWhatWasDoneAndWhetherThereMayBeMore) {
  Turn turn{Instant{}, 100};
  turn.take(60);
  turn.add_bytes(6000);
  EXPECT_FALSE(turn.work().more);
  turn.take(60);
  const Work work = turn.work();
  EXPECT_EQ(work.packets, 60U);
  EXPECT_EQ(work.bytes, 6000U);
  EXPECT_TRUE(work.more);
}

}  // namespace
}  // namespace tw
