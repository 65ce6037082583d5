// Tests that one client's share of the relay's memory is one, by however many addresses he comes.
// Two relays in namespaces; needs root, and skips without it.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "relay/admission/principal.h"
#include "test_relays.h"

namespace tw::relay {
namespace {

constexpr std::uint64_t mb = 1U << 20U;

class ReceiveSharesTest : public TwoRelaysTest {
 protected:
  /// Both relays, where the client's machine has these addresses too.
  void start_with(const std::vector<std::string>& addresses, std::vector<PeerNetworks> peers) {
    RelaySettings first = settings_of_first();
    first.limits.buffer_bytes = 1000 * mb;
    first.limits.buffer_bytes_per_client = 20 * mb;
    first.principals = std::make_shared<Principals>(std::move(peers));
    RelaySettings last = settings_of_last();
    last.policy = Policy{{{.action = Action::relay}}};
    start(first, last);
    network->client.enter();
    for (const std::string& address : addresses) {
      ASSERT_TRUE(run("ip address add " + address + " dev eth0 nodad"));
    }
    network->first.enter();
    run("ip -6 route add fd77:0:0:5::/64 dev tun0");
    run("ip -6 route add fd77:0:0:6::/64 dev tun0");
    listener4 = listen_at("192.0.2.80:8080");
    listener6 = listen_at("[2001:db8:2::80]:8080");
  }
  /// A download whose reader has paused.
  void pause(const char* from) {
    const bool is_v4 = ip(from).is_v4();
    sockets.push_back(connect_from(network->client, Endpoint{ip(from), 0, 0},
                                   is_v4 ? "192.0.2.80:8080" : "[2001:db8:2::80]:8080"));
    sockets.push_back(accept_at(is_v4 ? listener4 : listener6));
    const std::string piece = noise(1U << 20U, 1);
    Instant quiet_from = clock.now();
    EXPECT_TRUE(until([&] {
      const auto sent = ::send(sockets.back().get(), piece.data(), piece.size(), MSG_NOSIGNAL);
      if (sent > 0) quiet_from = clock.now();
      return clock.now() - quiet_from > 200ms;
    }));
  }
  ReceiveBudgetState first_state() const { return relay_first->snapshot().buffers; }

  UniqueFd listener4, listener6;
  std::vector<UniqueFd> sockets;
};

TEST_F(ReceiveSharesTest, NineAddressesOfASixtyFourHaveOne) {
  std::vector<std::string> addresses;
  for (int i = 1; i <= 9; ++i) addresses.push_back("fd77::10" + std::to_string(i) + "/64");
  start_with(addresses, {});
  for (int i = 1; i <= 9; ++i) pause(("fd77::10" + std::to_string(i)).c_str());
  EXPECT_EQ(first_state().clients, 1U);
  EXPECT_GT(first_state().promised_bytes, 15 * mb);
  EXPECT_LE(first_state().promised_bytes, 20 * mb);
}

TEST_F(ReceiveSharesTest, APeerHasOneForAllItsAllowedIps) {
  start_with({"10.77.0.101/24", "fd77:0:0:5::1/64", "fd77:0:0:6::1/64"},
             {{.id = 1,
               .allowed_ips = {net("10.77.0.101"), net("fd77:0:0:5::/64"), net("fd77:0:0:6::1")}}});
  for (const char* from : {"10.77.0.101", "fd77:0:0:5::1", "fd77:0:0:6::1"}) pause(from);
  EXPECT_EQ(first_state().clients, 1U);
  EXPECT_GT(first_state().promised_bytes, 15 * mb);
  EXPECT_LE(first_state().promised_bytes, 20 * mb);
  pause("10.77.0.100");
  EXPECT_EQ(first_state().clients, 2U) << "somebody else has his own";
  EXPECT_GT(first_state().promised_bytes, 25 * mb);
}

// A promise is given back by the client that took it, when its address has become another's.
TEST_F(ReceiveSharesTest, AReloadMovesNoPromise) {
  start_with({"10.77.0.101/24"}, {{.id = 1, .allowed_ips = {net("10.77.0.101")}}});
  pause("10.77.0.101");
  RelaySettings next = settings_of_first();
  next.limits.buffer_bytes = 1000 * mb;
  next.principals = std::make_shared<Principals>(
      std::vector<PeerNetworks>{{.id = 2, .allowed_ips = {net("10.77.0.101")}}});
  relay_first->apply(next);
  pause("10.77.0.101");
  EXPECT_EQ(first_state().clients, 2U);
  sockets.clear();
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(first_state().promised_bytes, 0U);
}

}  // namespace
}  // namespace tw::relay
