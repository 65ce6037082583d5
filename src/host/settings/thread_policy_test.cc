#include "host/settings/thread_policy.h"

#include <gtest/gtest.h>

namespace tw::host {
namespace {

TEST(ThreadPolicy, IsALineOfTextAndBack) {
  for (const char* text :
       {"fifo 19 nice 0 cpus 1", "other 0 nice -20 cpus 0-1", "rr 1 nice 19 cpus 0",
        "batch 0 nice 0 cpus 3", "idle 0 nice 0 cpus 0,2"}) {
    const auto policy = thread_policy_of(text);
    ASSERT_TRUE(policy) << text;
    EXPECT_EQ(to_text(*policy), text);
  }
}

TEST(ThreadPolicy, RefusesWhatTheKernelWould) {
  for (const char* text :
       {"", "fifo", "fifo 0 nice 0 cpus 1", "fifo 100 nice 0 cpus 1", "other 1 nice 0 cpus 1",
        "other 0 nice 20 cpus 1", "other 0 nice -21 cpus 1", "other 0 nice 0 cpus ",
        "other 0 nice 0 cpus 1 ", "other 0 nice 0", "round 1 nice 0 cpus 1", "fifo 1 mild 0 cpus 1",
        "fifo 1x nice 0 cpus 1"}) {
    EXPECT_FALSE(thread_policy_of(text)) << text;
  }
}

TEST(ThreadPolicy, ReadsThisThread) {
  const auto policy = read_policy(0);
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_FALSE(policy->cpus.empty());
  EXPECT_EQ(thread_policy_of(to_text(*policy)), *policy);
}

}  // namespace
}  // namespace tw::host
