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

}  // namespace
}  // namespace tw
