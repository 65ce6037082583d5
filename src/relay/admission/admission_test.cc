#include "relay/admission/admission.h"

#include <gtest/gtest.h>

namespace tw::relay {
namespace {

Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }
Prefix net(std::string_view text) { return Prefix::parse(text).value(); }

// 203.0.113.5 is this machine's; 198.51.100.0/24 has no route; the rest is remote.
class FakeKernel final : public RouteLookup {
 public:
  Result<KernelRoute> ask(const IpAddress& target) noexcept override {
    if (target == IpAddress::v4({203, 0, 113, 5})) return KernelRoute{KernelRoute::Kind::local, 1};
    if (net("198.51.100.0/24").contains(target)) return KernelRoute{};
    return KernelRoute{KernelRoute::Kind::remote, 2};
  }
};

RelaySettings settings() {
  RelaySettings settings;
  settings.tun_device = "tw0";
  settings.listen_port = 9701;
  settings.leg_port = 9702;
  settings.pops = {{.name = "s",
                    .overlay_address = IpAddress::v4({10, 77, 0, 2}),
                    .routes = {net("192.0.2.0/24"), net("198.51.100.0/24")}}};
  settings.policy = Policy{
      {{.from = {net("10.77.0.0/16")}, .to = {net("192.0.2.66")}, .action = Action::refuse},
       {.from = {net("10.77.0.0/16")}, .to = {net("192.168.0.0/16")}, .action = Action::route},
       {.from = {net("10.77.0.0/16")}, .action = Action::relay}}};
  return settings;
}

class AdmissionTest : public testing::Test {
 protected:
  FakeKernel kernel;
  Admission admission{settings(), 7, kernel};
  PopFilter usable = [](std::size_t) { return true; };
  Admission::Arrival arrival{.from = 0, .hops = 2};

