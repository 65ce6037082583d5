// Tests that little comes of a server whose client has not completed its handshake, by a leg and
// directly, and that nothing is slower afterwards. Two relays in namespaces; needs root, and skips
// without it.
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "relay/pacing/test_resumer.h"
#include "relay/stream/receive_window.h"
#include "test_relays.h"

namespace tw::relay {
namespace {

constexpr std::uint64_t most_unclaimed = 64U << 10U;

struct Way {
  const char* client;
  const char* target;
};

class UnclaimedTest : public TwoRelaysTest, public testing::WithParamInterface<Way> {
 protected:
  UnclaimedTest() : syns(*SynRing::open(syn_ring_capacity)) {
    syn_source = std::make_unique<SynRingSource>(*syns);
  }
  void knock() {
    ASSERT_TRUE(syns->push({.client = client, .target = at(GetParam().target), .sequence = 1}));
  }
  // Sends until nothing more has gone for a while; returns the bytes that the server's socket took.
  std::uint64_t push(const UniqueFd& server) {
    const std::string piece = noise(16U << 10U, 1);
    std::uint64_t sent = 0;
    Instant quiet_from = clock.now();
    EXPECT_TRUE(until([&] {
      const auto count = ::send(server.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
      if (count > 0) quiet_from = clock.now();
      if (count > 0) sent += static_cast<std::uint64_t>(count);
      return clock.now() - quiet_from > 300ms;
    }));
    return sent;
  }
  void ask(const UniqueFd& client_socket, const UniqueFd& server) {
    ASSERT_TRUE(
        until([&] { return ::send(client_socket.get(), "question", 8, MSG_NOSIGNAL) == 8; }));
    ASSERT_TRUE(until([&] { return get(server.get()).bytes == "question"; }));
  }
  std::uint32_t widest_while_pushing(const UniqueFd& server, const UniqueFd& claimant);
  // Returns how many bytes have not left the server's own buffer.
  static std::uint64_t waiting_in(const UniqueFd& server) {
    int bytes = 0;
    EXPECT_EQ(::ioctl(server.get(), SIOCOUTQ, &bytes), 0);
    return static_cast<std::uint64_t>(bytes);
  }

  const std::unique_ptr<SynRing> syns;
  const Endpoint client{ip(GetParam().client), 40'000, 0};
};

TEST_P(UnclaimedTest, AServerThatSpeaksFirstIsHeardButALittle) {
  start();
  const UniqueFd listener = listen_at(GetParam().target);
  knock();
  const UniqueFd server = accept_at(listener);
  const std::uint64_t sent = push(server);
  const std::uint64_t moved = sent - waiting_in(server);
  EXPECT_LE(moved, most_unclaimed);
  EXPECT_GE(moved, 4096U) << "a banner is on its way before its reader is there";

  const UniqueFd claimant = connect_from(network->client, client, GetParam().target);
  std::uint64_t received = 0;
  ASSERT_TRUE(until([&] {
    received += get(claimant.get()).bytes.size();
    return received == sent;
  }));
  send_and_end(claimant, server, noise(3'000'000, 2));
  send_and_end(server, claimant, noise(30'000'000, 3));
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(relay_first->snapshot().buffers.promised_bytes, 0U);
  EXPECT_EQ(relay_last->snapshot().buffers.promised_bytes, 0U);
}

TEST_P(UnclaimedTest, AClientThatSaysNothingIsAnnounced) {
  TestResumer resumer;
  RelaySettings settings = settings_of_first();
  settings.resumer = &resumer;
  start(settings, settings_of_last());
  const UniqueFd listener = listen_at(GetParam().target);
  knock();
  const UniqueFd server = accept_at(listener);
  const UniqueFd claimant = connect_from(network->client, client, GetParam().target);
  ASSERT_TRUE(until([&] { return relay_first->snapshot().early_syn.claimed == 1; }));
  const bool by_leg = relay_last->snapshot().accepted_legs > 0;
  const Instant end = clock.now() + 200ms;
  ASSERT_TRUE(until([&] { return clock.now() > end; }));
  EXPECT_EQ(resumer.announced.size(), by_leg ? 1U : 0U);

  // One that asks at once says it itself.
  const Endpoint other{client.address, 40'001, 0};
  ASSERT_TRUE(syns->push({.client = other, .target = at(GetParam().target), .sequence = 1}));
  const UniqueFd second = accept_at(listener);
  resumer.announced.clear();
  const UniqueFd asker = connect_from(network->client, other, GetParam().target);
  ask(asker, second);
  const Instant later = clock.now() + 200ms;
  ASSERT_TRUE(until([&] { return clock.now() > later; }));
  EXPECT_TRUE(resumer.announced.empty());
}

// The window that a fixed buffer would have fixed for good.
TEST_P(UnclaimedTest, TheKernelTunesAgainWhatWasBound) {
  start();
  const UniqueFd listener = listen_at(GetParam().target);
  const auto widest_to = [&](bool early, std::uint16_t port) {
    const Endpoint from{client.address, port, 0};
    if (early) EXPECT_TRUE(syns->push({.client = from, .target = at(GetParam().target)}));
    UniqueFd server;
    if (early) server = accept_at(listener);
    const UniqueFd claimant = connect_from(network->client, from, GetParam().target);
    if (!early) server = accept_at(listener);
    ask(claimant, server);
    return widest_while_pushing(server, claimant);
  };
  const std::uint32_t unbound = widest_to(false, 40'001);
  const std::uint32_t bound = widest_to(true, 40'002);
  EXPECT_GE(bound, 64'000U);
  EXPECT_GE(bound, std::min(unbound / 8, 500'000U)) << unbound;
  EXPECT_EQ(relay_first->snapshot().early_syn.claimed, 1U);
}

// The largest window that the server is offered.
std::uint32_t UnclaimedTest::widest_while_pushing(const UniqueFd& server,
                                                  const UniqueFd& claimant) {
  const std::string all = noise(20'000'000, 4);
  std::size_t sent = 0, received = 0;
  std::uint32_t widest = 0;
  EXPECT_TRUE(until([&] {
    const auto count = ::send(server.get(), all.data() + sent, all.size() - sent, MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<std::size_t>(count);
    received += get(claimant.get()).bytes.size();
    widest = std::max(widest, peer_window(server.get()));
    return received == all.size();
  }));
  return widest;
}

std::string name_of_way(const testing::TestParamInfo<Way>& info) {
  if (std::string_view{info.param.target}.starts_with("203.")) return "Directly";
  return std::string_view{info.param.client}.contains(':') ? "ByV6" : "ByV4";
}

INSTANTIATE_TEST_SUITE_P(Ways, UnclaimedTest,
                         testing::Values(Way{"10.77.0.100", "192.0.2.80:8080"},
                                         Way{"fd77::100", "[2001:db8:2::80]:8080"},
                                         Way{"10.77.0.100", "203.0.113.80:8080"}),
                         name_of_way);

}  // namespace
}  // namespace tw::relay
