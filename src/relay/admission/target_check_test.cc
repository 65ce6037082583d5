#include "relay/admission/target_check.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace tw::relay {
namespace {

using Kind = KernelRoute::Kind;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }

// A machine with the addresses and routes that a test gives it; the rest is remote, by device 2.
class FakeKernel final : public RouteLookup {
 public:
  std::map<IpAddress, KernelRoute> routes;
  bool broken = false;

  Result<KernelRoute> ask(const IpAddress& target) noexcept override {
    if (broken) return make_error(Error::Kind::unavailable, "no kernel");
    const auto route = routes.find(target);
    return route == routes.end() ? KernelRoute{Kind::remote, 2} : route->second;
  }
};

class TargetCheck : public testing::Test {
 protected:
  static constexpr int tun = 7;
  TargetRules rules{.local_targets = {},
                    .pops = {ip("10.77.0.2")},
                    .tun_index = tun,
                    .listen_port = 9701,
                    .leg_port = 9702};
  FakeKernel kernel;

  TargetVerdict check(const char* target) { return check_target(at(target), rules, kernel); }
};

TEST_F(TargetCheck, OtherMachinesAreFit) {
  EXPECT_EQ(check("192.0.2.1:80"), TargetVerdict::fit);
  EXPECT_EQ(check("[2001:db8::1]:443"), TargetVerdict::fit);
  EXPECT_EQ(check("192.0.2.1:9702"), TargetVerdict::fit);  // not by way of the TUN
}

TEST_F(TargetCheck, SpecialAddressesAreRefusedWithoutAskingTheKernel) {
  kernel.broken = true;
  for (const char* target : {"127.0.0.1:22", "0.0.0.0:22", "169.254.169.254:80", "224.0.0.1:80",
                             "255.255.255.255:80", "[::1]:22", "[::]:22", "[ff02::1]:22"}) {
    EXPECT_EQ(check(target), TargetVerdict::special) << target;
  }
}

TEST_F(TargetCheck, WhatIsLocalNowIsRefused) {
  kernel.routes[ip("203.0.113.5")] = {Kind::local, 1};
  kernel.routes[ip("2001:db8::5")] = {Kind::local, 1};
  EXPECT_EQ(check("203.0.113.5:22"), TargetVerdict::special);
  EXPECT_EQ(check("[2001:db8::5]:22"), TargetVerdict::special);
  kernel.routes.clear();
  EXPECT_EQ(check("203.0.113.5:22"), TargetVerdict::fit);
}

TEST_F(TargetCheck, WhatIsLocalInsideAnIpv6AddressIsRefused) {
  kernel.routes[ip("203.0.113.5")] = {Kind::local, 1};
  for (const char* target :
       {"[64:ff9b::203.0.113.5]:22", "[::203.0.113.5]:22", "[2002:cb00:7105::1]:22",
        "[64:ff9b::127.0.0.1]:22", "[2002:7f00:1::]:22", "[::127.0.0.1]:22",
        "[::ffff:0:127.0.0.1]:22", "[64:ff9b:1::127.0.0.1]:22", "[64:ff9b:1:7f00:0:100::]:22",
        "[64:ff9b:1:cb:0:7105::]:22", "[64:ff9b:1:7:cb:71:500::]:22", "[2001::7f00:1:0:0:1:2]:22",
        "[2001:0:808:808::80ff:fffe]:22", "[2001:db8::5efe:203.0.113.5]:22",
        "[2001:db8::200:5efe:169.254.169.254]:22", "[64:ff9b:1::224.0.0.1]:22"}) {
    EXPECT_EQ(check(target), TargetVerdict::special) << target;
  }
  EXPECT_EQ(check("[64:ff9b::203.0.113.6]:22"), TargetVerdict::fit);
}

TEST_F(TargetCheck, NamedLocalTargetsAreFitButNeverOurListeners) {
  kernel.routes[ip("203.0.113.5")] = {Kind::local, 1};
  rules.local_targets = {*Prefix::parse("203.0.113.5/32")};
  EXPECT_EQ(check("203.0.113.5:53"), TargetVerdict::fit);
  EXPECT_EQ(check("203.0.113.5:9701"), TargetVerdict::special);
  EXPECT_EQ(check("203.0.113.5:9702"), TargetVerdict::special);
}

TEST_F(TargetCheck, NoWayIntoAnotherPopsLegPort) {
  EXPECT_EQ(check("10.77.0.2:9702"), TargetVerdict::special);
  EXPECT_EQ(check("10.77.0.2:22"), TargetVerdict::special);
  // Another address that leads into the tunnel: the port alone is refused.
  kernel.routes[ip("10.77.9.9")] = {Kind::remote, tun};
  EXPECT_EQ(check("10.77.9.9:9702"), TargetVerdict::special);
  EXPECT_EQ(check("10.77.9.9:80"), TargetVerdict::fit);
  rules.local_targets = {*Prefix::parse("0.0.0.0/0")};
  EXPECT_EQ(check("10.77.9.9:9702"), TargetVerdict::special);
}

TEST_F(TargetCheck, NorUnderAnotherFormOfItsAddress) {
  EXPECT_EQ(check("[64:ff9b::10.77.0.2]:22"), TargetVerdict::special);
  EXPECT_EQ(check("[64:ff9b:1::10.77.0.2]:22"), TargetVerdict::special);
}

TEST_F(TargetCheck, FailsClosed) {
  kernel.routes[ip("192.0.2.1")] = {Kind::unreachable, 0};
  EXPECT_EQ(check("192.0.2.1:80"), TargetVerdict::unreachable);
  kernel.broken = true;
  EXPECT_EQ(check("192.0.2.2:80"), TargetVerdict::unreachable);
}

TEST(KernelRoutes, TheKernelKnowsItsOwnAddresses) {
  const auto kernel = KernelRoutes::open();
  ASSERT_TRUE(kernel) << kernel.error().text();
  for (const char* address : {"127.0.0.1", "127.9.9.9"}) {
    const auto route = (*kernel)->ask(ip(address));
    ASSERT_TRUE(route) << route.error().text();
    EXPECT_EQ(route->kind, Kind::local) << address;
  }
  // 240/4 is reserved: whatever routes this machine has, no address of it is there.
  const auto remote = (*kernel)->ask(ip("240.0.0.1"));
  ASSERT_TRUE(remote) << remote.error().text();
  EXPECT_NE(remote->kind, Kind::local);
}

}  // namespace
}  // namespace tw::relay
