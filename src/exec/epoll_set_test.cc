#include "exec/epoll_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

namespace tw {
namespace {

/// Returns the seconds until this process's timer on `clock` goes off; 0: none is armed.
long armed_seconds(int clock) {
  long seconds = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream file{entry.path()};
    std::string word;
    bool is_clock = false;
    while (file >> word) {
      if (word == "clockid:") {
        int id = -1;
        file >> id;
        is_clock = id == clock;
      }
      // "it_value: (9, 999)"
      if (word == "it_value:" && is_clock && file >> word && word.size() > 1) {
        seconds = std::max(seconds, std::stol(word.substr(1)));
      }
    }
  }
  return seconds;
}

// Nobody can suspend the machine for a test; what a timer is set on can be read.
TEST(EpollSet, ALongSleepHasAnAlarmThatCountsTimeInSuspension) {
  auto opened = EpollSet::open();
  ASSERT_TRUE(opened);
  EpollSet set = std::move(*opened);
  EXPECT_EQ(armed_seconds(CLOCK_BOOTTIME), 0);
  std::thread sleeper{[&] { set.wait(100s); }};
  while (armed_seconds(CLOCK_BOOTTIME) == 0) std::this_thread::yield();
  EXPECT_GE(armed_seconds(CLOCK_BOOTTIME), 90);
  EXPECT_LE(armed_seconds(CLOCK_BOOTTIME), 100);
  set.ring();
  sleeper.join();
}

TEST(EpollSet, TheAlarmIsSetAnewOnlyForAnEarlierDeadline) {
  auto opened = EpollSet::open();
  ASSERT_TRUE(opened);
  const auto wait_once = [&](Duration timeout) {
    opened->ring();
    opened->wait(timeout);
  };
  wait_once(100s);
  EXPECT_LE(armed_seconds(CLOCK_BOOTTIME), 100);
  wait_once(1000s);
  EXPECT_GT(armed_seconds(CLOCK_BOOTTIME), 0);
  EXPECT_LE(armed_seconds(CLOCK_BOOTTIME), 100) << "it wakes once for nothing, and then for that";
  wait_once(30s);
  EXPECT_LE(armed_seconds(CLOCK_BOOTTIME), 30);
  EXPECT_GT(armed_seconds(CLOCK_BOOTTIME), 0);
}

TEST(EpollSet, AnAlarmThatHasGoneOffIsSetAgain) {
  auto opened = EpollSet::open();
  ASSERT_TRUE(opened);
  const Duration longer = EpollSet::unaided_sleep + 1ms;
  const Instant begin = SystemClock{}.now();
  opened->wait(longer);
  opened->wait(longer);
  EXPECT_GE(SystemClock{}.now() - begin, 2 * longer);
}

TEST(EpollSet, AShortOneHasNone) {
  auto opened = EpollSet::open();
  ASSERT_TRUE(opened);
  opened->wait(1us);
  opened->wait(Duration::zero());
  opened->ring();
  opened->wait(Duration::max());
  EXPECT_EQ(armed_seconds(CLOCK_BOOTTIME), 0);
}

}  // namespace
}  // namespace tw
