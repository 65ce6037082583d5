#include "wg/reply_limiter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tw::wg {
namespace {

constexpr Instant start{100s};

class ReplyLimiterTest : public testing::Test {
 protected:
  bool allowed(std::string_view address, Instant now = start) {
    return limiter.allow(IpAddress::parse(address).value(), now);
  }
  /// How many of 1,000 strangers get a reply.
  int strangers(Instant now) {
    int count = 0;
    for (int at = 0; at < 1000; ++at) {
      count += allowed(fmt::format("10.0.{}.{}", at / 250, at % 250), now) ? 1 : 0;
    }
    return count;
  }
  SeededRandom random{1};
  ReplyLimiter limiter{random};
};

TEST_F(ReplyLimiterTest, StrangersShareOneRate) {
  EXPECT_EQ(strangers(start), stranger_reply_burst);
  EXPECT_EQ(strangers(start + stranger_reply_interval - 1ns), 0);
  EXPECT_EQ(strangers(start + stranger_reply_interval), 1);
  EXPECT_EQ(strangers(start + 1h), stranger_reply_burst) << "no more is saved up";
}

TEST_F(ReplyLimiterTest, WhoWasHereBeforeHasARateOfItsOwn) {
  limiter.remember(IpAddress::parse("192.0.2.1").value());
  limiter.remember(IpAddress::parse("2001:db8:0:1::1").value());
  strangers(start);
  for (int at = 0; at < source_burst; ++at) {
    EXPECT_TRUE(allowed("192.0.2.1"));
    EXPECT_TRUE(allowed("2001:db8:0:1:ffff::2")) << "its /64 is one source";
  }
  EXPECT_FALSE(allowed("192.0.2.1")) << "forged too, it has that rate and no more";
  EXPECT_TRUE(allowed("192.0.2.1", start + source_interval));
  EXPECT_FALSE(allowed("192.0.2.2"));
}

}  // namespace
}  // namespace tw::wg
