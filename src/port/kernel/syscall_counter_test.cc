// The program in the kernel, and processes that make as many system calls as the test tells them
// to. Needs root, and skips without it.
#include "port/kernel/syscall_counter.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <thread>

namespace tw {
namespace {

constexpr std::uint64_t told = 1000;

void call(std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) ::syscall(SYS_getppid);
}

/// A child that for every byte it gets makes `told` calls, then one that reports, and waits in one
/// for the next byte.
class Caller {
 public:
  Caller() {
    std::array<int, 2> to{}, from{};
    EXPECT_EQ(::pipe(to.data()), 0);
    EXPECT_EQ(::pipe(from.data()), 0);
    const UniqueFd orders{to[0]}, reports{from[1]};
    orders_.reset(to[1]);
    reports_.reset(from[0]);
    pid_ = ::fork();
    if (pid_ != 0) return;
    orders_.reset();
    for (char byte = 0; ::read(orders.get(), &byte, 1) == 1;) {
      call(told);
      if (::write(reports.get(), &byte, 1) != 1) break;
    }
    ::_exit(0);
  }
  ~Caller() { end(); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  pid_t pid() const { return pid_; }
  /// Returns when it has made them.
  void order() {
    char byte = 0;
    EXPECT_EQ(::write(orders_.get(), &byte, 1), 1);
    EXPECT_EQ(::read(reports_.get(), &byte, 1), 1);
  }
  void end() {
    if (pid_ <= 0) return;
    orders_.reset();
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  UniqueFd orders_, reports_;
  pid_t pid_ = -1;
};

class SyscallCounterTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto started = SyscallCounter::start();
    ASSERT_TRUE(started) << started.error().text();
    counter_ = std::make_unique<SyscallCounter>(std::move(*started));
  }
  std::unique_ptr<SyscallCounter> counter_;
};

TEST_F(SyscallCounterTest, CountsExactlyThoseOfTheProcess) {
  Caller watched, other;
  watched.order();  // now it waits in read(), or is on its way into it
  ASSERT_TRUE(counter_->watch(watched.pid()));
  for (int round = 0; round < 3; ++round) watched.order();
  other.order();
  const auto counted = counter_->calls_of(watched.pid());
  ASSERT_TRUE(counted);
  // Three times what it was told and one write; and the reads between, of which the first may have
  // been before it was watched, and the last may not be yet.
  EXPECT_GE(*counted, 3 * (told + 1) + 2);
  EXPECT_LE(*counted, 3 * (told + 1) + 4);
}

TEST_F(SyscallCounterTest, WhoIsNotWatchedHasNoCount) {
  Caller other;
  other.order();
  EXPECT_FALSE(counter_->calls_of(other.pid()));
}

TEST_F(SyscallCounterTest, ThreadsCountTogetherAlsoWhenTheyHaveEnded) {
  ASSERT_TRUE(counter_->watch(::getpid()));
  const auto before = counter_->calls_of(::getpid());
  std::thread{[] { call(told); }}.join();
  call(told);
  const auto after = counter_->calls_of(::getpid());
  ASSERT_TRUE(before && after);
  EXPECT_GE(*after - *before, 2 * told);
  EXPECT_LE(*after - *before, 2 * told + 100);  // what making a thread takes
}

TEST_F(SyscallCounterTest, ToWatchAgainLeavesTheCount) {
  ASSERT_TRUE(counter_->watch(::getpid()));
  call(told);
  ASSERT_TRUE(counter_->watch(::getpid()));
  EXPECT_GE(counter_->calls_of(::getpid()).value_or(0), told);
}

TEST_F(SyscallCounterTest, WhoHasEndedIsNobody) {
  Caller caller;
  const pid_t pid = caller.pid();
  ASSERT_TRUE(counter_->watch(pid));
  caller.end();
  EXPECT_FALSE(counter_->calls_of(pid));
  const auto watched = counter_->watch(pid);
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().os_errno, ESRCH);
}

}  // namespace
}  // namespace tw
