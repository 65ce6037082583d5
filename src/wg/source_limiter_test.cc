#include "wg/source_limiter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "wg/protocol.h"

namespace tw::wg {
namespace {

constexpr Instant start{100s};

class SourceLimiterTest : public testing::Test {
 protected:
  int allowed(std::string_view source, int tries, Instant now) {
    int count = 0;
    for (int at = 0; at < tries; ++at) {
      count += limiter.allow(Endpoint::parse(source).value(), now) ? 1 : 0;
    }
    return count;
  }
  /// Many ports of one address, or many addresses of one /64.
  int flood(std::string_view format, Instant now) {
    int count = 0;
    for (int port = 2000; port < 4000; ++port) {
      count += allowed(fmt::format(fmt::runtime(format), port), 1, now);
    }
    return count;
  }
  SeededRandom random{1};
  SourceLimiter limiter{random};
};

TEST_F(SourceLimiterTest, AllowsABurstAndThenTheRate) {
  EXPECT_EQ(allowed("192.0.2.1:1", 100, start), source_burst);
  EXPECT_EQ(allowed("192.0.2.1:1", 100, start + source_interval - 1ns), 0);
  EXPECT_EQ(allowed("192.0.2.1:1", 100, start + source_interval), 1);
  EXPECT_EQ(allowed("192.0.2.1:1", 100, start + 1h), source_burst);
}

TEST_F(SourceLimiterTest, KeepsSourcesApart) {
  EXPECT_EQ(allowed("192.0.2.1:1", 100, start), source_burst);
  EXPECT_EQ(allowed("192.0.2.2:1", 100, start), source_burst);
}

// The neighbour has proven its own port, with its own cookie, and no more.
TEST_F(SourceLimiterTest, OnePortBehindANatDoesNotUseUpAnother) {
  for (int at = 0; at < 50; ++at) {
    const Instant now = start + at * 100ms;
    allowed("192.0.2.1:1", 2500, now);
    EXPECT_EQ(allowed("192.0.2.1:2", 1, now), 1) << at;
  }
}

TEST_F(SourceLimiterTest, AllPortsOfAnAddressHaveARateTogether) {
  EXPECT_EQ(flood("192.0.2.1:{}", start), network_burst);
  EXPECT_EQ(flood("192.0.2.1:{}", start + network_interval), 1);
  EXPECT_EQ(allowed("192.0.2.2:1", 1, start), 1) << "another address";
}

TEST_F(SourceLimiterTest, AnIpv6SubnetIsOneNetwork) {
  EXPECT_EQ(flood("[2001:db8:0:1::{}]:1", start), network_burst);
  EXPECT_EQ(allowed("[2001:db8:0:1:ffff::2]:1", 1, start), 0);
  EXPECT_EQ(allowed("[2001:db8:0:2::1]:1", 1, start), 1);
}

TEST_F(SourceLimiterTest, WhoWasHereBeforeIsNotKeptOutByItsNeighbours) {
  for (const std::string_view known : {"192.0.2.1:1", "[2001:db8:0:1::1]:1"}) {
    limiter.remember(Endpoint::parse(known).value());
  }
  flood("192.0.2.1:{}", start);
  flood("[2001:db8:0:1::{}]:1", start);
  EXPECT_EQ(allowed("192.0.2.1:1", 100, start), source_burst);
  EXPECT_EQ(allowed("[2001:db8:0:1::1]:1", 100, start), source_burst);
}

}  // namespace
}  // namespace tw::wg
