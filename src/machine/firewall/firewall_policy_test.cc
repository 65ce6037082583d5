// The firewall and relay::Policy::decide are made from one list of rules: random policies and
// random packets, as the kernel judges them and as decide() does.
#include <gtest/gtest.h>

#include "base/random.h"
#include "machine/firewall/test_firewall_machine.h"

namespace tw::node::testing {
namespace {

using relay::Action;
using relay::Policy;
using relay::PolicyRule;
using relay::Protocol;

constexpr int policies = 50, packets_per_policy = 40;
constexpr std::uint16_t quic = 443;

/// Small ones meet often; beyond them is HTTP/3's.
std::uint16_t port_of(int drawn) { return drawn < 6 ? static_cast<std::uint16_t>(drawn) : quic; }

// Few enough that rules and packets meet often.
const std::array inside{ip("10.1.0.1"), ip("10.1.2.1"),  ip("10.2.0.1"),
                        ip("fd01::1"),  ip("fd01:2::1"), ip("fd02::1")};
const std::array outside{ip("198.51.100.7"), ip("198.51.100.200"), ip("203.0.113.5"),
                         ip("2001:db8:9::7"), ip("2001:db8:a::7")};
const std::array prefixes{
    net("0.0.0.0/0"),      net("::/0"),           net("10.0.0.0/8"),      net("10.1.0.0/16"),
    net("10.1.2.0/24"),    net("10.2.0.1/32"),    net("198.51.100.0/24"), net("198.51.100.128/25"),
    net("203.0.113.0/24"), net("fd00::/8"),       net("fd01::/32"),       net("fd02::1/128"),
    net("2001:db8::/32"),  net("2001:db8:9::/48")};

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}
  std::uint16_t below(std::uint64_t limit) {
    return static_cast<std::uint16_t>(random_.next() % limit);
  }
  template <typename List>
  auto one_of(const List& list) {
    return list[below(list.size())];
  }
  std::vector<Prefix> some_prefixes() {
    std::vector<Prefix> chosen;
    for (int left = below(4); left > 0; --left) chosen.push_back(one_of(prefixes));
    return chosen;
  }
  PolicyRule rule() {
    PolicyRule rule;
    rule.from = some_prefixes();
    rule.to = some_prefixes();
    rule.protocol = static_cast<Protocol>(below(4));
    rule.action = static_cast<Action>(below(3));
    for (int left = rule.protocol == Protocol::icmp ? 0 : below(4); left > 0; --left) {
      const std::uint16_t first = below(6);
      rule.ports.push_back({first, port_of(first + below(3))});
    }
    return rule;
  }
  std::vector<PolicyRule> policy() {
    std::vector<PolicyRule> rules;
    for (int left = 1 + below(8); left > 0; --left) rules.push_back(rule());
    return rules;
  }
  /// From the tunnel or, one time in three, from the world to it.
  Flow flow(std::uint16_t number, bool& from_world) {
    from_world = below(3) == 0;
    while (true) {
      Flow flow;
      flow.source = from_world ? one_of(outside) : one_of(inside);
      flow.target = from_world || below(3) == 0 ? one_of(inside) : one_of(outside);
      if (flow.source.family() != flow.target.family() || flow.source == flow.target) continue;
      const std::uint8_t echo = flow.source.is_v4() ? 1 : 58;
      flow.protocol = one_of(std::array<std::uint8_t, 6>{6, 6, 17, 17, echo, 132});
      flow.source_port = number;
      flow.target_port = port_of(below(9));
      if (flow.protocol == 132) flow.source_port = flow.target_port = 0;
      if (flow.protocol == echo) flow.target_port = 0;
      return flow;
    }
  }

 private:
  SeededRandom random_;
};

Protocol protocol_of(std::uint8_t number) {
  if (number == 6) return Protocol::tcp;
  if (number == 17) return Protocol::udp;
  return number == 132 ? Protocol::any : Protocol::icmp;
}

Fate expected(const Policy& policy, const Flow& flow, bool from_world, bool reject_quic) {
  if (reject_quic && !from_world && flow.protocol == 17 && flow.target_port == quic &&
      policy.decide(flow.source, {flow.target, quic}, Protocol::tcp) == Action::relay) {
    return Fate::unreachable;
  }
  const Action action =
      policy.decide(flow.source, {flow.target, flow.target_port}, protocol_of(flow.protocol));
  if (action == Action::route) {
    return flow.target.bytes()[0] == 10 || flow.target.bytes()[0] == 0xfd ? Fate::to_tunnel
                                                                          : Fate::to_world;
  }
  if (from_world) return Fate::nothing;  // relaying begins at the tunnel
  return action == Action::relay && flow.protocol == 6 ? Fate::answered : Fate::prohibited;
}

