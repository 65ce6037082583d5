#include "lab/probe/machine_cpu.h"

#include <gtest/gtest.h>

namespace tw::lab {
namespace {

TEST(MachineCpu, StolenAndBusyAreSharesOfAllTime) {
  const auto cpu =
      parse_machine_cpu("cpu  10 20 30 400 100 5 5 30 7 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n");
  ASSERT_TRUE(cpu);
  EXPECT_EQ(cpu->busy, 70U);
  EXPECT_EQ(cpu->total, 600U);
  EXPECT_DOUBLE_EQ(cpu->stolen_share(), 0.05);
  EXPECT_EQ(cpu->since({.busy = 60, .stolen = 0, .total = 500}).total, 100U);
}

TEST(MachineCpu, TextThatIsNotTheSumOfAllCpusIsRefused) {
  EXPECT_FALSE(parse_machine_cpu(""));
  EXPECT_FALSE(parse_machine_cpu("cpu0 1 2 3 4 5 6 7 8"));
  EXPECT_FALSE(parse_machine_cpu("cpu  1 2 3"));
  EXPECT_DOUBLE_EQ(MachineCpu{}.stolen_share(), 0);
}

TEST(MachineCpu, ThisMachineHasOne) { EXPECT_GT(machine_cpu().total, 0U); }

}  // namespace
}  // namespace tw::lab
