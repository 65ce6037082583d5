#include "relay/admission/principal.h"

#include <gtest/gtest.h>

namespace tw::relay {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Prefix net(std::string_view text) { return Prefix::parse(text).value(); }

TEST(Principal, OfIpv6IsTheSixtyFour) {
  EXPECT_EQ(Principal{ip("2001:db8::1")}, Principal{ip("2001:db8::ffff:2")});
  EXPECT_NE(Principal{ip("2001:db8::1")}, Principal{ip("2001:db8:0:1::1")});
  EXPECT_NE(Principal{ip("192.0.2.1")}, Principal{ip("192.0.2.2")});
}

TEST(Principal, OfWhatStandsForAnIpv4AddressIsThat) {
  const Principal host{ip("192.0.2.1")};
  EXPECT_EQ(Principal{ip("::ffff:192.0.2.1")}, host);
  EXPECT_EQ(Principal{ip("64:ff9b::192.0.2.1")}, host);
  EXPECT_NE(Principal{ip("64:ff9b::192.0.2.2")}, host) << "all of IPv4 is in one /64";
  // The 65,536 networks of /64 that one 6to4 host has.
  EXPECT_EQ(Principal{ip("2002:c000:201:1::1")}, host);
  EXPECT_EQ(Principal{ip("2002:c000:201:ffff::1")}, host);
}

TEST(Principals, APeerIsOneWhateverAddressesItHas) {
  const Principals principals{
      {{.id = 7, .allowed_ips = {net("10.9.1.0/24"), net("fd09::/48"), net("203.0.113.9/32")}},
       {.id = 8, .allowed_ips = {net("10.9.1.2/32"), net("fd09:0:0:5::/64")}},
       {.id = 9, .allowed_ips = {net("0.0.0.0/0"), net("::/0"), net("8000::/1")}}}};
  for (const char* address :
       {"10.9.1.1", "10.9.1.3", "fd09::1", "fd09:0:0:6::1", "203.0.113.9", "::ffff:10.9.1.1"}) {
    EXPECT_EQ(principals.of(ip(address)), Principal::of_peer(7)) << address;
  }
  for (const char* address : {"10.9.1.2", "fd09:0:0:5::77"}) {
    EXPECT_EQ(principals.of(ip(address)), Principal::of_peer(8)) << address;
  }
  EXPECT_EQ(principals.of(ip("198.51.100.1")), Principal{ip("198.51.100.1")}) << "a default route";
  EXPECT_EQ(principals.of(ip("fe00::1")), Principal{ip("fe00::2")});
}

}  // namespace
}  // namespace tw::relay
