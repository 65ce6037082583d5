#include "relay/log/log_format.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};

LogRecord record() {
  LogRecord record{.time = WallTime{Duration{1'700'000'000'123ms}},
                   .client = *Endpoint::parse("10.9.1.2:40000"),
                   .target = *Endpoint::parse("[2001:db8::80]:443"),
                   .from = {},
                   .way = "frankfurt",
                   .leg = "warm",
                   .early = true,
                   .times = ConnectionTimes{start},
                   .bytes_up = 512,
                   .bytes_down = 10'000'000'000,
                   .outcome = "closed",
                   .os_errno = 0,
                   .active = 7};
  record.times.reach(Stage::claim, start + 32'700us);
  record.times.reach(Stage::connect, start + 5us);
  record.times.reach(Stage::end, start + 2h);
  return record;
}

std::string line_of(std::string_view format, const LogRecord& what = record(),
                    std::size_t room = LogFormat::longest_line) {
  const auto parsed = LogFormat::parse(format);
  if (!parsed) return "not parsed";
  std::string line(room, '\0');
  line.resize(parsed->write(what, line));
  return line;
}

LogFormat::Mistake mistake_of(std::string_view format) {
  const auto parsed = LogFormat::parse(format);
  return parsed ? LogFormat::Mistake{LogFormat::Mistake::Kind::length, "none"} : parsed.error();
}

TEST(LogFormat, SaysWhatIsKnownAndADashForTheRest) {
  EXPECT_EQ(LogFormat{}.text(), LogFormat::default_text);
  EXPECT_EQ(line_of(LogFormat::default_text),
            "client 10.9.1.2:40000 [2001:db8::80]:443 frankfurt/warm/early "
            "32.700/0.005/-/7200000.000 512 10000000000 closed - 7");
  EXPECT_EQ(line_of(LogFormat::default_text, LogRecord{}), "client - - -/-/- -/-/-/- 0 0 - - 0");
}

TEST(LogFormat, KnowsEveryFieldItNames) {
  LogRecord all = record();
  all.from = "tokyo";
  all.os_errno = ECONNREFUSED;
  all.times.reach(Stage::request, start + 33ms);
  all.times.reach(Stage::first_byte, start + 306'412us);
  std::string format;
  for (const std::string_view name : log_field_names) format += "{" + std::string{name} + "} ";
  EXPECT_EQ(line_of(format, all),
            "2023-11-14T22:13:20.123Z 10.9.1.2:40000 [2001:db8::80]:443 tokyo frankfurt warm early "
            "32.700 0.005 33.000 306.412 7200000.000 512 10000000000 closed ECONNREFUSED 7 ");
}

TEST(LogFormat, TextStandsAsItIsWritten) {
  EXPECT_EQ(line_of(R"({{"client": "{client}", "up": {bytes_up}}})"),
            R"({"client": "10.9.1.2:40000", "up": 512})");
  EXPECT_EQ(line_of("100% of\t{active}"), "100% of\t7");
  EXPECT_TRUE(LogFormat::parse("{time} {client}")->has_time());
  EXPECT_FALSE(LogFormat::parse("{{time}} {client}")->has_time());
}

TEST(LogFormat, MistakesAreNamed) {
  using Kind = LogFormat::Mistake::Kind;
  EXPECT_EQ(mistake_of("{client} {clint}").kind, Kind::unknown_field);
  EXPECT_EQ(mistake_of("{client} {clint}").field, "clint");
  EXPECT_EQ(mistake_of("{}").kind, Kind::unknown_field);
  for (const char* lone : {"{client", "client}", "{cli{ent}", "}{", "{{{client}}"}) {
    EXPECT_EQ(mistake_of(lone).kind, Kind::lone_brace) << lone;
  }
  EXPECT_EQ(mistake_of("a\nb").kind, Kind::control_character);
  EXPECT_EQ(mistake_of(std::string(LogFormat::longest_format + 1, 'x')).kind, Kind::length);
  EXPECT_NE(mistake_of("").field, "none") << "an empty line says nothing";
}

TEST(LogFormat, ALongLineIsCut) {
  EXPECT_EQ(line_of("{client} {target}", record(), 10), "10.9.1.2:4");
  EXPECT_EQ(line_of("{client}", record(), 0), "");
}

}  // namespace
}  // namespace tw::relay
