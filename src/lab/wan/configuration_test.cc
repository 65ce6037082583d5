#include "lab/wan/configuration.h"

#include <gtest/gtest.h>

#include "lab/bed/scratch.h"
#include "lab/demo/demo_config.h"
#include "node/config/config.h"

namespace tw::lab {
namespace {

TEST(Configuration, NamesAreReadAsTheyAreWritten) {
  for (const Configuration configuration : all_configurations) {
    EXPECT_EQ(parse_configuration(name_of(configuration)), configuration);
    EXPECT_FALSE(traits_of(configuration).meaning.empty());
  }
  EXPECT_FALSE(parse_configuration("+slow-open"));
  EXPECT_FALSE(parse_configuration(""));
}

/// [relay] of both PoPs of this step, as the node reads it.
relay::TurboSettings turbo_of(Configuration configuration, const std::string& congestion,
                              bool early_syn, bool warm_legs) {
  auto scratch = ScratchFolder::create();
  PopPair pair;
  pair.shape.relay_switches = relay_switches(configuration, congestion);
  pair.folder = scratch->path().string();
  pair.rc_device = "twd1r";
  const std::string key = crypto::key_to_base64(pair.rc.private_key.view());
  EXPECT_TRUE(scratch->write("rc0.key", key));
  const auto config = node::parse_config(rc_config(pair), pair.folder + "/x.toml");
  if (!config) {
    ADD_FAILURE() << name_of(configuration) << ": " << config.error().front().text();
    return {};
  }
  EXPECT_TRUE(config->relay.enabled);
  EXPECT_EQ(config->relay.early_syn.enabled, early_syn);
  EXPECT_EQ(config->relay.pool.enabled, warm_legs);
  return config->relay.turbo;
}

TEST(Configuration, EachStepTurnsOneThingOnAndKeepsTheOthers) {
  for (const auto& [step, early_syn, warm_legs] : {std::tuple{Configuration::split, false, false},
                                                   {Configuration::early_syn, true, false},
                                                   {Configuration::warm_legs, true, true}}) {
    const relay::TurboSettings turbo = turbo_of(step, "cubic", early_syn, warm_legs);
    EXPECT_EQ(turbo.initcwnd, 10U);
    EXPECT_FALSE(turbo.pacing);
    EXPECT_EQ(turbo.congestion_control, "cubic");
  }
}

TEST(Configuration, LastStepsAreTheDefault) {
  for (const Configuration step :
       {Configuration::turbo, Configuration::fast_open, Configuration::fast_open_server}) {
    EXPECT_EQ(turbo_of(step, "", true, true), relay::TurboSettings{});
  }
}

TEST(Configuration, OnlyTheRelayHasSwitches) {
  for (const Configuration other :
       {Configuration::end_to_end, Configuration::end_to_end_fast_open, Configuration::routed,
        Configuration::ssh, Configuration::haproxy}) {
    EXPECT_EQ(relay_switches(other, "cubic"), "");
  }
}

}  // namespace
}  // namespace tw::lab
