#include "lab/demo/demo_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "lab/bed/scratch.h"
#include "lab/bed/topology.h"
#include "node/config/config.h"

namespace tw::lab {
namespace {

using node::NodeConfig;

class DemoConfig : public testing::Test {
 protected:
  void SetUp() override {
    pair_.client_device = "twd1c";
    pair_.rc_device = "twd1r";
    pair_.rs_device = "twd1s";
    ASSERT_TRUE(scratch_) << scratch_.error().text();
    pair_.folder = scratch_->path().string();
    for (const auto& [name, identity] : {std::pair{"rc0.key", &pair_.rc}, {"rs0.key", &pair_.rs}}) {
      ASSERT_TRUE(scratch_->write(name, crypto::key_to_base64(identity->private_key.view())));
    }
  }

  NodeConfig parsed(const std::string& text) {
    auto config = node::parse_config(text, pair_.folder + "/x.toml");
    if (config) return *config;
    for (const node::ConfigMistake& mistake : config.error()) ADD_FAILURE() << mistake.text();
    return {};
  }

  relay::Action decide(const NodeConfig& config, const char* from, const char* to,
                       std::uint16_t port = 80) {
    return relay::Policy{config.policy}.decide(*IpAddress::parse(from),
                                               {.address = *IpAddress::parse(to), .port = port},
                                               relay::Protocol::tcp);
  }

  Result<ScratchFolder> scratch_ = ScratchFolder::create();
  PopPair pair_;
  const std::string key_ = crypto::key_to_base64(Identity::generate().private_key.view());
};

TEST_F(DemoConfig, BothFilesAreWithoutMistakesAndKnowEachOther) {
  const NodeConfig rc = parsed(rc_config(pair_));
  const NodeConfig rs = parsed(rs_config(pair_));
  ASSERT_EQ(rc.peers.size(), 2U);
  ASSERT_EQ(rs.peers.size(), 1U);
  EXPECT_EQ(crypto::key_to_base64(rc.peers[1].public_key.bytes), pair_.rs.public_key);
  EXPECT_EQ(crypto::key_to_base64(rs.peers[0].public_key.bytes), pair_.rc.public_key);
  EXPECT_EQ(rc.pops[0].pop.overlay_address, rs.tunnel.addresses[0].address);
  EXPECT_EQ(rs.pops[0].pop.overlay_address, rc.tunnel.addresses[0].address);
  EXPECT_TRUE(rc.relay.enabled && rs.relay.enabled);
}

TEST_F(DemoConfig, FirstPopRelaysOneServiceRoutesAnotherAndRefusesTheRest) {
  const NodeConfig rc = parsed(rc_config(pair_));
  const char* client = address::client_overlay;
  EXPECT_EQ(decide(rc, client, address::service_relayed), relay::Action::relay);
  EXPECT_EQ(decide(rc, client, address::service_tunnelled), relay::Action::route);
  EXPECT_EQ(decide(rc, client, address::service_direct), relay::Action::refuse);
  EXPECT_EQ(decide(rc, client, address::service_relayed, 22), relay::Action::refuse);
  EXPECT_EQ(decide(rc, address::rs_overlay, address::service_relayed), relay::Action::refuse);
}

TEST_F(DemoConfig, LastPopConnectsForTheClientOnlyAndOnlyToTheService) {
  const NodeConfig rs = parsed(rs_config(pair_));
  EXPECT_EQ(decide(rs, address::client_overlay, address::service_relayed), relay::Action::relay);
  EXPECT_EQ(decide(rs, address::client_overlay, address::service_direct), relay::Action::refuse);
  EXPECT_EQ(decide(rs, address::rc_overlay, address::service_relayed), relay::Action::refuse);
}

TEST_F(DemoConfig, RoutedServiceMayTakeTheTunnelBetweenThePops) {
  pair_.shape.relayed = "";
  pair_.shape.onward_tunnel = true;
  const NodeConfig rc = parsed(rc_config(pair_));
  const NodeConfig rs = parsed(rs_config(pair_));
  EXPECT_FALSE(rc.relay.enabled || rs.relay.enabled);
  EXPECT_TRUE(rs.gateway.forward);
  const Prefix service = *Prefix::parse(std::string{address::service_tunnelled} + "/32");
  EXPECT_EQ(std::ranges::count(rc.peers[1].allowed_ips, service), 1);
  EXPECT_EQ(decide(rc, address::client_overlay, address::service_tunnelled), relay::Action::route);
  EXPECT_EQ(decide(rs, address::client_overlay, address::service_tunnelled), relay::Action::route);
  EXPECT_EQ(decide(rs, address::client_overlay, address::service_relayed), relay::Action::refuse);
}

// Two pairs that share a name or a port would be a conflict on a host.
TEST_F(DemoConfig, SeveralPairsOnTheSameHostsShareNothing) {
  std::set<std::uint16_t> tcp_ports, udp_ports;
  std::set<std::string> addresses;
  for (pair_.shape.nth = 0; pair_.shape.nth < 3; ++pair_.shape.nth) {
    if (pair_.shape.nth > 0) {  // the first pair's are there
      ASSERT_TRUE(scratch_->write(pair_.rc_name() + ".key", key_));
      ASSERT_TRUE(scratch_->write(pair_.rs_name() + ".key", key_));
    }
    const NodeConfig rc = parsed(rc_config(pair_));
    const NodeConfig rs = parsed(rs_config(pair_));
    EXPECT_TRUE(udp_ports.insert(rc.tunnel.listen_port).second);
    EXPECT_EQ(rc.tunnel.listen_port, rs.tunnel.listen_port);
    EXPECT_TRUE(tcp_ports.insert(rc.relay.listen_port).second);
    EXPECT_TRUE(tcp_ports.insert(rc.relay.leg_port).second);
    EXPECT_EQ(rc.relay.leg_port, rs.relay.leg_port);
    for (const std::string& address : {pair_.shape.client(), pair_.shape.rc(), pair_.shape.rs()}) {
      EXPECT_TRUE(addresses.insert(address).second) << address;
    }
  }
}

TEST_F(DemoConfig, SwitchesAreOfBothRelays) {
  pair_.shape.relay_switches = "[relay.pool]\nenabled = false\n";
  EXPECT_FALSE(parsed(rc_config(pair_)).relay.pool.enabled);
  EXPECT_FALSE(parsed(rs_config(pair_)).relay.pool.enabled);
}

TEST_F(DemoConfig, NoPrivateKeyIsInTheText) {
  for (const Identity* identity : {&pair_.client, &pair_.rc, &pair_.rs}) {
    const std::string secret = crypto::key_to_base64(identity->private_key.view());
    EXPECT_EQ(rc_config(pair_).find(secret), std::string::npos);
    EXPECT_EQ(rs_config(pair_).find(secret), std::string::npos);
  }
}

}  // namespace
}  // namespace tw::lab
