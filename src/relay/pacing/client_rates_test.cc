#include "relay/pacing/client_rates.h"

#include <gtest/gtest.h>

#include <string>

namespace tw::relay {
namespace {

constexpr Instant start{Duration{1s}};
constexpr std::uint64_t mbps = 1'000'000, uncapped = 1'000'000 * mbps;
const IpAddress alice = *IpAddress::parse("10.9.0.2");
const IpAddress bob = *IpAddress::parse("10.9.0.3");

ClientRates::Stretch clean(std::uint64_t bps) {
  return {.sent_bytes = 1'000'000,
          .delivered_bytes = 1'000'000,
          .retransmitted_bytes = 0,
          .delivery_bps = bps,
          .rtt = 50ms};
}
ClientRates::Stretch lossy(std::uint64_t bps, std::uint64_t lost) {
  ClientRates::Stretch stretch = clean(bps);
  stretch.retransmitted_bytes = lost;
  return stretch;
}
// Returns the rate that a start would get, without keeping it.
std::uint64_t rate(ClientRates& rates, const IpAddress& client, Instant now) {
  const std::uint64_t bps = rates.take(client, uncapped, now);
  rates.give_back(client, bps);
  return bps;
}

TEST(ClientRates, KnowsWhatWasDeliveredAndNothingOfOthers) {
  ClientRates rates;
  EXPECT_EQ(rate(rates, alice, start), 0U);
  rates.learn(alice, clean(30 * mbps), start);
  EXPECT_EQ(rate(rates, alice, start), 30 * mbps);
  EXPECT_EQ(rate(rates, bob, start), 0U);
  EXPECT_EQ(rates.known(start), 1U);
}

TEST(ClientRates, NeverGivesMoreThanTheCap) {
  ClientRates rates;
  rates.learn(alice, clean(300 * mbps), start);
  EXPECT_EQ(rates.take(alice, 50 * mbps, start), 50 * mbps);
  EXPECT_EQ(rates.take(alice, 50 * mbps, start), 0U) << "nor all starts together";
}

TEST(ClientRates, ForgetsAfterMinutesUnlessConfirmed) {
  ClientRates rates;
  rates.learn(alice, clean(30 * mbps), start);
  rates.learn(bob, clean(30 * mbps), start);
  const Instant later = start + ClientRates::memory - 1s;
  rates.learn(alice, clean(28 * mbps), later);  // about as much: confirmed
  rates.learn(bob, clean(10 * mbps), later);    // a slow server, perhaps
  EXPECT_EQ(rate(rates, bob, later), 30 * mbps);
  EXPECT_EQ(rate(rates, alice, start + ClientRates::memory), 30 * mbps);
  EXPECT_EQ(rate(rates, bob, start + ClientRates::memory), 0U);
  EXPECT_EQ(rates.known(start + ClientRates::memory), 1U);
  rates.learn(bob, clean(10 * mbps), start + ClientRates::memory);
  EXPECT_EQ(rate(rates, bob, start + ClientRates::memory), 10 * mbps) << "anew, from nothing";
}

TEST(ClientRates, LittleSaysNothing) {
  ClientRates rates;
  ClientRates::Stretch little = clean(30 * mbps);
  little.delivered_bytes = ClientRates::enough_bytes - 1;
  rates.learn(alice, little, start);
  rates.learn(alice, clean(0), start);
  EXPECT_EQ(rates.known(start), 0U);
}

TEST(ClientRates, LossLowersOnceAnRttAndTeachesNothing) {
  ClientRates rates;
  rates.learn(alice, lossy(30 * mbps, 100'000), start);
  EXPECT_EQ(rates.known(start), 0U);
  rates.learn(alice, clean(40 * mbps), start);
  rates.learn(alice, lossy(40 * mbps, 100'000), start);
  EXPECT_EQ(rate(rates, alice, start), 28 * mbps);
  rates.learn(alice, lossy(40 * mbps, 100'000), start + 49ms);
  EXPECT_EQ(rate(rates, alice, start + 49ms), 28 * mbps) << "the same loss";
  rates.learn(alice, lossy(5 * mbps, 100'000), start + 50ms);
  EXPECT_EQ(rate(rates, alice, start + 50ms), 28 * mbps / 2 * 7 / 10) << "one stall is no rate";
}

TEST(ClientRates, ALostSegmentOrTwoAreNoLoss) {
  ClientRates rates;
  rates.learn(alice, lossy(30 * mbps, 3000), start);
  rates.learn(bob, lossy(30 * mbps, 20'000), start);  // 2 %
  EXPECT_EQ(rate(rates, alice, start), 30 * mbps);
  EXPECT_EQ(rate(rates, bob, start), 30 * mbps);
}

TEST(ClientRates, StartsAtOneTimeShareWhatIsKnown) {
  ClientRates rates;
  rates.learn(alice, clean(30 * mbps), start);
  const std::uint64_t first = rates.take(alice, uncapped, start);
  EXPECT_EQ(first, 30 * mbps);
  EXPECT_EQ(rates.take(alice, uncapped, start), 0U);
  rates.give_back(alice, first);
  EXPECT_EQ(rate(rates, alice, start), 30 * mbps);
}

TEST(ClientRates, BesideADownloadAStartGetsHalf) {
  ClientRates rates;
  ClientRates::Stretch going_on = clean(30 * mbps);
  going_on.goes_on = true;
  rates.learn(alice, going_on, start);
  EXPECT_EQ(rate(rates, alice, start), 15 * mbps);
  EXPECT_EQ(rate(rates, alice, start + ClientRates::busy_time), 30 * mbps) << "it has paused";
  rates.learn(alice, going_on, start + 2s);
  rates.learn(alice, {}, start + 2s);
  EXPECT_EQ(rate(rates, alice, start + 2s), 15 * mbps) << "some short connection has ended";
  rates.learn(alice, {.ends = true}, start + 2s);
  EXPECT_EQ(rate(rates, alice, start + 2s), 30 * mbps) << "it has ended";
}

TEST(ClientRates, AnIpv6ClientIsItsNetwork) {
  ClientRates rates;
  rates.learn(*IpAddress::parse("2001:db8::1"), clean(30 * mbps), start);
  EXPECT_EQ(rate(rates, *IpAddress::parse("2001:db8::2"), start), 30 * mbps);
  EXPECT_EQ(rate(rates, *IpAddress::parse("2001:db8:0:1::1"), start), 0U);
  rates.learn(alice, clean(20 * mbps), start);
  EXPECT_EQ(rate(rates, *IpAddress::parse("::ffff:10.9.0.2"), start), 20 * mbps);
}

TEST(ClientRates, IsBoundedAndMakesRoomOfWhatIsForgotten) {
  ClientRates rates;
  const auto client = [](std::size_t i) {
    const auto high = static_cast<std::uint8_t>(i / 256), low = static_cast<std::uint8_t>(i % 256);
    return IpAddress::v4({10, 1, high, low});
  };
  for (std::size_t i = 0; i < ClientRates::most_clients + 10; ++i) {
    rates.learn(client(i), clean(mbps), start);
  }
  EXPECT_EQ(rates.known(start), ClientRates::most_clients);
  EXPECT_EQ(rate(rates, client(0), start), mbps) << "who is known stays known";
  rates.learn(alice, clean(mbps), start + ClientRates::memory);
  EXPECT_EQ(rates.known(start + ClientRates::memory), 1U);
}

// A start may outlive what it was taken from.
TEST(ClientRates, WhatIsForgottenMayBeGivenBack) {
  ClientRates rates;
  rates.give_back(alice, 30 * mbps);
  rates.learn(alice, clean(20 * mbps), start);
  rates.give_back(alice, 30 * mbps);
  EXPECT_EQ(rate(rates, alice, start), 20 * mbps);
}

}  // namespace
}  // namespace tw::relay
