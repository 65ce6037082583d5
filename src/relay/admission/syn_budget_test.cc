#include "relay/admission/syn_budget.h"

#include <gtest/gtest.h>

namespace tw::relay {
namespace {

const IpAddress alice = *IpAddress::parse("10.9.0.2");
constexpr Instant start{Duration{1s}};

EarlySynSettings settings_of(std::uint32_t rate, std::uint32_t burst, std::uint32_t total_rate,
                             std::uint32_t total_burst) {
  EarlySynSettings settings;
  settings.per_source_rate = rate;
  settings.per_source_burst = burst;
  settings.total_rate = total_rate;
  settings.total_burst = total_burst;
  return settings;
}

int allowed(SynBudget& budget, const IpAddress& client, const EarlySynSettings& settings,
            Instant now, int asked) {
  int count = 0;
  for (int i = 0; i < asked; ++i) count += budget.allow(client, settings, now) ? 1 : 0;
  return count;
}

TEST(SynBudget, AllowsABurstAndThenTheRate) {
  SynBudget budget;
  const auto settings = settings_of(10, 5, 1000, 1000);
  EXPECT_EQ(allowed(budget, alice, settings, start, 20), 5);
  EXPECT_EQ(allowed(budget, alice, settings, start + 99ms, 20), 0);
  EXPECT_EQ(allowed(budget, alice, settings, start + 100ms, 20), 1);
  EXPECT_EQ(allowed(budget, alice, settings, start + 1h, 20), 5) << "never more than the burst";
}

TEST(SynBudget, AFloodOfSourcesMeetsTheTotal) {
  SynBudget budget;
  const auto settings = settings_of(10, 5, 100, 50);
  int count = 0;
  for (std::uint8_t third = 0; third < 100; ++third) {
    for (std::uint8_t fourth = 0; fourth < 100; ++fourth) {
      count += allowed(budget, IpAddress::v4({10, 1, third, fourth}), settings, start, 1);
    }
  }
  EXPECT_EQ(count, 50);
}

TEST(SynBudget, WhatTheTotalRefusesCostsTheSourceNothing) {
  SynBudget budget;
  const auto settings = settings_of(1, 2, 1000, 1);
  EXPECT_EQ(allowed(budget, alice, settings, start, 5), 1);
  EXPECT_EQ(allowed(budget, alice, settings, start + 1ms, 5), 1) << "its second token is there";
  EXPECT_EQ(allowed(budget, alice, settings, start + 2ms, 5), 0);
}

TEST(SynBudget, ANetworkOfIpv6IsOneSourceAndAMappedAddressIsIpv4) {
  SynBudget budget;
  const auto settings = settings_of(1, 1, 1000, 1000);
  EXPECT_TRUE(budget.allow(*IpAddress::parse("2001:db8::1"), settings, start));
  EXPECT_FALSE(budget.allow(*IpAddress::parse("2001:db8::2"), settings, start));
  EXPECT_TRUE(budget.allow(*IpAddress::parse("2001:db8:0:1::1"), settings, start));
  EXPECT_TRUE(budget.allow(alice, settings, start));
  EXPECT_FALSE(budget.allow(*IpAddress::parse("::ffff:10.9.0.2"), settings, start));
}

}  // namespace
}  // namespace tw::relay
