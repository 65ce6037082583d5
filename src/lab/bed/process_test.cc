#include "lab/bed/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <csignal>

#include "lab/bed/scratch.h"

namespace tw::lab {
namespace {

using namespace std::chrono_literals;

class Processes : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(interrupt_); }
  Result<Interrupt> interrupt_ = Interrupt::watch();
};

TEST_F(Processes, OutputInputAndExitCodeComeThrough) {
  const auto outcome =
      run({.argv = {"sh", "-c", "cat; echo bad >&2; exit 3"}, .input = "given"}, *interrupt_);
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_EQ(outcome->out, "given");
  EXPECT_EQ(outcome->err, "bad\n");
  EXPECT_EQ(outcome->exit_code, 3);
}

TEST_F(Processes, AProgramThatIsNotThereIsAnErrorAtOnce) {
  const auto process = Process::start({.argv = {"no-such-program-anywhere"}});
  ASSERT_FALSE(process);
  EXPECT_NE(process.error().text().find("not installed"), std::string::npos);
}

TEST_F(Processes, AFailureCarriesTheLastWords) {
  const auto printed = run_checked({.argv = {"sh", "-c", "echo why >&2; exit 1"}}, *interrupt_);
  ASSERT_FALSE(printed);
  EXPECT_NE(printed.error().text().find("exit code 1: why"), std::string::npos);
}

TEST_F(Processes, DestructionEndsTheWholeGroup) {
  const auto scratch = ScratchFolder::create();
  ASSERT_TRUE(scratch);
  const std::string fifo = (scratch->path() / "fifo").string();
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const UniqueFd held{open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  pollfd open_end{.fd = held.get(), .events = POLLIN, .revents = 0};
  {
    const auto process = Process::start(
        {.argv = {"sh", "-c", "exec 3>" + fifo + "; cat /dev/zero >/dev/null & echo >&3; wait"}});
    ASSERT_TRUE(process);
    ASSERT_EQ(poll(&open_end, 1, 10'000), 1);
    char line = 0;
    ASSERT_EQ(read(held.get(), &line, 1), 1);
  }
  // Both ends of the shell and of the program it had started are closed: both are gone.
  ASSERT_EQ(poll(&open_end, 1, 10'000), 1);
  EXPECT_EQ(open_end.revents, POLLHUP);
}

TEST_F(Processes, ASignalEndsWaitingAndNothingElse) {
  auto process = Process::start({.argv = {"cat", "/dev/zero"}});
  ASSERT_TRUE(process);
  EXPECT_FALSE(process->wait(*interrupt_, 0s));
  raise(SIGINT);
  const auto waited = process->wait(*interrupt_, 1h);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().text(), "interrupted");
  EXPECT_TRUE(interrupt_->fired());
  EXPECT_TRUE(process->running());
}

}  // namespace
}  // namespace tw::lab
