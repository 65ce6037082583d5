// Attacks on the firewall with real packets: by neighbours, local users, and those who rename.
#include <gtest/gtest.h>
#include <net/if.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "machine/firewall/test_firewall.h"

namespace tw::node::testing {
namespace {

// Where nothing was forwarded before us, nothing is that does not concern us.
TEST_F(FirewallInKernel, ForeignPacketsPassOnlyIfTheyDidBefore) {
  const Flow foreign{server, ip("203.0.113.5"), 17, 1001, 53};
  const Flow foreign6{server6, ip("2001:db8:a::7"), 17, 1002, 53};
  apply({rule(Action::route)});
  EXPECT_EQ(from_world(foreign), Fate::to_world);
  EXPECT_EQ(from_world(foreign6), Fate::to_world);
  spec_.drop_foreign_v4 = true;
  apply({rule(Action::route)});
  EXPECT_EQ(from_world(foreign, true), Fate::nothing);
  EXPECT_EQ(from_world(foreign6), Fate::to_world);
  spec_.drop_foreign_v6 = true;
  apply({rule(Action::route)});
  EXPECT_EQ(from_world(foreign6, true), Fate::nothing);
  EXPECT_EQ(count("foreign_forward"), 2);
  EXPECT_EQ(from_tunnel({client, server, 17, 1003, 53}), Fate::to_world);
  EXPECT_EQ(from_world({server6, client6, 17, 1004, 53}), Fate::to_tunnel);
}

// A neighbour claims to be a client, towards the tunnel, the world and this machine itself.
TEST_F(FirewallInKernel, OverlaySourcesComeFromTheTunnelOnly) {
  spec_.masquerade = {net("10.1.0.0/16"), net("fd01::/16")};
  apply({rule(Action::route)});
  int spoofed = 0;
  for (const auto& [source, target] :
       std::vector<std::pair<IpAddress, IpAddress>>{{client, server},
                                                    {client, ip("10.2.0.1")},
                                                    {client, ip("192.0.2.1")},
                                                    {client6, server6},
                                                    {client6, ip("fd02::1")},
                                                    {client6, ip("2001:db8:2::1")},
                                                    {ip("10.50.0.2"), ip("10.50.0.1")},
                                                    {ip("fd50::2"), ip("fd50::1")}}) {
    EXPECT_EQ(from_world({source, target, 17, 1001, 53}, true), Fate::nothing) << source.text();
    EXPECT_EQ(count("spoofed"), ++spoofed);
  }
  EXPECT_EQ(from_world({server, client, 17, 1002, 53}), Fate::to_tunnel);
}

// Nobody but clients uses us as his way out, even with a source that is to be masqueraded.
TEST_F(FirewallInKernel, MasqueradesOnlyWhatClientsHaveSent) {
  spec_.masquerade = {net("198.51.100.0/24"), net("2001:db8:9::/48"), net("10.1.0.0/16")};
  apply({rule(Action::route)});
  ASSERT_EQ(from_world({server, ip("203.0.113.5"), 17, 1001, 53}), Fate::to_world);
  EXPECT_EQ(flow_of(machine_->last)->source, server);
  ASSERT_EQ(from_world({server6, ip("2001:db8:a::7"), 17, 1002, 53}), Fate::to_world);
  EXPECT_EQ(flow_of(machine_->last)->source, server6);
  ASSERT_EQ(from_tunnel({client, server, 17, 1003, 53}), Fate::to_world);
  EXPECT_EQ(flow_of(machine_->last)->source, ip("192.0.2.1"));
}

TEST_F(FirewallInKernel, AnOverlayAddressOfOursObeysThePolicyFromEverywhere) {
  const UniqueFd service = Machine::listen(22, false, Family::v4);
  const UniqueFd service6 = Machine::listen(22, false, Family::v6);
  apply({});
  EXPECT_EQ(from_world({server, ip("10.50.0.1"), 6, 1001, 22}, true), Fate::nothing);
  EXPECT_EQ(from_world({server6, ip("fd50::1"), 6, 1002, 22}, true), Fate::nothing);
  EXPECT_EQ(from_world({server, ip("192.0.2.1"), 6, 1003, 22}), Fate::answered);
  EXPECT_EQ(count("to_tunnel"), 2);
  apply({rule(Action::route)});
  EXPECT_EQ(from_world({server, ip("10.50.0.1"), 6, 1004, 22}), Fate::answered);
}

/// Gives a device that is up another name. Returns false on kernels that allow that
/// only while it is down (Debian's 6.1): there nobody can do to us what these tests do.
bool renames(std::uint32_t index, const std::string& name) {
  auto netlink = Netlink::open();
  EXPECT_TRUE(netlink);
  const Result<void> renamed = netlink->links.rename(index, name);
  const bool refuses = !renamed && renamed.error().os_errno == EBUSY;
  EXPECT_TRUE(renamed || refuses) << renamed.error().text();
  return renamed.has_value();
}

// The policy goes by the device, whatever it is called.
TEST_F(FirewallInKernel, ANewNameForTheTunnelOpensNothing) {
  spec_.masquerade = {net("10.1.0.0/16")};
  apply({rule(Action::refuse)});
  if (!renames(spec_.link_index, "other")) GTEST_SKIP() << "no device that is up is renamed";
  EXPECT_EQ(from_tunnel({client, server, 17, 1001, 53}), Fate::prohibited);
  EXPECT_EQ(from_tunnel({client6, server6, 17, 1002, 53}), Fate::prohibited);
  EXPECT_EQ(from_tunnel({client, ip("10.50.0.1"), 6, 1003, 22}), Fate::prohibited);
  EXPECT_EQ(from_world({server, client, 17, 1004, 53}, true), Fate::nothing);
  apply({rule(Action::route)});
  EXPECT_EQ(from_tunnel({client, server, 17, 1005, 53}), Fate::to_world);
}

// out0 as a client device: known by its index when it is renamed, by its name when it is made anew.
TEST_F(FirewallInKernel, AClientDeviceStaysOneByNameOrIndex) {
  const Flow flow{server, ip("203.0.113.5"), 17, 1001, 53};
  spec_.client_devices = {"out0"};
  spec_.client_indexes = {::if_nametoindex("out0")};
  apply({rule(Action::refuse)});
  EXPECT_EQ(from_world(flow), Fate::prohibited);
  const std::uint32_t index = spec_.client_indexes.front();
  const bool can_rename = renames(index, "other");
  EXPECT_EQ(from_world(flow), Fate::prohibited);
  if (can_rename) ASSERT_TRUE(renames(index, "out0"));
  spec_.client_indexes = {4711};  // of the device that was there before
  apply({rule(Action::refuse)});
  EXPECT_EQ(from_world(flow), Fate::prohibited);
}

// Another program's socket holds a port of the relay: what is the relay's does not reach it.
TEST_F(FirewallInKernel, PortsOfTheRelayAreForItsOwnSockets) {
  {
    const UniqueFd thief = Machine::listen(Machine::listen_port, true, Family::v4, false);
    const UniqueFd thief6 = Machine::listen(Machine::listen_port, true, Family::v6, false);
    const UniqueFd legs = Machine::listen(Machine::leg_port, false, Family::v4, false);
    const UniqueFd legs6 = Machine::listen(Machine::leg_port, false, Family::v6, false);
    ASSERT_TRUE(thief && thief6 && legs && legs6);
    apply({rule(Action::relay, Protocol::tcp)});
    EXPECT_EQ(from_tunnel({client, server, 6, 1001, 80}), Fate::reset);
    EXPECT_EQ(from_tunnel({client6, server6, 6, 1002, 80}), Fate::reset);
    EXPECT_EQ(count("no_listener"), 2);
    EXPECT_EQ(from_tunnel({ip("10.50.0.2"), ip("10.50.0.1"), 6, 1003, 9702}), Fate::reset);
    EXPECT_EQ(from_tunnel({ip("fd50::2"), ip("fd50::1"), 6, 1004, 9702}), Fate::reset);
    EXPECT_EQ(count("other_socket"), 2);
    firewall_.reset();  // dead: the floor keeps the ports closed, and nothing else
    EXPECT_EQ(from_world({server, ip("192.0.2.1"), 6, 1005, 9701}, true), Fate::nothing);
    EXPECT_EQ(from_world({server6, ip("2001:db8:2::1"), 6, 1006, 9701}, true), Fate::nothing);
    EXPECT_EQ(from_world({server, ip("10.50.0.1"), 6, 1007, 9702}, true), Fate::nothing);
  }
  const UniqueFd service = Machine::listen(22, false, Family::v4);
  EXPECT_EQ(from_world({server, ip("192.0.2.1"), 6, 1008, 22}), Fate::answered);
}

// A local user has the PoP's own address, and would be taken for the PoP.
TEST_F(FirewallInKernel, OnlyTheRelayOpensLegs) {
  apply({rule(Action::route)});
  const auto connects = [&](const char* target, std::uint32_t mark, std::uint16_t port) {
    const bool v4 = ip(target).is_v4();
    const UniqueFd socket{::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark);
    while (machine_->tunnel.take()) continue;
    const SocketAddress address = to_sockaddr({ip(target), port});
    const int done = ::connect(socket.get(), address.get(), address.length);
    if (done == 0 || errno != EINPROGRESS) return false;
    while (const auto packet = machine_->tunnel.take()) {
      const auto flow = flow_of(*packet);
      if (flow && flow->target == ip(target) && flow->target_port == port) return true;
    }
    return false;
  };
  for (const char* pop : {"10.50.0.2", "fd50::2"}) {
    EXPECT_TRUE(connects(pop, Machine::own_mark, Machine::leg_port)) << pop;
    EXPECT_FALSE(connects(pop, 0, Machine::leg_port)) << pop;
    EXPECT_FALSE(connects(pop, Machine::mark, Machine::leg_port)) << pop;
    EXPECT_TRUE(connects(pop, 0, 22)) << pop;
  }
  EXPECT_GE(count("other_legs"), 4);
}

// IPV6_FREEBIND needs no right at all.
TEST_F(FirewallInKernel, NobodyHereSpeaksForAPeer) {
  apply({rule(Action::route)});
  const auto leaves = [&](const IpAddress& source, const IpAddress& target, std::uint32_t mark) {
    const bool v4 = source.is_v4();
    const UniqueFd socket{::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0)};
    const int on = 1;
    ::setsockopt(socket.get(), v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TRANSPARENT : IPV6_TRANSPARENT, &on,
                 sizeof on);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark);
    const SocketAddress from = to_sockaddr({source, 0}), to = to_sockaddr({target, 53});
    EXPECT_EQ(::bind(socket.get(), from.get(), from.length), 0);
    for (const ScratchTun* device : {&machine_->tunnel, &machine_->world}) {
      while (device->take()) continue;
    }
    static_cast<void>(::sendto(socket.get(), "x", 1, 0, to.get(), to.length));
    for (const ScratchTun* device : {&machine_->tunnel, &machine_->world}) {
      while (const auto packet = device->take()) {
        const auto flow = flow_of(*packet);
        if (flow && flow->source == source && flow->target == target) return true;
      }
    }
    return false;
  };
  for (const auto& [source, target] :
       std::vector<std::pair<IpAddress, IpAddress>>{{client, server},
                                                    {client, ip("10.50.0.2")},
                                                    {client6, server6},
                                                    {client6, ip("fd50::2")}}) {
    EXPECT_FALSE(leaves(source, target, 0)) << source.text();
    EXPECT_TRUE(leaves(source, target, Machine::own_mark)) << source.text();
  }
  EXPECT_TRUE(leaves(ip("10.50.0.1"), client, 0)) << "our own address";
  EXPECT_TRUE(leaves(ip("fd50::1"), client6, 0));
  EXPECT_EQ(count("spoofed"), 4);
}

