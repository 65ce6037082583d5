#include "relay/log/line_spool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>

#include "relay/log/test_folder.h"

namespace tw::relay {
namespace {

class LineSpoolTest : public testing::Test {
 protected:
  std::unique_ptr<LineSpool> spool(std::size_t capacity = 10'000) {
    return LineSpool::start(capacity).value();
  }
  TestFolder folder;
};

TEST_F(LineSpoolTest, LinesArriveInOrderAndNoneIsLeftBehind) {
  std::string expected;
  {
    const auto lines = spool(1U << 20U);
    lines->send_to(folder.file("log"));
    for (int i = 0; i < 1000; ++i) {
      EXPECT_TRUE(lines->append("line " + std::to_string(i)));
      expected += "line " + std::to_string(i) + "\n";
    }
    EXPECT_EQ(lines->lost(), 0U);
  }
  EXPECT_EQ(text_of(folder.file("log")), expected);
}

// logrotate renames the file and then asks for a reload.
TEST_F(LineSpoolTest, ARenamedFileIsLeftBehindWhenItIsOpenedAnew) {
  {
    const auto lines = spool();
    lines->send_to(folder.file("log"));
    lines->append("before");
    ASSERT_TRUE(until_true([&] { return text_of(folder.file("log")) == "before\n"; }));
    std::filesystem::rename(folder.file("log"), folder.file("log.1"));
    lines->append("still the old one");
    ASSERT_TRUE(until_true([&] { return text_of(folder.file("log.1")).ends_with("old one\n"); }));
    lines->send_to(folder.file("log"));
    lines->append("after");
  }
  EXPECT_EQ(text_of(folder.file("log.1")), "before\nstill the old one\n");
  EXPECT_EQ(text_of(folder.file("log")), "after\n");
}

TEST_F(LineSpoolTest, WhatExistsIsAppendedTo) {
  std::ofstream{folder.file("log")} << "there already\n";
  {
    const auto lines = spool();
    lines->send_to(folder.file("log"));
    lines->append("new");
  }
  EXPECT_EQ(text_of(folder.file("log")), "there already\nnew\n");
}

TEST_F(LineSpoolTest, AFileThatCannotBeOpenedChangesNothing) {
  {
    const auto lines = spool();
    lines->send_to(folder.file("log"));
    lines->append("one");
    ASSERT_TRUE(until_true([&] { return text_of(folder.file("log")) == "one\n"; }));
    lines->send_to(folder.file("no such folder/log"));
    lines->append("two");
  }
  EXPECT_EQ(text_of(folder.file("log")), "one\ntwo\n");
}

TEST_F(LineSpoolTest, WhatFindsNoRoomIsLostAndCounted) {
  {
    const auto lines = spool(100);
    lines->send_to(folder.file("log"));
    EXPECT_FALSE(lines->append(std::string(100, 'x'))) << "with its newline it does not fit";
    EXPECT_EQ(lines->lost(), 1U);
    EXPECT_TRUE(lines->append(std::string(99, 'y')));
  }
  EXPECT_EQ(text_of(folder.file("log")), std::string(99, 'y') + '\n');
}

// A pipe that nobody reads: whoever appends goes on, and what is lost is counted.
TEST_F(LineSpoolTest, AStuckReaderHoldsNobodyUp) {
  std::signal(SIGPIPE, SIG_IGN);
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  const UniqueFd reader{::open(folder.file("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  ASSERT_TRUE(reader);
  const auto lines = spool();
  lines->send_to(folder.file("pipe"));
  const std::string line(1000, 'x');
  ASSERT_TRUE(until_true([&] {
    lines->append(line);
    return lines->lost() > 0;
  }));
}

}  // namespace
}  // namespace tw::relay
