#include "base/time.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <string_view>

namespace tw {
namespace {

TEST(Instant, NeverPlusADelayStaysNever) {
  EXPECT_EQ(Instant::max() + 1ns, Instant::max());
  EXPECT_EQ(Instant{Duration::max() - 1s} + 2s, Instant::max());
  EXPECT_LT(Instant{Duration::max() - 2s} + 1s, Instant::max());
  EXPECT_EQ(Instant::max() + 0ns, Instant::max());
}

TEST(Instant, DifferencesAndOrder) {
  const Instant start{5s};
  EXPECT_EQ((start + 3s) - start, 3s);
  EXPECT_EQ(start + 3s - 3s, start);
  EXPECT_EQ(start + Duration{-2s}, Instant{3s});
  EXPECT_LT(start, start + 1ns);
}

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock;
  const Instant start = clock.now();
  const WallTime wall = clock.wall();
  EXPECT_EQ(clock.now(), start);
  clock.advance(7s);
  EXPECT_EQ(clock.now() - start, 7s);
  EXPECT_EQ(clock.wall().since_epoch - wall.since_epoch, 7s);
}

TEST(ManualClock, TheWallMayStepBackAlone) {
  ManualClock clock;
  const Instant start = clock.now();
  clock.set_wall(WallTime{1s});
  EXPECT_EQ(clock.wall().since_epoch, 1s);
  EXPECT_EQ(clock.now(), start);
}

TEST(Time, BecomesSecondsAndTheirRest) {
  const timespec at = to_timespec(2s + 999'999'999ns);
  EXPECT_EQ(at.tv_sec, 2);
  EXPECT_EQ(at.tv_nsec, 999'999'999);
  EXPECT_EQ(to_timespec(Duration::zero()).tv_nsec, 0);
}

TEST(SystemClock, NeverStepsBackAndKnowsTheCentury) {
  const SystemClock clock;
  Instant last = clock.now();
  for (int i = 0; i < 1000; ++i) {
    const Instant now = clock.now();
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_GT(clock.wall().since_epoch, Duration{1'600'000'000s});
}

// A suspension moves CLOCK_BOOTTIME alone. So does a time namespace, for those who are born there.
TEST(SystemClock, CountsTheTimeInSuspension) {
  if (::geteuid() != 0) GTEST_SKIP() << "a time namespace needs root";
  constexpr Duration slept = 3600s;
  const pid_t parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    constexpr int newtime = 0x80;  // CLONE_NEWTIME, Linux 5.6
    if (::unshare(newtime) != 0) ::_exit(2);
    const int offsets = ::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    constexpr std::string_view boottime = "7 3600 0";
    if (::write(offsets, boottime.data(), boottime.size()) < 0) ::_exit(2);
    const Instant before = SystemClock{}.now();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(SystemClock{}.now() - before >= slept ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    ::_exit(WEXITSTATUS(status));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(parent, &status, 0), parent);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "no time namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace tw