// A reset of a leg that somebody else's rule, or the kernel, sends is not the opening of one.
TEST_F(FirewallInKernel, ResetsOfLegsLeave) {
  apply({rule(Action::route)});
  const auto ack_of = [&](const Flow& flow) {
    return machine_->fate(machine_->tunnel, tcp_packet(flow, {.flags = 0x10}));
  };
  EXPECT_EQ(ack_of({ip("10.50.0.2"), ip("10.50.0.1"), 6, 9702, 2001}), Fate::reset);
  EXPECT_EQ(ack_of({ip("fd50::2"), ip("fd50::1"), 6, 9702, 2002}), Fate::reset);
  EXPECT_EQ(ack_of({ip("10.50.0.2"), ip("10.50.0.1"), 6, 2003, 9702}), Fate::reset);
}

TEST_F(FirewallInKernel, APeerTracksNoMoreFlowsThanItsShare) {
  spec_.flows_per_peer = 5;
  apply({rule(Action::route)});
  int passed = 0;
  // From many addresses of one allowed IP: its share is one.
  for (std::uint16_t i = 0; i < 20; ++i) {
    const IpAddress source = IpAddress::v4({10, 1, static_cast<std::uint8_t>(i), 1});
    const auto port = static_cast<std::uint16_t>(1000 + i);
    const Fate fate = machine_->fate(machine_->tunnel, Flow{source, server, 17, port, 53}, i >= 5);
    passed += fate == Fate::to_world ? 1 : 0;
  }
  EXPECT_EQ(passed, 5);
  EXPECT_EQ(count("flow_share"), 15);
  EXPECT_EQ(from_tunnel({ip("10.2.0.1"), server, 17, 1, 53}), Fate::to_world) << "another peer";
  passed = 0;
  for (std::uint16_t i = 0; i < 20; ++i) {
    const Flow flow{client6, server6, 17, static_cast<std::uint16_t>(1000 + i), 53};
    passed += machine_->fate(machine_->tunnel, flow, i >= 5) == Fate::to_world ? 1 : 0;
  }
  EXPECT_EQ(passed, 5);
  // A flow that has its place keeps it.
  EXPECT_EQ(from_tunnel({ip("10.1.0.1"), server, 17, 1000, 53}), Fate::to_world);
}

TEST_F(FirewallInKernel, SynsToTheRelayAreOfTheShareToo) {
  const UniqueFd listener = Machine::listen(Machine::listen_port, true, Family::v4);
  spec_.flows_per_peer = 5;
  apply({rule(Action::relay, Protocol::tcp)});
  int answered = 0;
  for (std::uint16_t i = 0; i < 12; ++i) {
    const Flow flow{client, server, 6, static_cast<std::uint16_t>(2000 + i), 80};
    answered += machine_->fate(machine_->tunnel, flow, i >= 5) == Fate::answered ? 1 : 0;
  }
  EXPECT_EQ(answered, 5);
}

}  // namespace
}  // namespace tw::node::testing
