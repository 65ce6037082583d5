#include "lab/probe/process_cost.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

namespace tw::lab {
namespace {

TEST(ProcessCost, SwitchesOfBothKindsAreCounted) {
  EXPECT_EQ(
      parse_switches("Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t30\n"),
      42U);
  EXPECT_EQ(parse_switches(""), 0U);
  EXPECT_EQ(parse_switches("voluntary_ctxt_switches:"), 0U);
}

TEST(ProcessCost, CostNeverFallsBelowNothing) {
  const ProcessCost before{.cpu_ns = 100, .switches = 7}, after{.cpu_ns = 150, .switches = 3};
  EXPECT_EQ(after.since(before).cpu_ns, 50U);
  EXPECT_EQ(after.since(before).switches, 0U);
}

TEST(ProcessCost, OwnWorkCostsTime) {
  const std::array self{getpid()};
  EXPECT_GT(cost_of(self).cpu_ns, 0U);
  const std::array nobody{pid_t{-1}};
  EXPECT_EQ(cost_of(nobody).cpu_ns, 0U);
}

}  // namespace
}  // namespace tw::lab
