#include "relay/admission/pop_clients.h"

#include <gtest/gtest.h>

#include <string_view>

namespace tw::relay {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Prefix net(std::string_view text) { return Prefix::parse(text).value(); }

// PoP 0 and PoP 1 with clients of theirs, a peer that is none, and one client of PoP 1's network
// who is a peer by himself.
const PopClients clients{{{net("10.9.0.1"), 0},
                          {net("10.1.0.0/16"), 0},
                          {net("fd01::/16"), 0},
                          {net("10.9.0.2"), 1},
                          {net("10.2.0.0/16"), 1},
                          {net("fd02::/16"), 1},
                          {net("10.2.7.7"), 9},
                          {net("10.3.0.0/24"), 9},
                          {net("fd03::/64"), 9}},
                         {ip("10.9.0.3"), ip("fd00::3")},
                         {{0, {net("10.3.0.8/29"), net("fd03::8")}}, {1, {}}}};

TEST(PopClients, ItsOwnAndNobodys) {
  for (const char* own : {"10.9.0.1", "10.1.200.3", "fd01::5"}) {
    EXPECT_TRUE(clients.may_name(0, ip(own))) << own;
    EXPECT_FALSE(clients.may_name(1, ip(own))) << own;
  }
  for (const char* nobodys : {"10.4.0.1", "192.0.2.1", "2001:db8::1"}) {
    EXPECT_TRUE(clients.may_name(0, ip(nobodys))) << nobodys;
    EXPECT_TRUE(clients.may_name(1, ip(nobodys))) << nobodys;
  }
}

TEST(PopClients, NeitherTheOtherPopsNorOurs) {
  for (const char* others : {"10.2.0.1", "10.9.0.2", "fd02::1", "10.3.0.1", "fd03::1"}) {
    EXPECT_FALSE(clients.may_name(0, ip(others))) << others;
  }
  EXPECT_FALSE(clients.may_name(1, ip("10.2.7.7"))) << "the longest match is another's";
  EXPECT_TRUE(clients.may_name(1, ip("10.2.7.8")));
}

TEST(PopClients, WhatIsWrittenBesides) {
  EXPECT_TRUE(clients.may_name(0, ip("10.3.0.9")));
  EXPECT_TRUE(clients.may_name(0, ip("fd03::8")));
  EXPECT_FALSE(clients.may_name(0, ip("10.3.0.16")));
  EXPECT_FALSE(clients.may_name(1, ip("10.3.0.9")));
}

TEST(PopClients, MappedAddressesAreWhatTheyMap) {
  EXPECT_FALSE(clients.may_name(0, ip("::ffff:10.2.0.1")));
  EXPECT_TRUE(clients.may_name(0, ip("::ffff:10.1.0.1")));
  EXPECT_FALSE(clients.may_name(0, ip("::ffff:127.0.0.1")));
}

TEST(PopClients, NobodyIsThisMachineOrNobody) {
  for (const char* nobody :
       {"10.9.0.3", "fd00::3", "127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1"}) {
    EXPECT_FALSE(clients.may_name(0, ip(nobody))) << nobody;
  }
}

TEST(PopClients, TwoPopsOfOnePeerShareItsClients) {
  const PopClients two{{{net("10.1.0.0/16"), 4}}, {}, {{4, {}}, {4, {}}, {5, {}}}};
  EXPECT_TRUE(two.may_name(0, ip("10.1.0.1")));
  EXPECT_TRUE(two.may_name(1, ip("10.1.0.1")));
  EXPECT_FALSE(two.may_name(2, ip("10.1.0.1")));
}

TEST(PopClients, ADefaultRouteIsItsPeers) {
  const PopClients all{{{net("0.0.0.0/0"), 1}, {net("10.9.0.1"), 0}}, {}, {{0, {}}, {1, {}}}};
  EXPECT_TRUE(all.may_name(1, ip("192.0.2.1")));
  EXPECT_FALSE(all.may_name(0, ip("192.0.2.1")));
  EXPECT_TRUE(all.may_name(0, ip("2001:db8::1")));
}

}  // namespace
}  // namespace tw::relay
