#include "lab/wan/process_tree.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "lab/bed/process.h"

namespace tw::lab {
namespace {

TEST(ProcessTree, SwitchesOfBothKindsAreCounted) {
  EXPECT_EQ(
      parse_switches("Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t30\n"),
      42U);
  EXPECT_EQ(parse_switches(""), 0U);
  EXPECT_EQ(parse_switches("voluntary_ctxt_switches:"), 0U);
}

TEST(ProcessTree, CostNeverFallsBelowNothing) {
  const ProcessCost before{.cpu_ns = 100, .switches = 7}, after{.cpu_ns = 150, .switches = 3};
  EXPECT_EQ(after.since(before).cpu_ns, 50U);
  EXPECT_EQ(after.since(before).switches, 0U);
}

TEST(ProcessTree, OwnWorkCostsTime) {
  const std::array self{getpid()};
  EXPECT_GT(cost_of(self).cpu_ns, 0U);
  const std::array nobody{pid_t{-1}};
  EXPECT_EQ(cost_of(nobody).cpu_ns, 0U);
}

// What has left its process group is found all the same, and ended.
TEST(ProcessTree, DescendantsAreFoundAndEnded) {
  auto parent = Process::start({.argv = {"sh", "-c", "setsid sleep 60 & echo up; wait"}});
  ASSERT_TRUE(parent) << parent.error().text();
  std::vector<Handle> found;
  while (parent->running() && found.empty()) found = descendants_of(parent->pid());
  ASSERT_EQ(found.size(), 1U);
  found.front().end();
  auto interrupt = Interrupt::watch();
  ASSERT_TRUE(interrupt);
  EXPECT_TRUE(parent->wait(*interrupt, std::chrono::seconds{10}));  // it waited for that child
}

}  // namespace
}  // namespace tw::lab
