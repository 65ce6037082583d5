#include "lab/bed/descendants.h"

#include <gtest/gtest.h>

#include "lab/bed/process.h"

namespace tw::lab {
namespace {

// A process that has left its process group is found all the same, and ended.
TEST(Descendants, AreFoundAndEnded) {
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
