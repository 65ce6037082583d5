#include "relay/log/connection_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "relay/log/test_folder.h"

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};
constexpr std::uint32_t burst = ConnectionLog::failures_at_once;

LogRecord record(std::uint64_t number) {
  LogRecord made;
  made.active = number;
  return made;
}

class ConnectionLogTest : public testing::Test {
 protected:
  LogSettings settings(std::string_view format, std::uint32_t sample = 1) const {
    return {.connections = true,
            .format = LogFormat::parse(format).value(),
            .sample = sample,
            .file = folder.file("log")};
  }
  // Returns all that was written to a log that is gone.
  std::string said() const { return text_of(folder.file("log")); }
  TestFolder folder;
};

TEST_F(ConnectionLogTest, OffItSaysNothing) {
  {
    ConnectionLog log;
    EXPECT_FALSE(log.enabled());
    log.relayed(record(1));
    log.failed(record(2), start);
    log.apply(settings("{time} {active}"));
    log.relayed(record(3));
    LogSettings off = settings("{time} {active}");
    off.connections = false;
    log.apply(off);
    log.relayed(record(4));
    EXPECT_FALSE(log.enabled());
    EXPECT_EQ(log.counters().lines, 1U);
  }
  EXPECT_TRUE(said().ends_with(" 3\n")) << said();
}

TEST_F(ConnectionLogTest, ALineOfAFileSaysWhenUnlessItDoesSoItself) {
  {
    ConnectionLog log;
    log.apply(settings("{active}"));
    log.relayed(record(1));
  }
  const std::string time = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)";
  EXPECT_TRUE(std::regex_match(said(), std::regex{time + " 1\n"})) << said();
  std::filesystem::remove(folder.file("log"));
  {
    ConnectionLog log;
    log.apply(settings(R"({{"at": "{time}"}})"));
    log.relayed(record(1));
  }
  EXPECT_TRUE(std::regex_match(said(), std::regex{"\\{\"at\": \"" + time + "\"\\}\n"})) << said();
}

TEST_F(ConnectionLogTest, OneInSoManyOfTheRelayedAndEveryFailure) {
  {
    ConnectionLog log;
    log.apply(settings("{time} {active}", 10));
    for (std::uint64_t i = 0; i < 25; ++i) log.relayed(record(i));
    for (std::uint64_t i = 100; i < 103; ++i) log.failed(record(i), start);
  }
  std::string numbers;
  std::istringstream lines{said()};
  for (std::string time, number; lines >> time >> number;) numbers += number + ' ';
  EXPECT_EQ(numbers, "0 10 20 100 101 102 ");
}

TEST_F(ConnectionLogTest, AFloodOfFailuresIsCountedAndNotWritten) {
  {
    ConnectionLog log;
    log.apply(settings("{time} {active}"));
    for (std::uint64_t i = 0; i < burst + 70; ++i) log.failed(record(i), start);
    EXPECT_EQ(log.counters().lines, burst);
    EXPECT_EQ(log.counters().left_out, 70U);
    EXPECT_EQ(log.counters().lost, 0U);
    log.relayed(record(7777));  // a relayed connection is not part of the flood
    log.failed(record(8888), start + 1s);
    EXPECT_EQ(log.counters().lines, burst + 2);
  }
  const std::string text = said();
  EXPECT_EQ(std::ranges::count(text, '\n'), static_cast<std::ptrdiff_t>(burst) + 3);
  const std::size_t notice = text.find("(70 failed connections not logged)\n");
  ASSERT_NE(notice, std::string::npos);
  EXPECT_LT(notice, text.find(" 7777\n")) << "said with the first line that follows";
  EXPECT_EQ(text.find("not logged", notice + 30), std::string::npos) << "and once";
}

}  // namespace
}  // namespace tw::relay
