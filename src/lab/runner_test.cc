#include "lab/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

namespace tw::lab {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

/// Two levels, "slow" and "fast", whose figures come from a function; counts what it is asked.
class Fake : public Experiment {
 public:
  using Answer = std::function<Result<Measured>(std::size_t level, const Round& round)>;

  std::string name() const override { return "lab fake"; }
  std::string about() const override { return "Nothing"; }
  void options(OptionSet& /*set*/) override {}
  bool reports_interrupted() const override { return reports_interrupted_; }

  Result<std::unique_ptr<Rounds>> prepare(Run& /*run*/) override {
    if (!refusal_.empty()) return make_error(Error::Kind::unavailable, refusal_);
    return std::make_unique<FakeRounds>(*this);
  }

  Findings report(const Results& /*results*/) override {
    EXPECT_EQ(built_, 0) << "reported before everything was gone";
    return {.json = {{"own", true}}};
  }

  std::string refusal_{};
  bool reports_interrupted_ = true;
  Plan plan_{
      .levels = {{.title = "slow", .labels = {{"kind", "slow"}, {"bytes", std::uint64_t{10}}}},
                 {.title = "fast", .labels = {{"kind", "fast"}}}}};
  Answer answer_ = [](std::size_t level, const Round& round) {
    return Measured{.figures = {{"time_ms", level == 0 ? 10.0 + round.number : 1.0}}};
  };
  std::vector<std::pair<std::size_t, bool>> asked_{};
  int built_ = 0;

 private:
  class FakeRounds : public Rounds {
   public:
    explicit FakeRounds(Fake& fake) : fake_(fake) { ++fake_.built_; }
    ~FakeRounds() override { --fake_.built_; }
    Plan plan() override { return fake_.plan_; }
    Result<Measured> measure(std::size_t level, const Round& round, Run& /*run*/) override {
      fake_.asked_.emplace_back(level, round.counted);
      return fake_.answer_(level, round);
    }

   private:
    Fake& fake_;
  };
};

Result<RunReport> run(Fake& fake, const Settings& settings) {
  auto interrupt = Interrupt::watch();
  EXPECT_TRUE(interrupt);
  Progress progress;
  Provenance provenance = Provenance::now();
  provenance.options = {{"runs", "3"}};
  return run_experiment(fake, settings, std::move(provenance), *interrupt, progress);
}

TEST(Runner, EveryRoundHasEveryLevelOnceAndWarmUpsDoNotCount) {
  Fake fake;
  const auto outcome = run(fake, {.runs = 3, .warmups = 2});
  ASSERT_TRUE(outcome);
  ASSERT_THAT(fake.asked_, SizeIs(10));
  for (std::size_t at = 0; at < fake.asked_.size(); at += 2) {
    EXPECT_NE(fake.asked_[at].first, fake.asked_[at + 1].first);
    EXPECT_EQ(fake.asked_[at].second, at >= 4);
  }
  const ReportJson rows = outcome->json()["rows"];
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0]["kind"], "slow");
  EXPECT_EQ(rows[0]["bytes"], 10);
  EXPECT_EQ(rows[0]["time_ms"]["runs"], 3);
  EXPECT_EQ(rows[0]["time_ms"]["mean"], 11);
  EXPECT_NEAR(rows[0]["time_ms"]["low"].get<double>(), 11 - 4.303 / 1.7320508, 1e-3);
  EXPECT_EQ(fake.built_, 0);
}

TEST(Runner, TheSeedIsTheOrder) {
  const auto orders = [](std::uint64_t seed) {
    Fake fake;
    EXPECT_TRUE(run(fake, {.runs = 20, .seed = seed}));
    return fake.asked_;
  };
  EXPECT_EQ(orders(1), orders(1));
  EXPECT_NE(orders(1), orders(2));
}

TEST(Runner, TheReportSaysWhereItsFiguresComeFrom) {
  Fake fake;
  const auto outcome = run(fake, {.seed = 7, .version = "1.2", .command = "thalweg lab fake"});
  ASSERT_TRUE(outcome);
  const ReportJson json = outcome->json();
  EXPECT_EQ(json["experiment"], "lab fake");
  EXPECT_EQ(json["command"], "thalweg lab fake");
  EXPECT_EQ(json["version"], "1.2");
  EXPECT_EQ(json["seed"], 7);
  EXPECT_EQ(json["settings"]["runs"], "3");
  EXPECT_GT(json["machine"]["cpus"].get<int>(), 0);
  EXPECT_THAT(json["machine"]["kernel"].get<std::string>(), HasSubstr("Linux"));
  EXPECT_THAT(json["date"].get<std::string>(), testing::EndsWith("Z"));
  EXPECT_TRUE(json["noise"]["most_stolen_percent"].is_number());
  EXPECT_EQ(json["interrupted"], false);
  EXPECT_EQ(json["own"], true);
}

