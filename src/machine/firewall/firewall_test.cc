#include "machine/firewall/firewall.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

#include "machine/firewall/test_firewall.h"

namespace tw::node::testing {
namespace {

TEST_F(FirewallInKernel, IsClosedWithoutAPolicyAndSaysSoToClients) {
  apply({});
  EXPECT_EQ(from_tunnel({client, server, 6, 1001, 80}), Fate::prohibited);
  EXPECT_EQ(from_tunnel({client6, server6, 6, 1002, 80}), Fate::prohibited);
  EXPECT_EQ(from_tunnel({client, ip("10.1.0.2"), 17, 1003, 53}), Fate::prohibited);
  EXPECT_EQ(from_tunnel({client, ip("10.50.0.1"), 6, 1004, 22}), Fate::prohibited);
  EXPECT_EQ(from_tunnel({client, ip("192.0.2.1"), 1, 1005, 0}), Fate::prohibited);
  EXPECT_EQ(count("from_tunnel"), 5);
  EXPECT_EQ(from_world({server, client, 6, 1006, 80}, true), Fate::nothing);
  EXPECT_EQ(from_world({server6, client6, 17, 1007, 53}, true), Fate::nothing);
  EXPECT_EQ(count("to_tunnel"), 2);
}

TEST_F(FirewallInKernel, AnswersEchoAtItsOwnOverlayAddresses) {
  apply({});
  EXPECT_EQ(from_tunnel({client, ip("10.50.0.1"), 1, 7, 0}), Fate::answered);
  EXPECT_EQ(from_tunnel({client6, ip("fd50::1"), 58, 8, 0}), Fate::answered);
}

TEST_F(FirewallInKernel, LeavesAloneWhatDoesNotTouchTheTunnel) {
  apply({});
  EXPECT_EQ(from_world({server, ip("203.0.113.5"), 17, 1001, 53}), Fate::to_world);
  EXPECT_EQ(from_world({server, ip("192.0.2.1"), 1, 9, 0}), Fate::answered);
}

TEST_F(FirewallInKernel, RelaysOnlyThroughTheListener) {
  const UniqueFd listener = Machine::listen(Machine::listen_port, true, Family::v4);
  const UniqueFd listener6 = Machine::listen(Machine::listen_port, true, Family::v6);
  ASSERT_TRUE(listener && listener6);
  apply({rule(Action::relay, Protocol::tcp)});
  EXPECT_EQ(from_tunnel({client, server, 6, 1001, 80}), Fate::answered);
  EXPECT_EQ(from_tunnel({client6, server6, 6, 1002, 80}), Fate::answered);
  // Nothing but TCP is relayed, and what is to be relayed is not routed instead.
  EXPECT_EQ(from_tunnel({client, server, 17, 1003, 80}), Fate::prohibited);
  EXPECT_EQ(from_world({server, client, 6, 1004, 80}, true), Fate::nothing);
}

// The relay is gone, or not there yet: neither the target nor a service of ours may be reached.
TEST_F(FirewallInKernel, FailsClosedWithoutAListener) {
  const UniqueFd service = Machine::listen(22, false, Family::v4);
  const UniqueFd service6 = Machine::listen(22, false, Family::v6);
  ASSERT_TRUE(service && service6);
  apply({rule(Action::relay, Protocol::tcp), rule(Action::route)});
  EXPECT_EQ(from_tunnel({client, server, 6, 1001, 80}), Fate::reset);
  EXPECT_EQ(from_tunnel({client, ip("10.50.0.1"), 6, 1002, 22}), Fate::reset);
  EXPECT_EQ(from_tunnel({client, ip("192.0.2.1"), 6, 1003, 22}), Fate::reset);
  EXPECT_EQ(from_tunnel({client6, ip("fd50::1"), 6, 1004, 22}), Fate::reset);
  EXPECT_EQ(from_tunnel({client6, server6, 6, 1005, 80}), Fate::reset);
  EXPECT_EQ(count("no_listener"), 5);
}

TEST_F(FirewallInKernel, KeepsTheRelaysPortsToTheRelay) {
  const UniqueFd listener = Machine::listen(Machine::listen_port, true, Family::v4);
  const UniqueFd legs = Machine::listen(Machine::leg_port, false, Family::v4);
  const UniqueFd legs6 = Machine::listen(Machine::leg_port, false, Family::v6);
  ASSERT_TRUE(listener && legs && legs6);
  apply({rule(Action::route)});  // everything: but not this
  EXPECT_EQ(from_tunnel({ip("10.50.0.2"), ip("10.50.0.1"), 6, 1001, 9702}), Fate::answered);
  EXPECT_EQ(from_tunnel({ip("fd50::2"), ip("fd50::1"), 6, 1002, 9702}), Fate::answered);
  EXPECT_EQ(from_tunnel({client, ip("10.50.0.1"), 6, 1003, 9702}), Fate::prohibited);
  EXPECT_EQ(from_tunnel({client6, ip("fd50::1"), 6, 1004, 9702}), Fate::prohibited);
  EXPECT_EQ(from_tunnel({client, ip("10.50.0.1"), 6, 1005, 9701}), Fate::prohibited);
  // Nor may a client use us as its way to another PoP's leg port, relayed or routed.
  EXPECT_EQ(from_tunnel({client, ip("10.50.0.2"), 6, 1006, 9702}), Fate::prohibited);
  EXPECT_EQ(from_world({server, ip("10.50.0.2"), 6, 1007, 9702}, true), Fate::nothing);
  apply({rule(Action::relay, Protocol::tcp)});
  EXPECT_EQ(from_tunnel({client, ip("10.50.0.2"), 6, 1008, 9702}), Fate::prohibited);
  EXPECT_EQ(from_tunnel({client, ip("10.50.0.1"), 6, 1009, 9702}), Fate::prohibited);
  EXPECT_EQ(from_tunnel({ip("10.50.0.2"), ip("10.50.0.1"), 6, 1010, 9702}), Fate::answered);
  // By another device: the weak host model would let both in.
  EXPECT_EQ(from_world({ip("10.50.0.2"), ip("10.50.0.1"), 6, 1011, 9702}, true), Fate::nothing);
  EXPECT_EQ(from_world({server, ip("192.0.2.1"), 6, 1012, 9701}, true), Fate::nothing);
  EXPECT_EQ(count("relay_ports"), 1);
  EXPECT_EQ(from_world({server, ip("10.50.0.1"), 6, 1013, 9702}, true), Fate::nothing);
  EXPECT_EQ(count("relay_ports"), 2);
  EXPECT_EQ(count("spoofed"), 1);
}

// An ICMP error would not end a connection, and what is silent would stay for minutes.
TEST_F(FirewallInKernel, TellsAnotherPopThatItsLegIsGone) {
  apply({rule(Action::refuse)});
  const auto data_of = [&](const Flow& flow) {
    return machine_->fate(machine_->tunnel, tcp_packet(flow, {.flags = 0x10}));
  };
  EXPECT_EQ(data_of({ip("10.50.0.2"), ip("10.50.0.1"), 6, 9702, 2001}), Fate::reset);
  EXPECT_EQ(data_of({ip("fd50::2"), ip("fd50::1"), 6, 9702, 2002}), Fate::reset);
  EXPECT_EQ(data_of({client, ip("10.50.0.1"), 6, 9702, 2003}), Fate::prohibited);
}

// A connection that the world has opened to a client, with a rule that relays what clients open.
TEST_F(FirewallInKernel, DoesNotRelayAnswers) {
  const UniqueFd listener = Machine::listen(Machine::listen_port, true, Family::v4);
  apply({rule(Action::route, Protocol::tcp, {}, {net("10.1.0.0/16")}),
         rule(Action::relay, Protocol::tcp)});
  EXPECT_EQ(from_world({server, client, 6, 5000, 80}), Fate::to_tunnel);
  const Flow answer{client, server, 6, 80, 5000};
  EXPECT_EQ(machine_->fate(machine_->tunnel, tcp_packet(answer, {.flags = 0x12})), Fate::to_world);
}

TEST_F(FirewallInKernel, WhatIsRelayedStaysSoWhenThePolicyChanges) {
  const UniqueFd listener = Machine::listen(Machine::listen_port, true, Family::v4);
  apply({rule(Action::relay, Protocol::tcp)});
  const Flow flow{client, server, 6, 1001, 80};
  ASSERT_EQ(from_tunnel(flow), Fate::answered);
  const std::uint32_t theirs = get32(transport_of(machine_->last), 4);
  const Segment ack{.flags = 0x10, .sequence = 1001, .acknowledgement = theirs + 1};
  ASSERT_TRUE(machine_->tunnel.inject(tcp_packet(flow, ack)));
  const UniqueFd accepted{::accept(listener.get(), nullptr, nullptr)};
  ASSERT_TRUE(accepted);
  apply({rule(Action::route)});
  EXPECT_EQ(from_tunnel({client, server, 6, 1002, 80}), Fate::to_world);
  ASSERT_TRUE(machine_->tunnel.inject(tcp_packet(flow, ack, 10)));
  std::array<char, 64> buffer{};
  EXPECT_EQ(::recv(accepted.get(), buffer.data(), buffer.size(), MSG_DONTWAIT), 10);
}

TEST_F(FirewallInKernel, EstablishedConnectionsOutliveTheirRule) {
  apply({rule(Action::route)});
  ASSERT_EQ(from_tunnel({client, server, 17, 1001, 53}), Fate::to_world);
  ASSERT_EQ(from_world({server, client, 17, 53, 1001}), Fate::to_tunnel);
  apply({});
  EXPECT_EQ(from_tunnel({client, server, 17, 1001, 53}), Fate::to_world);
  EXPECT_EQ(from_tunnel({client, server, 17, 1002, 53}), Fate::prohibited);
}

TEST_F(FirewallInKernel, MasqueradesInnerSourcesAndClampsTheMss) {
  spec_.masquerade = {net("10.1.0.0/16"), net("fd01::/16")};
  spec_.clamp_mss = true;
  apply({rule(Action::route)});
  auto netlink = Netlink::open();
  ASSERT_TRUE(netlink && netlink->links.set_mtu("tw0", 1280));
  ASSERT_EQ(machine_->fate(machine_->world, tcp_packet({server, client, 6, 1, 80}, {.mss = 1460})),
            Fate::to_tunnel);
  EXPECT_EQ(get16(transport_of(machine_->last), 22), 1240);
  ASSERT_EQ(
      machine_->fate(machine_->world, tcp_packet({server6, client6, 6, 1, 80}, {.mss = 1460})),
      Fate::to_tunnel);
  EXPECT_EQ(get16(transport_of(machine_->last), 22), 1220);
  ASSERT_EQ(from_tunnel({client, server, 17, 1001, 53}), Fate::to_world);
  EXPECT_EQ(flow_of(machine_->last)->source, ip("192.0.2.1"));
  ASSERT_EQ(from_tunnel({client6, server6, 17, 1002, 53}), Fate::to_world);
  EXPECT_EQ(flow_of(machine_->last)->source, ip("2001:db8:2::1"));
  // Within the tunnel, and from a source that is not listed, nothing is rewritten.
  ASSERT_EQ(from_tunnel({client, ip("10.2.0.1"), 17, 1003, 53}), Fate::to_tunnel);
  EXPECT_EQ(flow_of(machine_->last)->source, client);
  ASSERT_EQ(from_tunnel({ip("10.2.0.1"), server, 17, 1004, 53}), Fate::to_world);
  EXPECT_EQ(flow_of(machine_->last)->source, ip("10.2.0.1"));
}

TEST_F(FirewallInKernel, StopsMasqueradingAndClampingWhenAskedNoMore) {
  spec_.masquerade = {net("10.1.0.0/16")};
  spec_.clamp_mss = true;
  apply({rule(Action::route)});
  ASSERT_EQ(from_tunnel({client, server, 17, 1001, 53}), Fate::to_world);
  ASSERT_EQ(flow_of(machine_->last)->source, ip("192.0.2.1"));
  spec_.masquerade.clear();
  spec_.clamp_mss = false;
  apply({rule(Action::route)});
  ASSERT_EQ(from_tunnel({client, server, 17, 1002, 53}), Fate::to_world);
  EXPECT_EQ(flow_of(machine_->last)->source, client);
  auto netlink = Netlink::open();
  ASSERT_TRUE(netlink && netlink->links.set_mtu("tw0", 1280));
  ASSERT_EQ(machine_->fate(machine_->world, tcp_packet({server, client, 6, 1, 80}, {.mss = 1460})),
            Fate::to_tunnel);
  EXPECT_EQ(get16(transport_of(machine_->last), 22), 1460);
}

TEST_F(FirewallInKernel, VanishesWithItsOwnerAndLeavesTheFloor) {
  apply({rule(Action::route)});
  ASSERT_EQ(from_tunnel({client, server, 17, 1001, 53}), Fate::to_world);
  firewall_.reset();
  EXPECT_EQ(from_tunnel({client, server, 17, 1001, 53}, true), Fate::nothing);
  EXPECT_EQ(from_world({server, client, 17, 1002, 53}, true), Fate::nothing);
  EXPECT_EQ(from_world({server6, client6, 17, 1003, 53}, true), Fate::nothing);
  EXPECT_EQ(from_world({server, ip("203.0.113.5"), 17, 1004, 53}), Fate::to_world);
  ASSERT_TRUE(Firewall::remove_floor(floor_table("tw0")));
  EXPECT_EQ(from_tunnel({client, server, 17, 1005, 53}), Fate::to_world);
  EXPECT_TRUE(Firewall::remove_floor(floor_table("tw0"))) << "it is gone already";
}

TEST_F(FirewallInKernel, Kill9LeavesItClosed) {
  firewall_.reset();
  spec_.policy = {rule(Action::route)};
  spec_.drop_foreign_v4 = spec_.drop_foreign_v6 = true;
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto firewall = Firewall::open("tw0");
    const char done = firewall && firewall->apply(spec_) ? 'y' : 'n';
    if (::write(pipe[1], &done, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char done = 0;
  ASSERT_EQ(::read(pipe[0], &done, 1), 1);
  EXPECT_EQ(done, 'y');
  EXPECT_EQ(from_tunnel({client, server, 17, 1001, 53}), Fate::to_world);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(from_tunnel({client, server, 17, 1001, 53}, true), Fate::nothing);
  EXPECT_EQ(from_tunnel({client6, server6, 17, 1002, 53}, true), Fate::nothing);
  EXPECT_EQ(from_world({server, ip("203.0.113.5"), 17, 1003, 53}, true), Fate::nothing);
  EXPECT_EQ(from_world({server, ip("192.0.2.1"), 1, 9, 0}), Fate::answered) << "input is open";
  // The next one takes the floor over.
  auto next = Firewall::open("tw0");
  ASSERT_TRUE(next && next->apply(spec_));
  EXPECT_EQ(from_tunnel({client, server, 17, 1004, 53}), Fate::to_world);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(FirewallInKernel, PutsBackTheFloorWhoeverRemovesIt) {
  apply({rule(Action::route)});
  EXPECT_FALSE(firewall_->keep_floor().value());
  ASSERT_TRUE(Firewall::remove_floor(floor_table("tw0")));
  EXPECT_TRUE(firewall_->keep_floor().value());
  EXPECT_FALSE(firewall_->keep_floor().value()) << "what we do ourselves is no change";
  firewall_.reset();
  EXPECT_EQ(from_tunnel({client, server, 17, 1001, 53}, true), Fate::nothing);
}

// While another program changes its own tables, as a container engine does.
TEST_F(FirewallInKernel, ReloadsInOneTransactionBesideOthers) {
  auto other = Firewall::open("other0");
  ASSERT_TRUE(other);
  FirewallSpec theirs;
  theirs.device = "other0";
  theirs.link_index = INT32_MAX;
  apply({});
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(other->apply(theirs));
    apply({rule(round % 2 == 0 ? Action::route : Action::refuse)});
    ASSERT_TRUE(other->remove());
  }
  EXPECT_EQ(count("from_tunnel"), 0);
  EXPECT_EQ(from_tunnel({client, server, 17, 1001, 53}), Fate::prohibited);
  EXPECT_EQ(count("from_tunnel"), 1);
  apply({});
  EXPECT_EQ(count("from_tunnel"), 1) << "a reload keeps the counters";
}

TEST_F(FirewallInKernel, ProbeFindsEverythingHere) {
  const auto probed = Firewall::probe();
  EXPECT_TRUE(probed) << probed.error().text();
  EXPECT_EQ(from_tunnel({client, server, 17, 1001, 53}), Fate::to_world) << "it changes nothing";
}

TEST(Firewall, RefusesNamesThatAreNoDevices) {
  for (const char* name : {"", "a*", "a\"b", "a b", "a/b", "..", "0123456789abcdef"}) {
    const auto firewall = Firewall::open(name);
    ASSERT_FALSE(firewall) << name;
    EXPECT_EQ(firewall.error().kind, Error::Kind::config);
  }
}

}  // namespace
}  // namespace tw::node::testing
