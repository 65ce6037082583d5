#include "node/clients/free_addresses.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace tw::node {
namespace {

NodeConfig config_of(std::initializer_list<const char*> own,
                     std::initializer_list<const char*> allowed) {
  NodeConfig config;
  for (const char* text : own) {
    const auto prefix = Prefix::parse(text);
    const std::string_view whole{text};
    const auto address = IpAddress::parse(whole.substr(0, whole.find('/')));
    EXPECT_TRUE(prefix && address) << text;
    if (prefix && address) config.tunnel.addresses.push_back({*address, prefix->length});
  }
  for (const char* text : allowed) {
    PeerConfig& peer = config.peers.emplace_back();
    peer.name = text;
    if (const auto prefix = Prefix::parse(text)) peer.allowed_ips.push_back(*prefix);
  }
  return config;
}

std::string next(FreeAddresses& free, Family family = Family::v4) {
  const auto address = free.take(family);
  return address ? address->text() : address.error().text();
}

TEST(FreeAddresses, TheLowestComesFirstAndOnce) {
  FreeAddresses free{config_of({"10.9.0.1/24", "fd09::1/64"}, {})};
  EXPECT_EQ(next(free), "10.9.0.2");
  EXPECT_EQ(next(free), "10.9.0.3");
  EXPECT_EQ(next(free, Family::v6), "fd09::2");
  EXPECT_EQ(next(free, Family::v6), "fd09::3");
  EXPECT_TRUE(free.has(Family::v4) && free.has(Family::v6));
}

TEST(FreeAddresses, WhatSomebodyHasIsPassedOver) {
  FreeAddresses free{config_of({"10.9.0.2/24", "fd09::/64"},
                               {"10.9.0.3", "10.9.0.1", "10.9.0.8/29", "10.9.0.4/31", "10.9.0.9",
                                "10.20.0.0/16", "fd09::1", "fd09::4/126"})};
  EXPECT_EQ(next(free), "10.9.0.6");
  EXPECT_EQ(next(free), "10.9.0.7");
  EXPECT_EQ(next(free), "10.9.0.16");
  EXPECT_EQ(next(free, Family::v6), "fd09::2") << "the first of a prefix is nobody's";
  EXPECT_EQ(next(free, Family::v6), "fd09::3");
  EXPECT_EQ(next(free, Family::v6), "fd09::8");
}

// A way out, or to a whole tunnel, takes no address.
TEST(FreeAddresses, ADefaultRouteTakesNothing) {
  FreeAddresses free{config_of({"10.9.0.1/24"}, {"0.0.0.0/0", "10.0.0.0/8", "10.9.0.0/24"})};
  EXPECT_EQ(next(free), "10.9.0.2");
}

TEST(FreeAddresses, AFullPrefixIsSaid) {
  FreeAddresses free{config_of({"10.9.0.1/30", "fd09::1/128"}, {})};
  EXPECT_EQ(next(free), "10.9.0.2");
  EXPECT_TRUE(next(free).starts_with("10.9.0.0/30 has no free address left")) << next(free);
  EXPECT_TRUE(next(free).starts_with("10.9.0.0/30 has no free address left"));
  EXPECT_TRUE(next(free, Family::v6).starts_with("fd09::1/128 has no free")) << "itself alone";
  FreeAddresses other{config_of({"10.9.0.1/24"}, {"10.9.0.0/25", "10.9.0.128/25"})};
  EXPECT_TRUE(next(other).starts_with("10.9.0.0/24 has no free"));
  FreeAddresses none{config_of({"10.9.0.1/24"}, {})};
  EXPECT_FALSE(none.has(Family::v6));
  EXPECT_FALSE(none.take(Family::v6));
}

TEST(FreeAddresses, ASecondPrefixIsTakenWhenTheFirstIsFull) {
  FreeAddresses free{config_of({"10.9.0.1/30", "10.9.1.1/24"}, {})};
  EXPECT_EQ(next(free), "10.9.0.2");
  EXPECT_EQ(next(free), "10.9.1.2");
}

TEST(FreeAddresses, OverlappingPrefixesHandOutNothingTwice) {
  FreeAddresses free{config_of({"10.9.0.1/30", "10.9.0.5/24", "10.9.0.9/24"}, {})};
  EXPECT_EQ(next(free), "10.9.0.2");
  EXPECT_EQ(next(free), "10.9.0.3") << "in the larger one it is a host's";
  EXPECT_EQ(next(free), "10.9.0.4");
  EXPECT_EQ(next(free), "10.9.0.6");
}

TEST(FreeAddresses, TheEndsOfTheAddressSpaceAreNoSpecialCase) {
  FreeAddresses free{
      config_of({"255.255.255.254/31", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"}, {})};
  EXPECT_EQ(next(free), "255.255.255.255");
  EXPECT_FALSE(free.take(Family::v4));
  EXPECT_EQ(next(free, Family::v6), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_FALSE(free.take(Family::v6));
  FreeAddresses all{config_of({"0.0.0.1/0", "::1/0"}, {"128.0.0.0/1", "8000::/1"})};
  EXPECT_EQ(next(all), "0.0.0.2");
  EXPECT_EQ(next(all, Family::v6), "::2");
}

TEST(FreeAddresses, ThousandsAreEachTheirOwn) {
  FreeAddresses free{config_of({"10.0.0.1/16"}, {"10.0.7.0/24"})};
  IpAddress last;
  for (int i = 0; i < 10'000; ++i) {
    const auto address = free.take(Family::v4);
    ASSERT_TRUE(address);
    ASSERT_LT(last, *address);
    ASSERT_FALSE(Prefix::parse("10.0.7.0/24")->contains(*address));
    last = *address;
  }
}

TEST(CheckIsFree, AnAddressThatIsNamedHasNoOtherOwner) {
  const NodeConfig config =
      config_of({"10.9.0.1/24", "fd09::1/64"}, {"10.9.0.8/29", "10.9.0.0/24", "0.0.0.0/0"});
  const auto said = [&](const char* text) {
    const auto is_free = check_is_free(*IpAddress::parse(text), config);
    return is_free ? std::string{"free"} : is_free.error().text();
  };
  EXPECT_EQ(said("10.9.0.7"), "free");
  EXPECT_EQ(said("192.0.2.1"), "free") << "it may be outside the tunnel's prefixes";
  EXPECT_EQ(said("fd09::9"), "free");
  EXPECT_EQ(said("10.9.0.1"), "10.9.0.1 is this node's own");
  EXPECT_EQ(said("fd09::1"), "fd09::1 is this node's own");
  EXPECT_EQ(said("10.9.0.9"), "10.9.0.9 is in 10.9.0.8/29 of peer \"10.9.0.8/29\"");
  for (const char* text : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "::", "::1", "fe80::1"}) {
    EXPECT_TRUE(said(text).ends_with("cannot be the address of a client")) << text;
  }
}

}  // namespace
}  // namespace tw::node
