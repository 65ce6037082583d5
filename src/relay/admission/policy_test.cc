#include "relay/admission/policy.h"

#include <gtest/gtest.h>

namespace tw::relay {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Prefix net(std::string_view text) { return Prefix::parse(text).value(); }
Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }

TEST(Policy, RefusesWhatNoRuleAllows) {
  EXPECT_EQ(Policy{}.decide(ip("10.0.0.1"), at("192.0.2.1:80"), Protocol::tcp), Action::refuse);
  const Policy policy{{{.from = {net("10.0.0.0/24")}, .action = Action::relay}}};
  EXPECT_EQ(policy.decide(ip("10.0.1.1"), at("192.0.2.1:80"), Protocol::tcp), Action::refuse);
}

TEST(Policy, FirstMatchDecides) {
  const Policy policy{{
      {.to = {net("192.0.2.7")}, .action = Action::refuse},
      {.to = {net("192.0.2.0/24")}, .action = Action::relay},
      {.action = Action::route},
  }};
  EXPECT_EQ(policy.decide(ip("10.0.0.1"), at("192.0.2.7:80"), Protocol::tcp), Action::refuse);
  EXPECT_EQ(policy.decide(ip("10.0.0.1"), at("192.0.2.8:80"), Protocol::tcp), Action::relay);
  EXPECT_EQ(policy.decide(ip("10.0.0.1"), at("192.0.3.8:80"), Protocol::tcp), Action::route);
}

// Under no form of its address is reached what may not be reached.
TEST(Policy, AnIpv4AddressInsideAnIpv6OneMustBeAllowedToo) {
  const Policy policy{{{.to = {net("10.0.0.0/8")}, .action = Action::refuse},
                       {.to = {net("::/0")}, .action = Action::relay},
                       {.to = {net("0.0.0.0/0")}, .ports = {{443, 443}}, .action = Action::route}}};
  const auto decide = [&](const char* target) {
    return policy.decide(ip("fd00::1"), at(target), Protocol::tcp);
  };
  for (const char* const target :
       {"[64:ff9b::10.1.2.3]:443", "[64:ff9b:1::10.1.2.3]:443", "[::10.1.2.3]:443",
        "[::ffff:0:10.1.2.3]:443", "[2002:a01:203::1]:443", "[2001:0:a01:203::1]:443",
        "[2001:0:c000:201::f5fe:fdfc]:443", "[2001:db8::5efe:10.1.2.3]:443"}) {
    EXPECT_EQ(decide(target), Action::refuse) << target;
  }
  EXPECT_EQ(decide("[64:ff9b::192.0.2.1]:443"), Action::relay);
  EXPECT_EQ(decide("[64:ff9b::192.0.2.1]:80"), Action::refuse);  // no rule allows it
  EXPECT_EQ(decide("[2001:db8::1]:80"), Action::relay);
}

TEST(Policy, EveryPartOfARuleMustMatch) {
  const Policy policy{{{.from = {net("10.0.0.0/24"), net("fd00::/64")},
                        .to = {net("192.0.2.0/24"), net("2001:db8::/32")},
                        .protocol = Protocol::tcp,
                        .ports = {{80, 80}, {8000, 8100}},
                        .action = Action::relay}}};
  const auto relays = [&](const char* source, const char* target, Protocol protocol) {
    return policy.decide(ip(source), at(target), protocol) == Action::relay;
  };
  EXPECT_TRUE(relays("10.0.0.1", "192.0.2.1:80", Protocol::tcp));
  EXPECT_TRUE(relays("fd00::1", "[2001:db8::1]:8000", Protocol::tcp));
  EXPECT_TRUE(relays("fd00::1", "[2001:db8::1]:8100", Protocol::tcp));
  EXPECT_FALSE(relays("fd00::1", "[2001:db8::1]:8101", Protocol::tcp));
  EXPECT_FALSE(relays("10.0.0.1", "192.0.2.1:81", Protocol::tcp));
  EXPECT_FALSE(relays("10.0.0.1", "192.0.2.1:80", Protocol::udp));
  EXPECT_FALSE(relays("10.0.1.1", "192.0.2.1:80", Protocol::tcp));
  EXPECT_FALSE(relays("10.0.0.1", "192.0.3.1:80", Protocol::tcp));
}

TEST(Policy, PortsAreMeaninglessWithoutPorts) {
  const Policy policy{{{.ports = {{0, 65535}}, .action = Action::route}}};
  EXPECT_EQ(policy.decide(ip("10.0.0.1"), at("192.0.2.1:0"), Protocol::icmp), Action::refuse);
  EXPECT_EQ(policy.decide(ip("10.0.0.1"), at("192.0.2.1:0"), Protocol::udp), Action::route);
}

TEST(Policy, SpecialAddresses) {
  for (const char* text : {"127.0.0.1", "127.255.0.1", "0.0.0.0", "0.1.2.3", "169.254.169.254",
                           "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "ff02::1",
                           "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:169.254.1.1"}) {
    EXPECT_TRUE(is_special(ip(text))) << text;
  }
  for (const char* text :
       {"10.0.0.1", "192.0.2.1", "1.0.0.1", "2001:db8::1", "fd00::1", "::ffff:192.0.2.1"}) {
    EXPECT_FALSE(is_special(ip(text))) << text;
  }
}

}  // namespace
}  // namespace tw::relay
