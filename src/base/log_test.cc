#include "base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <thread>
#include <vector>

namespace tw {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A file of its own, removed again; the log goes back to stderr alone.
class Log : public testing::Test {
 protected:
  Log() {
    std::string name = testing::TempDir() + "thalweg-log-XXXXXX";
    const int fd = ::mkstemp(name.data());
    EXPECT_GE(fd, 0);
    ::close(fd);
    path_ = name;
    testing::internal::CaptureStderr();
  }
  ~Log() override {
    testing::internal::GetCapturedStderr();
    EXPECT_TRUE(log::open(log::Level::info));
    ::unlink(path_.c_str());
  }
  std::string content() const {
    std::ifstream file{path_};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  std::string path_;
};

TEST_F(Log, ALineHasUtcTimeLevelAndText) {
  ASSERT_TRUE(log::open(log::Level::info, path_));
  log::warning("peer {} has no endpoint", 7);
  const std::regex shape{
      R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning peer 7 has no endpoint\n)"};
  EXPECT_TRUE(std::regex_match(content(), shape)) << content();
}

TEST_F(Log, GoesToStderrAndFileWithoutColourWhereThereIsNoTerminal) {
  ASSERT_TRUE(log::open(log::Level::info, path_));
  log::error("both");
  const std::string on_stderr = testing::internal::GetCapturedStderr();
  testing::internal::CaptureStderr();
  EXPECT_EQ(on_stderr, content());
  EXPECT_THAT(on_stderr, HasSubstr("error   both\n"));
  EXPECT_THAT(on_stderr, Not(HasSubstr("\x1b")));
}

TEST_F(Log, LevelsBelowTheLowestAreLeftOut) {
  ASSERT_TRUE(log::open(log::Level::warning, path_));
  log::debug("d");
  log::info("i");
  EXPECT_EQ(content(), "");
  EXPECT_FALSE(log::enabled(log::Level::info));
  EXPECT_TRUE(log::enabled(log::Level::error));
  log::error("e");
  EXPECT_THAT(content(), HasSubstr("e\n"));
}

TEST_F(Log, StringsFromOutsideCannotBeginALine) {
  ASSERT_TRUE(log::open(log::Level::info, path_));
  log::info("peer {}", "a\nforged\r\x1b[31m\x7f\tb");
  using std::string_literals::operator""s;
  log::info("nul {}", "x\0y"s);
  const std::string lines = content();
  EXPECT_THAT(lines, HasSubstr(R"(peer a\x0aforged\x0d\x1b[31m\x7f\x09b)"));
  EXPECT_THAT(lines, HasSubstr(R"(nul x\x00y)"));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
}

TEST_F(Log, BracesAndUtf8InALineStayAsTheyAre) {
  ASSERT_TRUE(log::open(log::Level::info, path_));
  log::write(log::Level::info, "{} %v %n é");
  EXPECT_THAT(content(), HasSubstr("{} %v %n é\n"));
}

TEST_F(Log, AFullDiskLosesLinesNotTheProcess) {
  ASSERT_TRUE(log::open(log::Level::info, "/dev/full"));
  const std::uint64_t before = log::lost_lines();
  for (int i = 0; i < 10; ++i) log::info("line {}", i);
  EXPECT_EQ(log::lost_lines(), before + 10);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("line 9\n"));
  testing::internal::CaptureStderr();
  ASSERT_TRUE(log::open(log::Level::info, path_));
  EXPECT_EQ(log::lost_lines(), before + 10);  // the count outlives the file
  log::info("room again");
  EXPECT_THAT(content(), HasSubstr("room again\n"));
}

TEST_F(Log, AFileThatCannotBeOpenedChangesNothing) {
  ASSERT_TRUE(log::open(log::Level::warning, path_));
  const auto opened = log::open(log::Level::debug, path_ + "/below/a/file");
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().text(), HasSubstr("open log file " + path_));
  EXPECT_FALSE(log::enabled(log::Level::info));
  log::error("still here");
  EXPECT_THAT(content(), HasSubstr("still here\n"));
}

TEST_F(Log, AppendsAndIsNotReadableByOthers) {
  ::unlink(path_.c_str());
  ASSERT_TRUE(log::open(log::Level::info, path_));
  log::info("first");
  ASSERT_TRUE(log::open(log::Level::info, path_));
  log::info("second");
  EXPECT_THAT(content(), HasSubstr("first\n"));
  EXPECT_THAT(content(), HasSubstr("second\n"));
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0007U, 0U);
}

TEST_F(Log, LinesOfSeveralThreadsStayWhole) {
  ASSERT_TRUE(log::open(log::Level::info, path_));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int line = 0; line < 100; ++line) log::info("thread {} {}", i, std::string(200, 'x'));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::ifstream file{path_};
  int lines = 0;
  for (std::string line; std::getline(file, line); ++lines) EXPECT_EQ(line.size(), 242U) << line;
  EXPECT_EQ(lines, 400);
}

}  // namespace
}  // namespace tw