  Verdict client(const char* target, const char* source = "10.77.0.100:4000") {
    return admission.admit_client(at(source), at(target), usable);
  }
  Verdict leg(const char* target, const char* source = "10.77.0.100:4000") {
    return admission.admit_leg(at(source), at(target), arrival, usable);
  }
};

TEST_F(AdmissionTest, TheRouteDecidesTheWay) {
  EXPECT_EQ(client("192.0.2.80:443")->pop, 0U);
  EXPECT_EQ(client("8.8.8.8:53")->pop, std::nullopt);
  // Unreachable from here, and not from the PoP that carries it.
  EXPECT_EQ(client("198.51.100.1:80")->pop, 0U);
}

TEST_F(AdmissionTest, FirstPopRelaysOnlyWhatThePolicySaysToRelay) {
  EXPECT_EQ(client("192.0.2.66:443").error(), Outcome::refused_policy);
  EXPECT_EQ(client("192.168.1.1:443").error(), Outcome::refused_policy);
  EXPECT_EQ(client("192.0.2.80:443", "10.78.0.1:4000").error(), Outcome::refused_policy);
}

TEST_F(AdmissionTest, FirstPopRefusesWhatIsLocalOrSpecial) {
  for (const char* target :
       {"203.0.113.5:22", "203.0.113.5:9701", "127.0.0.1:22", "169.254.169.254:80",
        "[::ffff:127.0.0.1]:22", "10.77.0.2:9702", "8.8.8.8:0", "192.0.2.80:0"}) {
    EXPECT_EQ(client(target).error(), Outcome::refused_special) << target;
  }
}

TEST_F(AdmissionTest, APopIsNobodysClient) {
  EXPECT_EQ(client("192.0.2.80:443", "10.77.0.2:4000").error(), Outcome::refused_source);
}

TEST_F(AdmissionTest, LegsComeFromPopsOnly) {
  EXPECT_EQ(admission.pop_at(at("10.77.0.2:1").address), 0U);
  EXPECT_EQ(admission.pop_at(at("[::ffff:10.77.0.2]:1").address), 0U);
  EXPECT_EQ(admission.pop_at(at("10.77.0.100:1").address), std::nullopt);
}

TEST_F(AdmissionTest, LastPopGoesStraightToTheTarget) {
  // Even where its own routes name the PoP that it came from.
  EXPECT_EQ(leg("192.0.2.80:443")->pop, std::nullopt);
  EXPECT_EQ(leg("192.168.1.1:443")->pop, std::nullopt);  // `route` is not `refuse`
}

RelaySettings with_a_second_pop() {
  RelaySettings more = settings();
  more.pops.push_back({.name = "t",
                       .overlay_address = IpAddress::v4({10, 77, 0, 3}),
                       .routes = {net("192.0.2.0/24"), net("203.0.113.0/24")}});
  return more;
}

TEST_F(AdmissionTest, ALegGoesOnByAPopThatHasTheRoute) {
  admission = Admission{with_a_second_pop(), 7, kernel};
  EXPECT_EQ(leg("192.0.2.80:443")->pop, 1U);
  arrival.from = 1;
  EXPECT_EQ(leg("192.0.2.80:443")->pop, 0U);
  EXPECT_EQ(leg("8.8.8.8:53")->pop, std::nullopt);
  EXPECT_EQ(leg("192.0.2.66:443").error(), Outcome::refused_policy);
  arrival.from = 0;
  EXPECT_EQ(leg("203.0.113.5:22").error(), Outcome::refused_special);  // local here
}

TEST_F(AdmissionTest, AChainHasAnEnd) {
  admission = Admission{with_a_second_pop(), 7, kernel};
  arrival.hops = most_hops - 1;
  EXPECT_TRUE(leg("192.0.2.80:443"));
  arrival.hops = most_hops;
  EXPECT_EQ(leg("192.0.2.80:443").error(), Outcome::refused_hops);
  EXPECT_TRUE(leg("8.8.8.8:53"));  // no further PoP: its end is here
}

TEST_F(AdmissionTest, AnotherPopStandsInForOneThatCannotBeUsed) {
  admission = Admission{with_a_second_pop(), 7, kernel};
  EXPECT_EQ(client("192.0.2.80:443")->pop, 0U);
  usable = [](std::size_t pop) { return pop == 1; };
  EXPECT_EQ(client("192.0.2.80:443")->pop, 1U);
  EXPECT_EQ(client("198.51.100.1:80")->pop, 0U);  // nobody else has it: the dead one may revive
}

TEST_F(AdmissionTest, DirectlyOnlyWhereThatIsAllowed) {
  usable = [](std::size_t) { return false; };
  EXPECT_EQ(client("192.0.2.80:443")->pop, 0U);
  RelaySettings more = settings();
  more.direct = DirectWay::fallback;
  admission = Admission{more, 7, kernel};
  EXPECT_EQ(client("192.0.2.80:443")->pop, std::nullopt);
  EXPECT_EQ(client("198.51.100.1:80")->pop, 0U);  // there is no way from here
  more.pops[0].routes.push_back(net("203.0.113.0/24"));
  admission = Admission{more, 7, kernel};
  EXPECT_EQ(client("203.0.113.5:22").error(), Outcome::refused_special);
}

TEST_F(AdmissionTest, LastPopAppliesThePolicyAgain) {
  EXPECT_EQ(leg("192.0.2.66:443").error(), Outcome::refused_policy);
  EXPECT_EQ(leg("192.0.2.80:443", "10.78.0.1:4000").error(), Outcome::refused_policy);
  EXPECT_EQ(leg("203.0.113.5:22").error(), Outcome::refused_special);
  EXPECT_EQ(leg("[::ffff:203.0.113.5]:22").error(), Outcome::refused_special);
  EXPECT_EQ(leg("127.0.0.1:22").error(), Outcome::refused_special);
  EXPECT_EQ(leg("8.8.8.8:0").error(), Outcome::refused_special);
  EXPECT_EQ(leg("198.51.100.1:80").error(), Outcome::connect_failed);
}

}  // namespace
}  // namespace tw::relay
