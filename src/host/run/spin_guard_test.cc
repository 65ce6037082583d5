#include "host/run/spin_guard.h"

#include <gtest/gtest.h>

namespace tw::host {
namespace {

using Verdict = SpinGuard::Verdict;

/// An application that uses so much of its CPUs, looked at every 20 ms.
class Application {
 public:
  /// Returns the first verdict that is not `none`, and when it came, in ms from this call; 0:
  /// never.
  std::pair<Verdict, std::int64_t> run(std::int64_t for_ms, int percent, std::int64_t cpus = 1) {
    for (std::int64_t passed = 20; passed <= for_ms; passed += 20) {
      now_ms_ += 20;
      used_ms_ += 20 * percent * cpus / 100;
      const Verdict verdict = guard_.look(now_ms_, used_ms_, cpus);
      if (verdict != Verdict::none) return {verdict, passed};
    }
    return {Verdict::none, 0};
  }
  bool is_demoted() const { return guard_.is_demoted(); }

 private:
  SpinGuard guard_;
  std::int64_t now_ms_ = 1000, used_ms_ = 0;
};

TEST(SpinGuard, LeavesABusyServerAlone) {
  Application application;
  EXPECT_EQ(application.run(60'000, 85).first, Verdict::none);
}

TEST(SpinGuard, DemotesOneThatSpinsWithinTwoWindows) {
  Application application;
  EXPECT_EQ(application.run(5000, 20).first, Verdict::none);
  const auto [verdict, after_ms] = application.run(5000, 100);
  EXPECT_EQ(verdict, Verdict::demote);
  EXPECT_LE(after_ms, 2 * SpinGuard::window_ms);
}

TEST(SpinGuard, OneOfTwoCpusIsNotAll) {
  Application application;
  EXPECT_EQ(application.run(5000, 50, 2).first, Verdict::none);
  EXPECT_EQ(application.run(5000, 100, 2).first, Verdict::demote);
}

TEST(SpinGuard, GivesThePriorityBackAfterASecondOfCalm) {
  Application application;
  ASSERT_EQ(application.run(1000, 100).first, Verdict::demote);
  application.run(SpinGuard::window_ms, 70);  // what was before is in the window still
  EXPECT_EQ(application.run(5000, 70).first, Verdict::none);  // not calm
  EXPECT_TRUE(application.is_demoted());
  const auto [verdict, after_ms] = application.run(5000, 10);
  EXPECT_EQ(verdict, Verdict::promote);
  EXPECT_GE(after_ms, SpinGuard::calm_ms);
  EXPECT_FALSE(application.is_demoted());
  EXPECT_EQ(application.run(1000, 100).first, Verdict::demote);
}

}  // namespace
}  // namespace tw::host
