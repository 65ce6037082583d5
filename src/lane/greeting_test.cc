// A peer that had a session before a restart is asked for a new one where it was.
#include <gtest/gtest.h>

#include <vector>

#include "lane/test_machines.h"

namespace tw::lane {
namespace {

using test::ip_packet;
using test::only_peer;

class GreetingTest : public test::TwoMachinesTest {
 protected:
  /// The right one, which has no endpoint for the left, remembers one.
  bool greet() {
    return right_.lane().greet(only_peer, *Endpoint::parse("192.0.2.9:51820"), own_, clock_.now());
  }
  const LocalAddress own_{IpAddress::v4({198, 51, 100, 7}), 3};
};

TEST_F(GreetingTest, TheNodeAsksFirst) {
  EXPECT_TRUE(greet());
  right_.context().run_until_idle();
  std::vector<LocalAddress> from;
  left_.udp().mark_waiting([&](Train& train) { from.push_back(train.local); });
  EXPECT_EQ(from, std::vector{own_});
  settle();
  // The session stands before anybody has anything to send.
  EXPECT_EQ(right_.counters().to_wire.generated.value(),
            2U);  // the initiation, and its confirmation
  right_.from_host(ip_packet(2, 1, 10, 0));
  settle();
  EXPECT_EQ(left_.to_host().size(), 1U);
  expect_conserved();
}

TEST_F(GreetingTest, NotWhoHasASession) {
  left_.from_host(ip_packet(1, 2, 10, 0));
  settle();
  EXPECT_FALSE(greet());
}

TEST_F(GreetingTest, AKnownEndpointStays) {
  right_.lane().set_endpoint(only_peer, *Endpoint::parse("203.0.113.1:7"));
  EXPECT_TRUE(greet());
  right_.context().run_until_idle();
  std::vector<Endpoint> asked;
  left_.udp().mark_waiting([&](Train& train) { asked.push_back(train.destination); });
  EXPECT_EQ(asked, std::vector{*Endpoint::parse("203.0.113.1:7")});
}

}  // namespace
}  // namespace tw::lane
