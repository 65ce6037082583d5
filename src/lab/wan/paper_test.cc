#include "lab/wan/paper.h"

#include <gtest/gtest.h>

namespace tw::lab {
namespace {

constexpr const char* csv =
    "seed,where,experiment,configuration,metric,value,unit,note\r\n"
    "002,sec 4,KTCP split TCP,KTCP+TP+ES,TTFB improvement measured,60,ms,approx\r\n"
    "002,sec 4,KTCP split TCP,relays,VM type,\"n1, 1 vCPU\",,not a number\n"
    "001,T 1,testbed,KTCP+CP,TTFB improvement measured,180,ms,another experiment\n"
    "002,sec 4,KTCP split TCP,KTCP vs e2e,download speed-up,3,x,up to";

WanDownload first_byte(Configuration configuration, double ttfb_ms, double total_ms) {
  return {.bytes = 1000,
          .configuration = configuration,
          .completed = true,
          .sha256_ok = true,
          .ttfb_ms = ttfb_ms,
          .total_ms = total_ms};
}

TEST(Paper, FieldsMayBeQuoted) {
  EXPECT_EQ(csv_fields("a,\"b, \"\"c\"\"\",,d\r"),
            (std::vector<std::string>{"a", "b, \"c\"", "", "d"}));
  EXPECT_EQ(csv_fields(""), std::vector<std::string>{""});
  EXPECT_EQ(csv_fields("\"open, to the end"), std::vector<std::string>{"open, to the end"});
}

TEST(Paper, OnlyNumbersOfTheExperimentAreTaken) {
  const auto figures = parse_paper(csv);
  ASSERT_TRUE(figures) << figures.error().text();
  ASSERT_EQ(figures->size(), 2U);
  EXPECT_EQ((*figures)[0].configuration, "KTCP+TP+ES");
  EXPECT_DOUBLE_EQ((*figures)[0].value, 60);
  EXPECT_EQ((*figures)[1].unit, "x");
}

TEST(Paper, AnotherFileIsRefused) {
  EXPECT_FALSE(parse_paper(""));
  EXPECT_FALSE(parse_paper("a,b\n1,2\n"));
  EXPECT_FALSE(parse_paper("experiment,configuration,metric,value,unit\nother,a,b,1,ms\n"));
  EXPECT_FALSE(parse_paper("experiment,configuration,metric,value,unit\nKTCP split TCP,a\n"));
  EXPECT_FALSE(read_paper("/no/such/file.csv"));
}

TEST(Paper, StandsBesideWhatWasMeasured) {
  WanReport report;
  report.downloads = {first_byte(Configuration::end_to_end, 550, 560),
                      first_byte(Configuration::split, 550, 560),
                      first_byte(Configuration::early_syn, 517, 280)};
  const auto lines = compare(*parse_paper(csv), report);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].second, "60 ms; here 33 ms against split");
  EXPECT_EQ(lines[1].first, "KTCP vs e2e, download speed-up");
  EXPECT_EQ(lines[1].second, "3 x; here up to 2.00x");
  report.downloads.pop_back();
  EXPECT_NE(compare(*parse_paper(csv), report)[0].second.find("not measured"), std::string::npos);
}

}  // namespace
}  // namespace tw::lab
