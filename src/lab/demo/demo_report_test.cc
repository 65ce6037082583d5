#include "lab/demo/demo_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lab/report/json.h"
#include "lab/report/page.h"
#include "lab/report/units.h"

namespace tw::lab {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

Download download(std::uint64_t bytes, Path path, double ttfb_ms, double total_ms) {
  return {
      .bytes = bytes, .path = path, .ttfb_ms = ttfb_ms, .total_ms = total_ms, .sha256_ok = true};
}

DemoReport report() {
  DemoReport report;
  report.command = "thalweg demo --quick";
  report.seed = 7;
  report.rate_bps = 1'000'000'000;
  report.links = {{"client_rc", "client – R_C", 32.7, {32.8, 32.7, 33, 50}, 32.9},
                  {"rc_rs", "R_C – R_S", 215, {215.1, 215, 216, 50}, 215.2},
                  {"rs_server", "R_S – server", 26, {26.1, 26, 27, 50}, 26.2}};
  report.end_to_end_rtt_ms = {274, 273.9, 275, 50};
  report.environment = {{"nginx", "tcp_nopush off"}};
  report.commands = {"curl x"};
  report.downloads = {download(1'000'000, Path::end_to_end, 550, 2200),
                      download(1'000'000, Path::relayed, 310, 500),
                      download(10'000, Path::end_to_end, 548, 549),
                      download(10'000, Path::tunnelled, 549, 550),
                      download(1'000'000, Path::end_to_end, 548, 2000),
                      download(1'000'000, Path::relayed, 306, 520),
                      download(1'000'000, Path::relayed, 308, 400)};
  return report;
}

TEST(Report, RowsAreBySizeThenPathAndHoldOnlyWhatWasMeasured) {
  const std::vector<DemoRow> rows = rows_of(report());
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].bytes, 10'000U);
  EXPECT_EQ(rows[1].path, Path::tunnelled);
  EXPECT_EQ(rows[2].bytes, 1'000'000U);
  EXPECT_EQ(rows[3].path, Path::relayed);
  EXPECT_DOUBLE_EQ(rows[3].total_ms.median, 500);
  EXPECT_DOUBLE_EQ(rows[3].total_ms.min, 400);
  EXPECT_DOUBLE_EQ(rows[3].total_ms.max, 520);
  EXPECT_DOUBLE_EQ(rows[3].total_speedup, 4.2);  // medians: 2100 / 500
}

TEST(Report, WithoutABaselineThereIsNoSpeedUp) {
  DemoReport only;
  only.downloads = {download(10'000, Path::relayed, 306, 307)};
  const std::vector<DemoRow> rows = rows_of(only);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_DOUBLE_EQ(rows[0].total_speedup, 0);
  EXPECT_FALSE(json::parse(dumped(to_json(only), 2))["downloads"][0].contains("speedup"));
}

TEST(Report, OneWrongChecksumSpoilsItsRowAlone) {
  DemoReport spoilt = report();
  spoilt.downloads[5].sha256_ok = false;
  const json downloads = json::parse(dumped(to_json(spoilt), 2))["downloads"];
  EXPECT_FALSE(downloads[3]["sha256_ok"].get<bool>());
  EXPECT_TRUE(downloads[2]["sha256_ok"].get<bool>());
  EXPECT_THAT(to_table(spoilt), HasSubstr("CHECKSUM WRONG"));
  EXPECT_THAT(to_table(report()), Not(HasSubstr("WRONG")));
}

TEST(Report, JsonHasTheShapeThatScriptsRelyOn) {
  const json parsed = json::parse(dumped(to_json(report()), 2));
  EXPECT_DOUBLE_EQ(parsed["rtt_ms"]["client_rc"].get<double>(), 32.8);
  EXPECT_DOUBLE_EQ(parsed["rtt_ms"]["rc_rs"].get<double>(), 215.1);
  EXPECT_DOUBLE_EQ(parsed["rtt_ms"]["rs_server"].get<double>(), 26.1);
  EXPECT_DOUBLE_EQ(parsed["ideal_ttfb_ms"].get<double>(), 274);
  const json& relayed = parsed["downloads"][3];
  EXPECT_EQ(relayed["bytes"], 1'000'000);
  EXPECT_EQ(relayed["path"], "relayed");
  for (const char* metric : {"ttfb_ms", "total_ms"}) {
    for (const char* figure : {"median", "min", "max"}) {
      EXPECT_TRUE(relayed[metric][figure].is_number()) << metric << ' ' << figure;
    }
  }
  EXPECT_EQ(relayed["sha256_ok"], true);
  EXPECT_EQ(parsed["runs"].size(), 7U);
  EXPECT_EQ(parsed["environment"]["nginx"], "tcp_nopush off");
  EXPECT_EQ(parsed["commands"][0], "curl x");
  EXPECT_EQ(parsed["seed"], 7);
}

TEST(Report, TextThatIsNotUtf8DoesNotCostTheReport) {
  DemoReport odd = report();
  odd.command = "thalweg demo --html \xff.html";
  EXPECT_EQ(json::parse(dumped(to_json(odd), 2))["downloads"].size(), 4U);
}

TEST(Report, PageHoldsTheJsonAndNothingThatEndsItsScript) {
  DemoReport odd = report();
  odd.command = "</script><script>alert(1)</script>";
  const std::string page = fill_page("<p>@REPORT@</p>", dumped(to_json(odd), -1));
  EXPECT_EQ(page.find("</script>"), page.npos);
  ASSERT_TRUE(page.starts_with("<p>{") && page.ends_with("}</p>"));
  const json parsed = json::parse(page.substr(3, page.size() - 7));
  EXPECT_EQ(parsed["command"], odd.command);
}

TEST(Report, SizesAreDecimal) {
  EXPECT_EQ(size_text(10'000), "10 KB");
  EXPECT_EQ(size_text(1'500'000), "1.5 MB");
  EXPECT_EQ(size_text(999), "999 B");
}

}  // namespace
}  // namespace tw::lab
