#include "wg/reply_limiter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "wg/protocol.h"

namespace tw::wg {
namespace {

constexpr Instant start{100s};

class ReplyLimiterTest : public testing::Test {
 protected:
  bool allowed(std::string_view source, Instant now = start) {
    return limiter.allow(Endpoint::parse(source).value(), now);
  }
  /// A second of a flood, as evenly as it comes: how many of `sent` get a reply.
  template <typename Source>
  int flood(int sent, Source&& source) {
    int count = 0;
    for (int at = 0; at < sent; ++at) {
      now_ = now_ + Duration{1s} / sent;
      count += limiter.allow(Endpoint::parse(source(at)).value(), now_) ? 1 : 0;
    }
    return count;
  }
  static std::string forged(int at) {
    return fmt::format("10.{}.{}.{}:1", at / 62500, at / 250 % 250, at % 250);
  }
  SeededRandom random{1};
  ReplyLimiter limiter{random};
  Instant now_ = start;
};

// 5,000 a second for those who have not asked yet, 20,000 for whoever asks.
TEST_F(ReplyLimiterTest, StrangersShareOneRate) {
  const int replies = flood(100'000, forged);
  EXPECT_GE(replies, 25'000);
  EXPECT_LE(replies, 25'000 + stranger_reply_burst + other_reply_burst);
}

TEST_F(ReplyLimiterTest, NoMoreIsSavedUp) {
  int count = 0;
  for (int at = 0; at < 1000; ++at) count += allowed(forged(at), start + 1h) ? 1 : 0;
  EXPECT_EQ(count, stranger_reply_burst + other_reply_burst);
}

// The tests below try a stranger's chance beside 25,000 a second from one address.
TEST_F(ReplyLimiterTest, AFloodFromOnePortOfAnAddressKeepsNoOtherPortFromACookie) {
  for (int second = 0; second < 2; ++second) {
    flood(25'000, [](int) { return "192.0.2.1:1"; });
    EXPECT_TRUE(allowed("192.0.2.1:2", now_));
    EXPECT_TRUE(allowed("192.0.2.9:2", now_)) << "another address";
  }
}

TEST_F(ReplyLimiterTest, AFloodFromAllPortsOfAnAddressKeepsNoOtherAddressFromACookie) {
  for (int second = 0; second < 2; ++second) {
    flood(25'000, [](int at) { return fmt::format("192.0.2.1:{}", 2 + at); });
    EXPECT_TRUE(allowed("192.0.2.9:2", now_));
  }
}

TEST_F(ReplyLimiterTest, AFloodFromOneIpv6SubnetKeepsNoOtherFromACookie) {
  for (int second = 0; second < 2; ++second) {
    flood(25'000, [](int at) { return fmt::format("[2001:db8::{:x}]:1", at); });
    EXPECT_TRUE(allowed("[2001:db8:0:1::1]:1", now_));
  }
}

/// Returns how many of 100 strangers, each in the middle of a flood, get a reply at the first try.
template <typename Allowed, typename Flood>
int lucky_ones(Flood&& flood, Allowed&& allowed) {
  int lucky = 0;
  for (int at = 0; at < 100; ++at) {
    flood();
    lucky += allowed() ? 1 : 0;
  }
  return lucky;
}

// Nothing tells the honest one apart: then it must have the same chance as each of the flood, four
// in five.
TEST_F(ReplyLimiterTest, InAFloodFromItsVeryPortAnHonestOneHasAFairChance) {
  int at = 0;
  const auto many = [&](auto&& source) {
    const int some = 137 + at++ % 7;
    for (int i = 0; i < some; ++i) {
      now_ = now_ + Duration{static_cast<Duration::rep>(random.next() % 80'000)};
      limiter.allow(Endpoint::parse(source(i)).value(), now_);
    }
    now_ = now_ + Duration{static_cast<Duration::rep>(random.next() % 80'000)};
  };
  flood(25'000, [](int) { return "192.0.2.1:1"; });
  EXPECT_GE(lucky_ones([&] { many([](int) { return "192.0.2.1:1"; }); },
                       [&] { return allowed("192.0.2.1:1", now_); }),
            60);
  const auto any_port = [&](int i) { return fmt::format("192.0.2.1:{}", 2 + i + at * 150); };
  EXPECT_GE(lucky_ones([&] { many(any_port); }, [&] { return allowed("192.0.2.1:1", now_); }), 60);
}

TEST_F(ReplyLimiterTest, WhoWasHereBeforeHasARateOfItsOwn) {
  limiter.remember(Endpoint::parse("192.0.2.1:1").value());
  limiter.remember(Endpoint::parse("[2001:db8:0:1::1]:1").value());
  flood(100'000, forged);
  for (int at = 0; at < source_burst; ++at) {
    EXPECT_TRUE(allowed("192.0.2.1:1", now_)) << "its port";
    EXPECT_TRUE(allowed("192.0.2.1:2", now_)) << "its address";
    EXPECT_TRUE(allowed("[2001:db8:0:1:ffff::2]:1", now_)) << "its /64 is one source";
  }
}

// Behind a NAT: the port of an earlier handshake is not flooded, its address is.
TEST_F(ReplyLimiterTest, WhoWasHereBeforeIsNotKeptOutByItsNeighbours) {
  limiter.remember(Endpoint::parse("192.0.2.1:1").value());
  for (int second = 0; second < 2; ++second) {
    flood(100'000, [](int at) { return fmt::format("192.0.2.1:{}", 2 + at % 60'000); });
    EXPECT_TRUE(allowed("192.0.2.1:1", now_));
  }
}

}  // namespace
}  // namespace tw::wg