TEST(FirewallPolicy, TheKernelDecidesAsPolicyDoes) {
  const ScratchNamespace scratch;
  if (!scratch.entered()) GTEST_SKIP() << "needs root, for a network namespace";
  Machine machine;
  ASSERT_EQ(machine.build(), "");
  const UniqueFd listener = Machine::listen(Machine::listen_port, true, Family::v4);
  const UniqueFd listener6 = Machine::listen(Machine::listen_port, true, Family::v6);
  ASSERT_TRUE(listener && listener6);
  auto firewall = Firewall::open("tw0");
  ASSERT_TRUE(firewall);
  FirewallSpec spec = machine.spec();

  std::array<int, 7> seen{};
  std::uint16_t number = 1000;
  for (std::uint64_t seed = 1; seed <= policies; ++seed) {
    Draw draw(seed);
    spec.policy = draw.policy();
    spec.reject_quic = seed % 2 == 0;
    const Policy policy(spec.policy);
    auto applied = firewall->apply(spec);
    ASSERT_TRUE(applied) << applied.error().text() << "\n" << render_firewall(spec);
    for (int packet = 0; packet < packets_per_policy; ++packet) {
      bool from_world = false;
      const Flow flow = draw.flow(++number, from_world);
      const Fate wanted = expected(policy, flow, from_world, spec.reject_quic);
      const Fate found =
          machine.fate(from_world ? machine.world : machine.tunnel, flow, wanted == Fate::nothing);
      ++seen[static_cast<std::size_t>(found)];
      ASSERT_EQ(found, wanted) << "seed " << seed << " packet " << packet << ": protocol "
                               << int{flow.protocol} << " from " << flow.source.text() << " to "
                               << flow.target.text() << " port " << flow.target_port << "\n"
                               << render_firewall(spec);
    }
  }
  // The test is worth something only if every fate was met often.
  for (const Fate fate :
       {Fate::nothing, Fate::to_tunnel, Fate::to_world, Fate::answered, Fate::prohibited}) {
    EXPECT_GT(seen[static_cast<std::size_t>(fate)], 20) << static_cast<int>(fate);
  }
  EXPECT_GT(seen[static_cast<std::size_t>(Fate::unreachable)], 5);
}

// Targets that stand for IPv4 ones: each form, with addresses that the policies below name, and
// some that only look like one.
const std::array standing_for_ipv4{ip("::ffff:0:10.1.2.1"),
                                   ip("64:ff9b::10.1.2.1"),
                                   ip("64:ff9b::198.51.100.200"),
                                   ip("64:ff9b::203.0.113.5"),
                                   ip("64:ff9b:1:a:b:c:a01:201"),
                                   ip("64:ff9b:1:a01:2:100::"),
                                   ip("64:ff9b:1:c633:64:c800::"),
                                   ip("64:ff9b:1:aa0a:1:201::"),
                                   ip("64:ff9b:1:aaaa:a:102:100:0"),
                                   ip("64:ff9b:1::a01:201"),
                                   ip("64:ff9b:1::"),
                                   ip("64:ff9b:1:1::"),
                                   ip("2002:a01:201::7"),
                                   ip("2002:c633:64c8::7"),
                                   ip("2001:0:a01:201::f5fe:fdfe"),
                                   ip("2001:0:c633:64c8::34cc:8e07"),
                                   ip("2001:0:cb00:7105::f5fe:fdfe"),
                                   ip("2001:db8:a::5efe:a01:201"),
                                   ip("2001:db8:a::200:5efe:c633:64c8"),
                                   ip("2001:db8:a::5eff:a01:201"),
                                   ip("64:ff9c::10.1.2.1"),
                                   ip("2001:db8:a:0:100:5efe:a01:201")};

TEST(FirewallPolicy, TheKernelJudgesIpv4InsideIpv6AsPolicyDoes) {
  const ScratchNamespace scratch;
  if (!scratch.entered()) GTEST_SKIP() << "needs root, for a network namespace";
  Machine machine;
  ASSERT_EQ(machine.build(), "");
  auto firewall = Firewall::open("tw0");
  ASSERT_TRUE(firewall);
  FirewallSpec spec = machine.spec();
  spec.relay = false;
  std::uint16_t number = 1000;
  int passed = 0, refused_for_inside = 0;
  for (std::uint64_t seed = 1; seed <= policies; ++seed) {
    Draw draw(seed);
    spec.policy = draw.policy();
    // Else most would be refused as what they are.
    spec.policy.push_back({.to = {net("::/0")}, .action = Action::route});
    spec.policy.push_back({.to = {net("198.51.100.0/24")}, .action = Action::route});
    const Policy policy(spec.policy);
    auto applied = firewall->apply(spec);
    ASSERT_TRUE(applied) << applied.error().text() << "\n" << render_firewall(spec);
    for (const IpAddress& target : standing_for_ipv4) {
      for (const std::uint8_t protocol : std::array<std::uint8_t, 2>{17, 6}) {
        const Flow flow{.source = ip("fd01::1"),
                        .target = target,
                        .protocol = protocol,
                        .source_port = ++number,
                        .target_port = port_of(draw.below(6))};
        const Action action =
            policy.decide(flow.source, {target, flow.target_port}, protocol_of(protocol));
        const Fate wanted = action == Action::route ? Fate::to_world : Fate::prohibited;
        ASSERT_EQ(machine.fate(machine.tunnel, flow, false), wanted)
            << "seed " << seed << ": protocol " << int{protocol} << " to " << target.text()
            << " port " << flow.target_port << "\n"
            << render_firewall(spec);
        passed += wanted == Fate::to_world ? 1 : 0;
        refused_for_inside += wanted == Fate::prohibited ? 1 : 0;
      }
    }
  }
  EXPECT_GT(passed, 100);
  EXPECT_GT(refused_for_inside, 100);
}

}  // namespace
}  // namespace tw::node::testing
