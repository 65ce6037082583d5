#include "lab/wan/wan_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lab/report/json.h"
#include "lab/report/page.h"

namespace tw::lab {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

WanDownload download(std::uint64_t bytes, Configuration configuration, double ttfb_ms,
                     double total_ms) {
  return {.bytes = bytes,
          .configuration = configuration,
          .completed = true,
          .sha256_ok = true,
          .ttfb_ms = ttfb_ms,
          .total_ms = total_ms,
          .middle = {.sent = 990, .retransmitted = 10},
          .cost = {.cpu_ns = 2'000'000, .switches = 30},
          .calls = 400};
}

WanReport report() {
  WanReport report;
  report.command = "thalweg lab wan --quick";
  report.seed = 7;
  report.rate_bps = {1'000'000'000, 1'000'000'000, 1'000'000'000};
  report.links = {{"client_rc", "client – R_C", 32.7, {32.8, 32.7, 33, 50}, 32.9},
                  {"rc_rs", "R_C – R_S", 215, {215.2, 215, 216, 50}, 215.2},
                  {"rs_server", "R_S – server", 26, {26, 26, 27, 50}, 26.2}};
  report.end_to_end_rtt_ms = {274, 273.9, 275, 50};
  report.downloads = {download(1'000'000, Configuration::end_to_end, 550, 2000),
                      download(1'000'000, Configuration::turbo, 308, 500),
                      download(1'000'000, Configuration::turbo, 306, 400),
                      download(10'000, Configuration::end_to_end, 548, 549)};
  return report;
}

const WanRow& row_of(const std::vector<WanRow>& rows, std::uint64_t bytes,
                     Configuration configuration) {
  for (const WanRow& row : rows) {
    if (row.bytes == bytes && row.configuration == configuration) return row;
  }
  ADD_FAILURE() << "no such row";
  return rows.front();
}

TEST(WanReport, RowsAreBySizeThenConfiguration) {
  const std::vector<WanRow> rows = rows_of(report());
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].bytes, 10'000U);
  EXPECT_EQ(rows[1].configuration, Configuration::end_to_end);
  EXPECT_EQ(rows[2].configuration, Configuration::turbo);
  EXPECT_DOUBLE_EQ(rows[2].total_ms.summary.median, 450);
  EXPECT_DOUBLE_EQ(rows[2].total_speedup, 2000.0 / 450);
  EXPECT_TRUE(rows[2].sound());
}

TEST(WanReport, CostsAreOfAllRunsTogether) {
  const auto rows = rows_of(report());
  const WanRow& turbo = row_of(rows, 1'000'000, Configuration::turbo);
  EXPECT_DOUBLE_EQ(turbo.retransmitted, 0.01);
  ASSERT_TRUE(turbo.cpu_ms_per_mb);
  EXPECT_DOUBLE_EQ(*turbo.cpu_ms_per_mb, 2);
  EXPECT_DOUBLE_EQ(*turbo.switches_per_mb, 30);
  EXPECT_DOUBLE_EQ(turbo.calls_per_mb.value_or(0), 400);
  EXPECT_FALSE(row_of(rows, 1'000'000, Configuration::end_to_end).calls_per_mb);
  EXPECT_FALSE(row_of(rows, 1'000'000, Configuration::end_to_end).cpu_ms_per_mb);
}

// A sum without one of its parts would be too small, and look like a figure.
TEST(WanReport, SystemCallsAreThoseOfAllRunsOrNotSaid) {
  WanReport partial = report();
  EXPECT_DOUBLE_EQ(json::parse(dumped(to_json(partial), 2))["downloads"][2]["system_calls_per_mb"],
                   400);
  partial.downloads[2].calls.reset();
  const auto rows = rows_of(partial);
  const WanRow& turbo = row_of(rows, 1'000'000, Configuration::turbo);
  EXPECT_FALSE(turbo.calls_per_mb);
  EXPECT_TRUE(turbo.switches_per_mb);
  EXPECT_FALSE(
      json::parse(dumped(to_json(partial), 2))["downloads"][2].contains("system_calls_per_mb"));
}

TEST(WanReport, WhatIsNotCountedIsInNoRow) {
  WanReport warm = report();
  WanDownload first = download(1'000'000, Configuration::turbo, 9000, 9000);
  first.counted = false;
  warm.downloads.push_back(first);
  first.bytes = 5;
  warm.downloads.push_back(first);
  const auto rows = rows_of(warm);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_DOUBLE_EQ(rows[2].total_ms.summary.max, 500);
  EXPECT_EQ(json::parse(dumped(to_json(warm), 2))["runs"].size(), 6U);
}

TEST(WanReport, DownloadsThatFailAreSaidAndInNoMedian) {
  WanReport broken = report();
  broken.downloads[2] = {.bytes = 1'000'000, .configuration = Configuration::turbo};
  const auto rows = rows_of(broken);
  const WanRow& turbo = row_of(rows, 1'000'000, Configuration::turbo);
  EXPECT_EQ(turbo.failed, 1U);
  EXPECT_FALSE(turbo.sound());
  EXPECT_DOUBLE_EQ(turbo.total_ms.summary.median, 500);
  EXPECT_THAT(to_table(broken), HasSubstr("1 FAILED"));
  EXPECT_THAT(to_table(report()), Not(HasSubstr("FAILED")));
}

TEST(WanReport, ConfigurationThatNeverCompletedHasARowOfFailures) {
  WanReport broken = report();
  broken.downloads = {{.bytes = 1'000'000, .configuration = Configuration::split}};
  const auto rows = rows_of(broken);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].failed, 1U);
  EXPECT_DOUBLE_EQ(rows[0].total_speedup, 0);
  EXPECT_FALSE(json::parse(dumped(to_json(broken), 2))["downloads"][0].contains("speedup"));
}

TEST(WanReport, WrongChecksumSpoilsItsRowAlone) {
  WanReport spoilt = report();
  spoilt.downloads[2].sha256_ok = false;
  const auto rows = rows_of(spoilt);
  EXPECT_FALSE(row_of(rows, 1'000'000, Configuration::turbo).sound());
  EXPECT_TRUE(row_of(rows, 1'000'000, Configuration::end_to_end).sound());
  EXPECT_THAT(to_table(spoilt), HasSubstr("CHECKSUM WRONG"));
}

TEST(WanReport, ModelIsAskedAboutTheMeasuredLinks) {
  const auto rows = rows_of(report());
  EXPECT_NEAR(row_of(rows, 1'000'000, Configuration::end_to_end).model.ttfb_ms, 2 * 274, 0.1);
  EXPECT_NEAR(row_of(rows, 1'000'000, Configuration::turbo).model.ttfb_ms, 2 * 32.8 + 215.2 + 26,
              0.1);
  EXPECT_NEAR(rows[0].ideal.ttfb_ms, 274, 0.1);
}

TEST(WanReport, NopushPutsTheHeaderIntoTheFirstSegment) {
  WanReport pushed = report();
  EXPECT_GT(model_input(pushed, Configuration::split, 100'000).header_bytes, 0U);
  pushed.server_nopush = true;
  const ModelInput input = model_input(pushed, Configuration::split, 100'000);
  EXPECT_EQ(input.header_bytes, 0U);
  EXPECT_GT(input.bytes, 100'000U);
}

TEST(WanReport, JsonHasTheShapeThatScriptsRelyOn) {
  const json parsed = json::parse(dumped(to_json(report()), 2));
  EXPECT_DOUBLE_EQ(parsed["rtt_ms"]["rc_rs"].get<double>(), 215.2);
  EXPECT_DOUBLE_EQ(parsed["ideal_ttfb_ms"].get<double>(), 274);
  const json& turbo = parsed["downloads"][2];
  EXPECT_EQ(turbo["configuration"], "+turbo");
  for (const char* metric : {"ttfb_ms", "total_ms"}) {
    for (const char* figure : {"median", "min", "max", "p5", "p95", "count"}) {
      EXPECT_TRUE(turbo[metric][figure].is_number()) << metric << ' ' << figure;
    }
    EXPECT_FALSE(turbo[metric].contains("median_95"));  // of two runs there is none
    EXPECT_TRUE(turbo["model"][metric].is_number());
    EXPECT_TRUE(turbo["ideal"][metric].is_number());
  }
  EXPECT_DOUBLE_EQ(turbo["retransmitted_percent"].get<double>(), 1);
  EXPECT_EQ(parsed["runs"].size(), 4U);
  EXPECT_EQ(parsed["configurations"].size(), configuration_count);
  EXPECT_EQ(parsed["interrupted"], false);
}

TEST(WanReport, SixRunsHaveAnIntervalOfTheMedian) {
  WanReport many = report();
  for (int run = 0; run < 6; ++run) {
    many.downloads.push_back(download(10'000, Configuration::split, 300 + run, 301 + run));
  }
  const auto rows = rows_of(many);
  const auto interval = row_of(rows, 10'000, Configuration::split).ttfb_ms.median_interval;
  ASSERT_TRUE(interval);
  EXPECT_DOUBLE_EQ(interval->low, 300);
  EXPECT_DOUBLE_EQ(interval->high, 305);
}

TEST(WanReport, PageHoldsTheJsonAndNothingThatEndsItsScript) {
  WanReport odd = report();
  odd.command = "</script>";
  const std::string page = fill_page("<p>@REPORT@</p>", dumped(to_json(odd), -1));
  EXPECT_EQ(page.find("</script>"), page.npos);
  EXPECT_EQ(json::parse(page.substr(3, page.size() - 7))["command"], odd.command);
}

TEST(WanReport, TableSaysWhatIsMissing) {
  WanReport partial = report();
  partial.skipped = {{"haproxy", "haproxy is not installed"}};
  partial.paper = {{"KTCP+CP, x", "180 ms; here 182 ms"}};
  partial.interrupted = true;
  const std::string table = to_table(partial);
  for (const char* words : {"without haproxy: haproxy is not installed", "Interrupted",
                            "paper, KTCP+CP, x: 180 ms", "+turbo", "4.44x"}) {
    EXPECT_THAT(table, HasSubstr(words));
  }
}

}  // namespace
}  // namespace tw::lab
