// On loopback, with a congestion control of the kernel's in the place of the one that opens
// windows: what that does is tested beside its program (port/initial_window_test.cc).
#include "relay/client_start.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <optional>
#include <string>

#include "relay/loopback_pair.h"

namespace tw::relay {
namespace {

constexpr Instant start{Duration{1s}};
// Fills more than ten segments in any RTT that loopback has.
constexpr std::uint64_t fast_bps = 4'000'000'000'000;
constexpr std::uint64_t unpaced = ~std::uint64_t{0} / 8;
const IpAddress client = IpAddress::v4({10, 9, 0, 2});

std::uint64_t pacing_rate(int socket) {
  std::uint64_t bytes_per_s = 0;
  socklen_t size = sizeof bytes_per_s;
  EXPECT_EQ(::getsockopt(socket, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_s, &size), 0);
  return bytes_per_s;
}

std::string control_of(int socket) {
  std::array<char, 16> name{};
  auto size = static_cast<socklen_t>(name.size());
  EXPECT_EQ(::getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), &size), 0);
  return name.data();
}

class ClientStartTest : public testing::Test {
 protected:
  ClientStart make(std::uint64_t cap_bps = fast_bps, std::string control = "reno") {
    return ClientStart{rates, client, pair.theirs.get(), cap_bps, std::move(control)};
  }
  void know(std::uint64_t bps) const {
    rates->learn(
        client,
        {.sent_bytes = 1'000'000, .delivered_bytes = 1'000'000, .delivery_bps = bps, .rtt = 1ms},
        start);
  }
  // Whether all that is known could be taken by another start.
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
};

TEST_F(ClientStartTest, AnUnknownClientStartsAsTheSystemDoes) {
  const std::string before = control_of(pair.theirs.get());
  const std::uint64_t rate = pacing_rate(pair.theirs.get());
  ClientStart begun = make();
  begun.begin(start);
  EXPECT_EQ(pacing_rate(pair.theirs.get()), rate);
  EXPECT_EQ(control_of(pair.theirs.get()), before);
  EXPECT_EQ(begun.deadline(), Instant::max());
  EXPECT_EQ(rates->starts(), 0U);
}

TEST_F(ClientStartTest, AKnownOneIsPacedAtTheCapForAnRttAndGivesBack) {
  know(2 * fast_bps);
  const std::string before = control_of(pair.theirs.get());
  ClientStart begun = make();
  begun.begin(start);
  EXPECT_EQ(pacing_rate(pair.theirs.get()), fast_bps / 8);
  EXPECT_EQ(control_of(pair.theirs.get()), before) << "it has its own again";
  EXPECT_EQ(rates->starts(), 1U);
  EXPECT_FALSE(all_is_there());

  begun.on_written(1000, begun.deadline() - 1ns);
  EXPECT_EQ(pacing_rate(pair.theirs.get()), fast_bps / 8);
  begun.on_written(1000, begun.deadline());
  EXPECT_EQ(pacing_rate(pair.theirs.get()), unpaced);
  EXPECT_EQ(begun.deadline(), Instant::max());
  EXPECT_TRUE(all_is_there());
  begun.begin(start + 1s);  // once
  EXPECT_EQ(rates->starts(), 1U);
}

TEST_F(ClientStartTest, ASlowPathGainsNothingAndIsLeftAlone) {
  know(100'000);
  const std::uint64_t rate = pacing_rate(pair.theirs.get());
  ClientStart begun = make();
  begun.begin(start);
  EXPECT_EQ(pacing_rate(pair.theirs.get()), rate);
  EXPECT_EQ(rates->starts(), 0U);
  EXPECT_GT(rates->take(client, fast_bps, start), 0U) << "given back";
}

TEST_F(ClientStartTest, WithoutTheCongestionControlNothingIsPaced) {
  know(fast_bps);
  ClientStart begun = make(fast_bps, "no-such-control");
  begun.begin(start);
  EXPECT_EQ(pacing_rate(pair.theirs.get()), unpaced);
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
