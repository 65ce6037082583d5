#include "steer/steering_table.h"

#include <gtest/gtest.h>

namespace tw {
namespace {

// A bucket that moves takes its own sessions along, and nobody else's.
TEST(SteeringTable, AssignMovesExactlyOneBucket) {
  SteeringTable table;
  table.assign(Bucket{0x85}, ContextId{3});
  for (std::uint16_t value = 0; value < Bucket::count; ++value) {
    EXPECT_EQ(table.context_of(Bucket{value}),
              ContextId{value == 0x85 ? std::uint16_t{3} : std::uint16_t{0}});
  }
}

}  // namespace
}  // namespace tw
