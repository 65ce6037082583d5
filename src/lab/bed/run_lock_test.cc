#include "lab/bed/run_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "lab/bed/scratch.h"

namespace tw::lab {
namespace {

namespace fs = std::filesystem;

/// The pid of a process that has ended.
pid_t past_pid() {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitpid(pid, nullptr, 0);
  return pid;
}

class RunLockTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(scratch_); }
  const fs::path& folder() const { return scratch_->path(); }
  fs::path file_of(pid_t pid) const { return folder() / ("twd" + std::to_string(pid) + ".run"); }
  void leave_file(pid_t pid) const { std::ofstream{file_of(pid)}; }

  Result<ScratchFolder> scratch_ = ScratchFolder::create();
};

TEST_F(RunLockTest, ARunLivesWhileItsLockIsHeld) {
  {
    const auto lock = RunLock::hold(folder());
    ASSERT_TRUE(lock);
    EXPECT_TRUE(fs::exists(file_of(getpid())));
    EXPECT_FALSE(is_dead_run(getpid(), folder()));
  }
  EXPECT_TRUE(fs::is_empty(folder()));
}

TEST_F(RunLockTest, APidThatHasANewOwnerKeepsNothingAlive) {
  leave_file(getpid());
  EXPECT_TRUE(is_dead_run(getpid(), folder()));
  // And the new owner may itself become a run.
  const auto lock = RunLock::hold(folder());
  ASSERT_TRUE(lock);
  EXPECT_FALSE(is_dead_run(getpid(), folder()));
}

TEST_F(RunLockTest, AProgramOfAnyNameMayBeARun) {
  EXPECT_FALSE(is_dead_run(getppid(), folder()));
  EXPECT_FALSE(is_dead_run(1, folder()));
}

TEST_F(RunLockTest, WithoutAFileAPidThatNobodyHasIsADeadRuns) {
  EXPECT_TRUE(is_dead_run(past_pid(), folder()));
  EXPECT_FALSE(is_dead_run(0, folder()));
}

TEST_F(RunLockTest, AKilledRunsLockIsLetGo) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const auto lock = RunLock::hold(folder());
    const char held = lock ? 'y' : 'n';
    if (write(ready[1], &held, 1) == 1) pause();
    _exit(1);
  }
  close(ready[1]);
  char held = 0;
  ASSERT_EQ(read(ready[0], &held, 1), 1);
  EXPECT_EQ(held, 'y');
  EXPECT_FALSE(is_dead_run(pid, folder()));
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  EXPECT_TRUE(fs::exists(file_of(pid)));
  EXPECT_TRUE(is_dead_run(pid, folder()));
  close(ready[0]);
}

TEST_F(RunLockTest, AFolderThatCannotBeMadeIsAnError) {
  EXPECT_FALSE(RunLock::hold(folder() / "no" / "such"));
}

}  // namespace
}  // namespace tw::lab
