#include "relay/stream/receive_budget.h"

#include <gtest/gtest.h>

namespace tw::relay {
namespace {

constexpr std::uint64_t mb = 1U << 20U;

IpAddress client(std::uint8_t number) { return IpAddress::v4({10, 0, 0, number}); }

TEST(ReceiveBudget, ANewcomerHasAPartAndWhoDrainsHasMore) {
  ReceiveBudget budget;
  budget.set_limits(192 * mb, 128 * mb);
  EXPECT_EQ(budget.take(client(1), 100 * mb, 4), 24 * mb) << "half of a quarter of the total";
  EXPECT_EQ(budget.take(client(1), 100 * mb, 2), 42 * mb);
  EXPECT_EQ(budget.take(client(1), 1 * mb, 2), 1 * mb) << "no more than is wanted";
  EXPECT_EQ(budget.state().promised_bytes, 67 * mb);
  EXPECT_EQ(budget.state().cut_short, 2U);
}

TEST(ReceiveBudget, OneClientNeverHasAllOfIt) {
  ReceiveBudget budget;
  budget.set_limits(400 * mb, 100 * mb);
  std::uint64_t taken = 0;
  for (int i = 0; i < 1000; ++i) taken += budget.take(client(1), 24 * mb, 2);
  EXPECT_LE(taken, 100 * mb);
  EXPECT_EQ(budget.take(client(2), 10 * mb, 4), 10 * mb) << "another one finds room";
}

TEST(ReceiveBudget, SomethingIsAlwaysLeft) {
  ReceiveBudget budget;
  budget.set_limits(100 * mb, 100 * mb);
  for (std::uint8_t i = 1; i < 100; ++i) budget.take(client(i), 100 * mb, 4);
  EXPECT_LT(budget.state().promised_bytes, 100 * mb);
  EXPECT_GT(budget.take(client(200), 100 * mb, 2), 0U);
}

TEST(ReceiveBudget, AllOfAnIpv6NetworkIsOneClient) {
  ReceiveBudget budget;
  budget.set_limits(1000 * mb, 100 * mb);
  const IpAddress one = IpAddress::parse("2001:db8:1:2::1").value();
  const IpAddress other = IpAddress::parse("2001:db8:1:2:ffff::9").value();
  const IpAddress neighbour = IpAddress::parse("2001:db8:1:3::1").value();
  EXPECT_EQ(budget.take(one, 100 * mb, 2), 50 * mb);
  EXPECT_EQ(budget.take(other, 100 * mb, 2), 25 * mb);
  EXPECT_EQ(budget.take(neighbour, 100 * mb, 2), 50 * mb);
  EXPECT_EQ(budget.state().clients, 2U);
  const IpAddress mapped = IpAddress::parse("::ffff:10.0.0.1").value();
  budget.take(mapped, mb, 2);
  budget.give_back(client(1), mb);
  EXPECT_EQ(budget.state().clients, 2U);
}

TEST(ReceiveBudget, WhatIsGivenBackIsThereAgain) {
  ReceiveBudget budget;
  budget.set_limits(64 * mb, 64 * mb);
  const std::uint64_t first = budget.take(client(1), 64 * mb, 2);
  const std::uint64_t second = budget.take(client(1), 64 * mb, 2);
  EXPECT_LT(second, first);
  budget.give_back(client(1), second);
  budget.give_back(client(1), first);
  EXPECT_EQ(budget.state().promised_bytes, 0U);
  EXPECT_EQ(budget.state().clients, 0U);
  EXPECT_EQ(budget.take(client(1), 64 * mb, 2), first);
}

// A reload may make it smaller than what has been promised.
TEST(ReceiveBudget, ASmallerLimitTakesNothingBack) {
  ReceiveBudget budget;
  budget.set_limits(100 * mb, 100 * mb);
  const std::uint64_t taken = budget.take(client(1), 20 * mb, 2);
  budget.set_limits(10 * mb, 10 * mb);
  EXPECT_EQ(budget.take(client(1), mb, 2), 0U);
  EXPECT_EQ(budget.state().promised_bytes, taken);
  budget.give_back(client(1), taken);
  EXPECT_EQ(budget.take(client(1), mb, 2), mb);
}

}  // namespace
}  // namespace tw::relay
