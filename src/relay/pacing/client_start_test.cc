// On loopback, with a Resumer that only takes notes: what the kernel makes of a start is tested
// beside its program (port/kernel/careful_resume_test.cc).
#include "relay/pacing/client_start.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "relay/pacing/test_resumer.h"
#include "relay/sockets/test_loopback.h"

namespace tw::relay {
namespace {

constexpr Instant start{Duration{1s}};
// Fills more than ten segments in any RTT that loopback has.
constexpr std::uint64_t fast_bps = 4'000'000'000'000;
const IpAddress client = IpAddress::v4({10, 9, 0, 2});

class ClientStartTest : public testing::Test {
 protected:
  ClientStart make() {
    const ClientStartSettings settings{.enabled = true, .cap_bps = fast_bps};
    return ClientStart{rates, client, pair.theirs.get(), settings, resumer};
  }
  void know(std::uint64_t bps) const {
    rates->learn(
        client,
        {.sent_bytes = 1'000'000, .delivered_bytes = 1'000'000, .delivery_bps = bps, .rtt = 1ms},
        start);
  }
  // Returns true if another start could take all that is known.
  bool all_is_there() const {
    const std::uint64_t bps = rates->take(client, fast_bps, start);
    rates->give_back(client, bps);
    return bps == fast_bps;
  }
  void deliver(std::size_t bytes) {
    const std::string sent(bytes, 'x');
    std::size_t gone = 0, come = 0;
    while (come < bytes) {
      const auto count =
          ::send(pair.theirs.get(), sent.data() + gone, bytes - gone, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count > 0) gone += static_cast<std::size_t>(count);
      ASSERT_NE(wait_for(pair.ours.get(), POLLIN), 0);
      const Got got = get(pair.ours.get());
      come += got.bytes.size();
    }
    ASSERT_NO_FATAL_FAILURE();
  }

  LoopbackPair pair = connect_pair();
  std::shared_ptr<ClientRates> rates = std::make_shared<ClientRates>();
  TestResumer resumer;
};

TEST_F(ClientStartTest, AnUnknownClientStartsAsTheSystemDoes) {
  ClientStart begun = make();
  begun.begin(start);
  EXPECT_TRUE(resumer.sockets.empty());
  EXPECT_EQ(begun.deadline(), Instant::max());
  EXPECT_EQ(rates->starts(), 0U);
}

TEST_F(ClientStartTest, AKnownOneStartsAtTheCapAndGivesBackAfterAnRtt) {
  know(2 * fast_bps);
  ClientStart begun = make();
  begun.begin(start);
  ASSERT_EQ(resumer.sockets, std::vector{pair.theirs.get()});
  EXPECT_EQ(resumer.last.rate_bps, fast_bps);
  EXPECT_EQ(resumer.last.window, ClientStartSettings{}.initcwnd);
  EXPECT_EQ(resumer.last.probe, Resumer::Probe::nothing) << "the cap holds";
  EXPECT_EQ(rates->starts(), 1U);
  EXPECT_FALSE(all_is_there());

  begun.on_written(1000, begun.deadline() - 1ns);
  EXPECT_FALSE(all_is_there());
  begun.on_written(1000, begun.deadline());
  EXPECT_EQ(begun.deadline(), Instant::max());
  EXPECT_TRUE(all_is_there());
  begun.begin(start + 1s);  // once
  EXPECT_EQ(rates->starts(), 1U);
}

TEST_F(ClientStartTest, ASlowPathGainsNothingAndIsLeftAlone) {
  know(100'000);
  ClientStart begun = make();
  begun.begin(start);
  EXPECT_TRUE(resumer.sockets.empty());
  EXPECT_EQ(rates->starts(), 0U);
  EXPECT_GT(rates->take(client, fast_bps, start), 0U) << "given back";
}

TEST_F(ClientStartTest, OneThatHasSentHasItsWindow) {
  know(fast_bps);
  deliver(1000);
  ClientStart begun = make();
  begun.begin(start);
  EXPECT_TRUE(resumer.sockets.empty());
  EXPECT_TRUE(all_is_there());
}

TEST_F(ClientStartTest, AKernelThatRefusesChangesNothing) {
  know(fast_bps);
  resumer.refuses = true;
  ClientStart begun = make();
  begun.begin(start);
  EXPECT_EQ(begun.deadline(), Instant::max());
  EXPECT_EQ(rates->starts(), 0U);
  EXPECT_TRUE(all_is_there());
}

TEST_F(ClientStartTest, WhatEndsInItsStartGivesBack) {
  know(fast_bps);
  {
    ClientStart begun = make();
    begun.begin(start);
    ClientStart moved{std::move(begun)};
    EXPECT_FALSE(all_is_there());
  }
  EXPECT_TRUE(all_is_there());
}

TEST_F(ClientStartTest, LearnsWhatWasDeliveredAtTheEndAndWhileItGoesOn) {
  ClientStart begun = make();
  begun.begin(start);
  begun.finish(start);
  EXPECT_EQ(rates->known(start), 0U) << "nothing was sent";
  deliver(ClientStart::stretch_bytes);
  begun.on_written(ClientStart::stretch_bytes - 1, start);
  EXPECT_EQ(rates->known(start), 0U);
  begun.on_written(ClientStart::stretch_bytes, start);
  EXPECT_EQ(rates->known(start), 1U);

  rates = std::make_shared<ClientRates>();
  ClientStart other = make();
  other.finish(start);
  EXPECT_EQ(rates->known(start), 1U);
}

}  // namespace
}  // namespace tw::relay
