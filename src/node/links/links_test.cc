#include "node/links/links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "machine/test_tunnel.h"
#include "node/links/links_plan.h"

namespace tw::node::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class LinksInKernel : public ::testing::Test, protected MachineWithTunnel {
 protected:
  void SetUp() override {
    if (!entered()) GTEST_SKIP() << "needs root, for a network namespace";
    ASSERT_EQ(make_tunnel(), "");
    std::string pattern = fs::temp_directory_path() / "links-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    parent_ = pattern;
    directory_ = parent_ + "/run";
    for (const char* device : {"default", "tw0", "lo"}) {
      const std::string key = std::string{"net/ipv6/conf/"} + device + "/accept_ra";
      ASSERT_TRUE(make(SysctlChange{key, "", "1"}));
    }
    untouched_ = machine();
    config_.tunnel.interface = "tw0";
    config_.tunnel.addresses = {{*IpAddress::parse("10.9.0.1"), 24},
                                {*IpAddress::parse("fd09::1"), 64}};
    config_.tunnel.mtu = 1380;
    PeerConfig peer;
    peer.name = "far";
    peer.allowed_ips = {net("10.9.0.2/32"), net("10.10.0.0/16"), net("fd10::/64")};
    config_.peers = {peer};
    config_.gateway.forward = true;
    config_.relay.enabled = true;
    config_.relay.turbo.initcwnd = 400;
    PopConfig pop;
    pop.peer = "far";
    pop.pop.overlay_address = *IpAddress::parse("10.9.0.2");
    config_.pops = {pop};
  }
  void TearDown() override {
    if (!parent_.empty()) fs::remove_all(parent_);
  }

  /// All that a node could have changed outside of its device.
  static std::string machine() {
    return output(
        "ip -4 rule; ip -6 rule; ip -4 route show table all; ip -6 route show table all | "
        "grep -v fe80; nft list tables; grep . /proc/sys/net/ipv4/ip_forward "
        "/proc/sys/net/ipv4/tcp_fastopen "
        "/proc/sys/net/ipv6/conf/*/forwarding /proc/sys/net/ipv6/conf/*/accept_ra; "
        "ip address show dev tw0 2>/dev/null | grep inet");
  }
  Links up() {
    auto links = Links::up(config_, {}, directory_);
    EXPECT_TRUE(links) << links.error().text();
    return std::move(*links);
  }

  std::string parent_, directory_, untouched_;
  NodeConfig config_;
};

