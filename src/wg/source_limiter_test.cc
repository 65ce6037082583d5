#include "wg/source_limiter.h"

#include <gtest/gtest.h>

namespace tw::wg {
namespace {

constexpr Instant start{100s};

class SourceLimiterTest : public testing::Test {
 protected:
  int allowed(std::string_view address, int tries, Instant now) {
    int count = 0;
    for (int at = 0; at < tries; ++at) {
      count += limiter.allow(IpAddress::parse(address).value(), now) ? 1 : 0;
    }
    return count;
  }
  SeededRandom random{1};
  SourceLimiter limiter{random};
};

TEST_F(SourceLimiterTest, AllowsABurstAndThenTheRate) {
  EXPECT_EQ(allowed("192.0.2.1", 100, start), source_burst);
  EXPECT_EQ(allowed("192.0.2.1", 100, start + source_interval - 1ns), 0);
  EXPECT_EQ(allowed("192.0.2.1", 100, start + source_interval), 1);
  EXPECT_EQ(allowed("192.0.2.1", 100, start + 1h), source_burst);
}

TEST_F(SourceLimiterTest, KeepsSourcesApart) {
  EXPECT_EQ(allowed("192.0.2.1", 100, start), source_burst);
  EXPECT_EQ(allowed("192.0.2.2", 100, start), source_burst);
}

TEST_F(SourceLimiterTest, AnIpv6SubnetIsOneSource) {
  EXPECT_EQ(allowed("2001:db8:0:1::1", 100, start), source_burst);
  EXPECT_EQ(allowed("2001:db8:0:1:ffff::2", 100, start), 0);
  EXPECT_EQ(allowed("2001:db8:0:2::1", 100, start), source_burst);
}

}  // namespace
}  // namespace tw::wg