TEST(Runner, RoundsGoOnUntilIntervalsAreNarrow) {
  Fake fake;
  fake.plan_.most_runs = 50;
  // The slow level scatters for ten rounds, and hardly after.
  fake.answer_ = [](std::size_t level, const Round& round) {
    const double scatter = level == 0 && round.number < 10 ? 0.2 * (round.number % 2) : 0;
    return Measured{.figures = {{"time_ms", 10 + scatter * 10}}};
  };
  const auto outcome = run(fake, {.runs = 4});
  ASSERT_TRUE(outcome);
  EXPECT_GT(outcome->results.count_of(0), 10U);
  EXPECT_LT(outcome->results.count_of(0), 50U);
  EXPECT_EQ(outcome->results.count_of(1), 4U);
}

TEST(Runner, RoundsEndAtTheMostThatArePlanned) {
  Fake fake;
  fake.plan_.most_runs = 6;
  fake.answer_ = [](std::size_t, const Round& round) {
    return Measured{.figures = {{"time_ms", round.number % 2 == 0 ? 1.0 : 9.0}}};
  };
  const auto outcome = run(fake, {.runs = 2});
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->results.count_of(0), 6U);
  EXPECT_THAT(outcome->json()["rows"][0]["time_ms"]["modes"], ElementsAre(1, 9));
}

TEST(Runner, AFailedMeasurementIsAResultAndAnErrorEndsTheRun) {
  Fake fake;
  fake.answer_ = [](std::size_t level, const Round&) -> Result<Measured> {
    if (level == 1) return Measured{.failed = true};
    return Measured{.figures = {{"time_ms", 1}}};
  };
  const auto outcome = run(fake, {.runs = 2});
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->json()["rows"][1]["failed"], 2);
  EXPECT_THAT(outcome->table(), HasSubstr("2 measurements FAILED"));

  fake.answer_ = [](std::size_t, const Round&) -> Result<Measured> {
    return make_error(Error::Kind::unavailable, "nginx ended");
  };
  const auto ended = run(fake, {.runs = 2});
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().text(), HasSubstr("nginx ended"));
  EXPECT_EQ(fake.built_, 0);
}

TEST(Runner, WhatCannotBePreparedSaysWhyAndMeasuresNothing) {
  Fake fake;
  fake.refusal_ = "no QEMU here: install qemu-system-x86";
  const auto outcome = run(fake, {});
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().text(), HasSubstr("no QEMU here"));
  EXPECT_TRUE(fake.asked_.empty());
}

TEST(Runner, AnInterruptKeepsWhatWasMeasuredWhereThatIsWorthAReport) {
  for (const bool reports : {true, false}) {
    Fake fake;
    fake.reports_interrupted_ = reports;
    fake.answer_ = [](std::size_t, const Round& round) -> Result<Measured> {
      if (round.number == 2) raise(SIGTERM);
      return Measured{.figures = {{"time_ms", 1}}};
    };
    const auto outcome = run(fake, {.runs = 1000});
    EXPECT_EQ(fake.built_, 0);
    EXPECT_EQ(outcome.has_value(), reports);
    EXPECT_LT(fake.asked_.size(), 7U);
    if (outcome) {
      EXPECT_TRUE(outcome->results.interrupted);
      EXPECT_EQ(outcome->json()["interrupted"], true);
    }
  }
}

TEST(Runner, ThePageHoldsTheJson) {
  Fake fake;
  const auto outcome = run(fake, {.command = "</script>"});
  ASSERT_TRUE(outcome);
  const std::string page = outcome->html();
  EXPECT_THAT(page, HasSubstr("\"experiment\":\"lab fake\""));
  EXPECT_THAT(page, HasSubstr("\\u003c/script>"));
  for (const char* mark : {"@REPORT@", "_JS@", "_CSS@"}) {
    EXPECT_THAT(page, testing::Not(HasSubstr(mark)));
  }
}

}  // namespace
}  // namespace tw::lab