TEST_F(LinksInKernel, BringsUpEverythingAndTakesEverythingDown) {
  {
    Links links = up();
    const auto link = netlink_->links.link("tw0");
    ASSERT_TRUE(link);
    EXPECT_TRUE(link->up);
    EXPECT_EQ(link->mtu, 1380);
    EXPECT_EQ(link->tx_queue_packets, 4096);
    const std::string now = machine();
    EXPECT_THAT(now, HasSubstr("inet 10.9.0.1/24"));
    EXPECT_THAT(now, HasSubstr("inet6 fd09::1/64"));
    EXPECT_THAT(now, HasSubstr("10.10.0.0/16 dev tw0"));
    EXPECT_THAT(now, HasSubstr("fd10::/64 dev tw0"));
    EXPECT_THAT(now, HasSubstr("initcwnd 400"));
    EXPECT_THAT(now, HasSubstr("table inet thalweg_tw0"));
    EXPECT_THAT(now, HasSubstr("ip_forward:1"));
    EXPECT_THAT(now, HasSubstr("all/forwarding:1"));
    EXPECT_THAT(now, HasSubstr("tcp_fastopen:3"));
    EXPECT_THAT(now, HasSubstr("tw0/accept_ra:2"));
    EXPECT_THAT(now, HasSubstr("from all fwmark"));
    EXPECT_THAT(now, HasSubstr("local default dev lo"));
    EXPECT_TRUE(links.refused());
    EXPECT_TRUE(links.tx_dropped());
    const auto down = links.down();
    EXPECT_TRUE(down) << down.error().text();
    EXPECT_EQ(machine(), untouched_);
    EXPECT_FALSE(netlink_->links.link("tw0")->up);
    EXPECT_TRUE(links.down()) << "again does nothing";
  }
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(LinksInKernel, AQueueThatIsTheTunsOwnKeepsItsLength) {
  ASSERT_TRUE(netlink_->links.set_tx_queue("tw0", 40));
  auto links = Links::up(config_, {.queue_length = true}, directory_);
  ASSERT_TRUE(links) << links.error().text();
  EXPECT_EQ(netlink_->links.link("tw0")->tx_queue_packets, 40);
  config_.tunnel.tx_queue_packets = 500;
  ASSERT_TRUE(links->apply(config_));
  EXPECT_EQ(netlink_->links.link("tw0")->tx_queue_packets, 40);
  EXPECT_EQ(netlink_->links.link("tw0")->mtu, 1380) << "the rest of the link is as configured";
}

TEST_F(LinksInKernel, ItsEndIsItsUndoing) {
  {
    const Links links = up();
  }
  EXPECT_EQ(machine(), untouched_);
  Links first = up();
  config_.gateway.forward = false;
  first = Links(std::move(first));
  EXPECT_NE(machine(), untouched_);
}

TEST_F(LinksInKernel, GoesDownAlthoughTheDeviceIsGone) {
  Links links = up();
  tunnel_.reset();
  const auto down = links.down();
  EXPECT_TRUE(down) << down.error().text();
  const std::string now = machine();
  EXPECT_THAT(now, ::testing::Not(HasSubstr("fwmark")));
  EXPECT_THAT(now, HasSubstr("ip_forward:0"));
}

TEST_F(LinksInKernel, AFailureHalfWayLeavesNothing) {
  const ScratchTun other("other0");
  ASSERT_TRUE(netlink_->links.set_up("other0", true));
  ASSERT_TRUE(netlink_->routes.add_route({.prefix = net("10.10.0.0/16"), .device = "other0"}));
  const std::string before = machine();
  const auto links = Links::up(config_, {}, directory_);
  ASSERT_FALSE(links);
  EXPECT_THAT(links.error().text(), HasSubstr("add route 10.10.0.0/16 dev tw0"));
  EXPECT_THAT(links.error().text(), HasSubstr("install_routes = false"));
  EXPECT_EQ(machine(), before);
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(LinksInKernel, ApplyChangesOnlyWhatIsDifferent) {
  Links links = up();
  const std::string before = machine();
  ASSERT_TRUE(links.apply(config_));
  EXPECT_EQ(machine(), before);
  // A sentinel that a needless removal and re-adding of the route would lose.
  const auto marked = output("ip route change 10.10.0.0/16 dev tw0 proto static mtu 1111; echo ok");
  ASSERT_EQ(marked, "ok\n");
  NodeConfig next = config_;
  next.peers[0].allowed_ips = {net("10.9.0.2/32"), net("10.10.0.0/16"), net("10.11.0.0/16")};
  next.tunnel.addresses.pop_back();
  next.relay.turbo.initcwnd = 55;
  next.gateway.forward = false;
  const auto applied = links.apply(next);
  ASSERT_TRUE(applied) << applied.error().text();
  const std::string now = machine();
  EXPECT_THAT(now, HasSubstr("mtu 1111"));
  EXPECT_THAT(now, HasSubstr("10.11.0.0/16 dev tw0"));
  EXPECT_THAT(now, HasSubstr("initcwnd 55"));
  EXPECT_THAT(now, ::testing::Not(HasSubstr("fd10::")));
  EXPECT_THAT(now, ::testing::Not(HasSubstr("fd09::")));
  EXPECT_THAT(now, HasSubstr("ip_forward:0"));
  EXPECT_THAT(now, HasSubstr("tw0/accept_ra:1"));
  ASSERT_TRUE(links.apply(config_));
  EXPECT_THAT(machine(), HasSubstr("tw0/accept_ra:2"));
  ASSERT_TRUE(links.down());
  EXPECT_EQ(machine(), untouched_);
}

// The relay opens the windows of paced legs one by one; a route's is everybody's.
TEST_F(LinksInKernel, RoutesOpenNoWindowsWhereTheRelayDoes) {
  auto links = Links::up(config_, {.leg_windows = true}, directory_);
  ASSERT_TRUE(links) << links.error().text();
  EXPECT_THAT(machine(), Not(HasSubstr("initcwnd")));
  config_.relay.turbo.pacing = false;
  ASSERT_TRUE(links->apply(config_));
  EXPECT_THAT(machine(), HasSubstr("initcwnd 400"));
}

// Linux takes secondary addresses away with their primary one, and routes with the last address.
TEST_F(LinksInKernel, RoutesAndAddressesSurviveAChangeOfAddress) {
  config_.tunnel.addresses = {{*IpAddress::parse("10.9.0.1"), 24},
                              {*IpAddress::parse("10.9.0.3"), 24}};
  Links links = up();
  config_.tunnel.addresses.erase(config_.tunnel.addresses.begin());
  ASSERT_TRUE(links.apply(config_));
  EXPECT_THAT(machine(), HasSubstr("inet 10.9.0.3/24"));
  EXPECT_THAT(machine(), HasSubstr("10.10.0.0/16 dev tw0"));
  config_.tunnel.addresses = {{*IpAddress::parse("10.9.0.4"), 24}};
  ASSERT_TRUE(links.apply(config_));
  EXPECT_THAT(machine(), HasSubstr("inet 10.9.0.4/24"));
  EXPECT_THAT(machine(), HasSubstr("10.10.0.0/16 dev tw0"));
  EXPECT_THAT(machine(), HasSubstr("initcwnd 400"));
}

TEST_F(LinksInKernel, AnApplyThatFailsGoesBack) {
  const ScratchTun other("other0");
  ASSERT_TRUE(netlink_->links.set_up("other0", true));
  ASSERT_TRUE(netlink_->routes.add_route({.prefix = net("10.12.0.0/16"), .device = "other0"}));
  Links links = up();
  const std::string before = machine();
  NodeConfig next = config_;
  next.peers[0].allowed_ips = {net("10.9.0.2/32"), net("10.11.0.0/16"), net("10.12.0.0/16")};
  next.tunnel.addresses.pop_back();
  next.relay.enabled = next.gateway.forward = false;
  const auto applied = links.apply(next);
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().text(), HasSubstr("10.12.0.0/16"));
  EXPECT_EQ(machine(), before);
  next.tunnel.interface = "tw1";
  EXPECT_FALSE(links.apply(next));
  EXPECT_EQ(machine(), before);
}

TEST_F(LinksInKernel, ASecondNodeIsRefusedAndDisturbsNothing) {
  const Links links = up();
  const std::string before = machine();
  const auto second = Links::up(config_, {}, directory_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text(), HasSubstr("another thalweg is running on tw0"));
  EXPECT_EQ(machine(), before);
}

TEST_F(LinksInKernel, TheNextStartUndoesWhatKill9Left) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto links = Links::up(config_, {}, directory_);
    const char done = links ? 'y' : 'n';
    if (::write(pipe[1], &done, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char done = 0;
  ASSERT_EQ(::read(pipe[0], &done, 1), 1);
  ASSERT_EQ(done, 'y');
  ::close(pipe[0]);
  ::close(pipe[1]);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_THAT(machine(), HasSubstr("ip_forward:1"));
  EXPECT_THAT(machine(), HasSubstr("fwmark"));
  tunnel_.reset();  // the dead node's device went with it; the next one has another index
  tunnel_.emplace("tw0");
  ASSERT_TRUE(tunnel_->opened());
  config_.gateway.forward = config_.relay.enabled = false;
  config_.pops.clear();
  {
    Links links = up();  // and the node then fails, at a port that is taken, say
  }
  EXPECT_THAT(machine(), HasSubstr("thalweg_tw0_floor")) << "what was closed stays so";
  EXPECT_THAT(machine(), HasSubstr("ip_forward:0"));
  Links links = up();
  links.started();
  EXPECT_THAT(machine(), HasSubstr("ip_forward:0"));
  EXPECT_THAT(machine(), ::testing::Not(HasSubstr("fwmark")));
  ASSERT_TRUE(links.down());
  EXPECT_EQ(machine(), untouched_);
}

TEST_F(LinksInKernel, WhatOthersDoToTheMachineIsFollowed) {
  Links links = up();
  links.attend();  // our own addresses have just come
  ASSERT_TRUE(Firewall::remove_floor("thalweg_tw0_floor"));
  EXPECT_THAT(links.attend(), ::testing::ElementsAre(HasSubstr("it is put back")));
  EXPECT_THAT(machine(), HasSubstr("thalweg_tw0_floor"));
  const auto link = netlink_->links.link("tw0");
  ASSERT_TRUE(link);
  if (!netlink_->links.rename(link->index,
                              "other")) {  // before Linux 6.2 only of a device that is down
    ASSERT_TRUE(netlink_->links.set_up("tw0", false));
    ASSERT_TRUE(netlink_->links.rename(link->index, "other"));
    ASSERT_TRUE(netlink_->links.set_up("other", true));
  }
  EXPECT_THAT(links.attend(), ::testing::ElementsAre(HasSubstr("has its name again")));
  EXPECT_TRUE(netlink_->links.link("tw0"));
  EXPECT_THAT(machine(), HasSubstr("10.10.0.0/16 dev tw0"));
  EXPECT_TRUE(links.has_tunnel());
  EXPECT_TRUE(links.drops_foreign());
  config_.gateway.forward_others = true;
  ASSERT_TRUE(links.apply(config_));
  EXPECT_FALSE(links.drops_foreign());
}

TEST_F(LinksInKernel, WhatWasForwardedBeforeIsNotForeign) {
  ASSERT_TRUE(make(SysctlChange{"net/ipv4/ip_forward", "", "1"}));
  ASSERT_TRUE(make(SysctlChange{"net/ipv6/conf/all/forwarding", "", "1"}));
  Links links = up();
  EXPECT_FALSE(links.drops_foreign());
}

// IPv4 may be forwarded by device: that is neither foreign nor forgotten.
TEST_F(LinksInKernel, ADeviceThatWasForwardedBeforeStaysSo) {
  const ScratchTun other("other0");
  ASSERT_TRUE(other.opened());
  ASSERT_TRUE(make(SysctlChange{"net/ipv4/conf/other0/forwarding", "", "1"}));
  const std::string before = machine();
  Links links = up();
  EXPECT_TRUE(links.drops_foreign());
  for (const char* table : {"thalweg_tw0", "thalweg_tw0_floor"}) {
    EXPECT_THAT(output(std::string{"nft list table inet "} + table),
                HasSubstr("meta nfproto ipv4 iifname { \"other0\" } return"));
  }
  ASSERT_TRUE(links.down());
  EXPECT_EQ(read_sysctl("net/ipv4/conf/other0/forwarding").value_or(""), "1");
  EXPECT_EQ(machine(), before);
}

TEST_F(LinksInKernel, NeedsItsDevice) {
  tunnel_.reset();
  const auto links = Links::up(config_, {}, directory_);
  ASSERT_FALSE(links);
  EXPECT_THAT(links.error().text(), HasSubstr("there is no device tw0"));
  EXPECT_FALSE(fs::exists(directory_));
}

}  // namespace
}  // namespace tw::node::testing
