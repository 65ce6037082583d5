#include "host/run/run_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tw::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SavedState applied() {
  return {
      .boot = "b",
      .devices = {{.netns = 1, .index = 2, .name = "va"}, {.netns = 1, .index = 3, .name = "vb"}},
      .settings = {{{Kind::napi_thread, 0}, 0, {}, "fifo 19 nice 0 cpus 1"},
                   {{Kind::napi_thread, 1}, 0, {}, "fifo 19 nice 0 cpus 1"},
                   {{Kind::napi_thread, 0}, 1, {}, "fifo 39 nice 0 cpus 0"}}};
}

TEST(RunPlace, IsWherePacketsArriveAndAboveTheirThreads) {
  const auto place = run_place(applied(), {.device = "va"});
  ASSERT_TRUE(place);
  EXPECT_THAT(place->cpus, ElementsAre(1));
  EXPECT_EQ(place->priority, 20);
}

TEST(RunPlace, WithoutADeviceIsAboveAllThreads) {
  const auto place = run_place(applied(), {});
  ASSERT_TRUE(place);
  EXPECT_THAT(place->cpus, ElementsAre(0, 1));
  EXPECT_EQ(place->priority, 40);
}

TEST(RunPlace, WishesComeFirst) {
  const auto place = run_place(applied(), {.core = 3, .priority = 7});
  ASSERT_TRUE(place);
  EXPECT_THAT(place->cpus, ElementsAre(3));
  EXPECT_EQ(place->priority, 7);
  EXPECT_EQ(run_place({}, {.core = 3})->priority, 20);
}

TEST(RunPlace, NamesTheRemedyWhereNothingIsApplied) {
  EXPECT_THAT(run_place({}, {}).error().text(), HasSubstr("--core"));
  EXPECT_THAT(run_place(applied(), {.device = "eth9"}).error().text(), HasSubstr("eth9"));
}

}  // namespace
}  // namespace tw::host
