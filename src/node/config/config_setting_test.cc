#include "node/config/config_setting.h"

#include <gtest/gtest.h>

namespace tw::node {
namespace {

NodeConfig running() {
  NodeConfig config;
  config.relay.enabled = true;
  return config;
}

NodeConfig after(std::string_view key, std::string_view value) {
  const auto next = with_setting(running(), key, value);
  EXPECT_TRUE(next) << next.error().text();
  return next.value_or(NodeConfig{});
}

std::string refusal(std::string_view key, std::string_view value) {
  const auto next = with_setting(running(), key, value);
  return next ? "taken" : next.error().text();
}

TEST(ConfigSetting, ChangesOneKeyAndNoOther) {
  NodeConfig before = running();
  before.relay.pool.high = 50;
  const auto next = with_setting(before, "relay.pool.low", "20");
  ASSERT_TRUE(next);
  EXPECT_EQ(next->relay.pool.low, 20U);
  EXPECT_EQ(next->relay.pool.high, 50U);
  EXPECT_EQ(next->relay.turbo, before.relay.turbo);
}

TEST(ConfigSetting, TakesWordsAsPeopleWriteThem) {
  EXPECT_FALSE(after("relay.early_syn", "off").relay.early_syn.enabled);
  EXPECT_FALSE(after("relay.early_syn.enabled", "false").relay.early_syn.enabled);
  EXPECT_TRUE(after("relay.client_start", "on").relay.client_start.enabled);
  EXPECT_EQ(after("relay.client_start.cap_mbps", "80").relay.client_start.cap_bps, 80'000'000U);
  EXPECT_TRUE(after("relay.pool", "on").relay.pool.enabled);
  EXPECT_FALSE(after("relay.fast_open", "off").relay.fast_open);
  EXPECT_EQ(after("relay.turbo.congestion_control", "bbr").relay.turbo.congestion_control, "bbr");
  EXPECT_EQ(after("relay.turbo.congestion_control", "\"bbr\"").relay.turbo.congestion_control,
            "bbr");
  EXPECT_EQ(after("relay.turbo.initcwnd", "1_000").relay.turbo.initcwnd, 1000U);
  EXPECT_EQ(after("relay.idle_timeout_s", "60").relay.limits.idle_timeout, 60s);
}

TEST(ConfigSetting, RefusesWithTheWordsOfTheFile) {
  EXPECT_NE(refusal("relay.pool.lov", "1").find("unknown key"), std::string::npos);
  EXPECT_NE(refusal("relay.pool.lov", "1").find("did you mean \"low\""), std::string::npos);
  EXPECT_NE(refusal("relay.turbo.initcwnd", "0").find("out of range"), std::string::npos);
  EXPECT_NE(refusal("relay.pool.low", "65").find("more than high"), std::string::npos);
  EXPECT_NE(refusal("relay.pool.low", "many").find("relay.pool.low"), std::string::npos);
}

// Whoever turns one off would get less of the other than it says.
TEST(ConfigSetting, VerifiedAcceptNeedsEarlySyn) {
  NodeConfig verified = after("relay.accept", "verified");
  EXPECT_EQ(verified.relay.accept, relay::Accept::verified);
  const auto next = with_setting(verified, "relay.early_syn", "off");
  ASSERT_FALSE(next);
  EXPECT_NE(next.error().text().find("needs early SYN"), std::string::npos);
  NodeConfig without = after("relay.early_syn", "off");
  EXPECT_FALSE(with_setting(without, "relay.accept", "verified"));
  EXPECT_TRUE(with_setting(without, "relay.accept", "early"));
  EXPECT_NE(refusal("relay.accept", "verifed").find("did you mean \"verified\""),
            std::string::npos);
}

TEST(ConfigSetting, RefusesWhatNeedsAReload) {
  for (const char* key : {"relay.listen_port", "relay.enabled", "relay.client_devices",
                          "tunnel.mtu", "", "relay", "relay.\"x\"", "peer[1].endpoint"}) {
    EXPECT_NE(refusal(key, "1"), "taken") << key;
  }
  EXPECT_FALSE(with_setting(NodeConfig{}, "relay.pool.low", "2")) << "the relay is off";
}

TEST(ConfigSetting, AListTakesThePlaceOfTheOneBefore) {
  NodeConfig before = running();
  before.relay.local_targets = {Prefix::parse("10.1.0.0/16").value()};
  const auto next = with_setting(before, "relay.local_targets", R"(["192.0.2.7", "fd00::/64"])");
  ASSERT_TRUE(next) << next.error().text();
  EXPECT_EQ(next->relay.local_targets, (std::vector{Prefix::parse("192.0.2.7/32").value(),
                                                    Prefix::parse("fd00::/64").value()}));
  EXPECT_TRUE(with_setting(*next, "relay.local_targets", "[]")->relay.local_targets.empty());
}

TEST(ConfigSetting, ARefusalSaysWhatItTakes) {
  EXPECT_NE(refusal("relay.leg_port", "9712").find("change the file and reload"),
            std::string::npos);
  EXPECT_NE(refusal("tunnel.mtu", "1400").find("change the file and restart"), std::string::npos);
  EXPECT_NE(refusal("gateway.forward", "on").find("name a key of [relay]"), std::string::npos);
  EXPECT_NE(refusal("relay.idle_timeout_s", "0").find("from 1 to 2592000, in seconds"),
            std::string::npos);
}

TEST(ConfigSetting, NothingComesInBehindAValue) {
  EXPECT_NE(refusal("relay.pool.low", "2\nrelay.enabled = false"), "taken");
  EXPECT_NE(refusal("relay.turbo.congestion_control", "x\"\n[tunnel]\nmtu = 1"), "taken");
  EXPECT_NE(refusal("relay.pool.low", "2 # 3\r"), "taken");
}

}  // namespace
}  // namespace tw::node
