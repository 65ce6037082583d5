// Both ends of the legs are on the loopback device, which stands for the TUN.
#include "relay/legs/pop_legs.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "relay/legs/leg_header.h"
#include "relay/sockets/test_loopback.h"

namespace tw::relay {
namespace {

constexpr Instant start{Duration{1000s}};

class PopLegsTest : public testing::Test {
 protected:
  void SetUp() override {
    const UniqueFd probe{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (::setsockopt(probe.get(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) != 0) {
      GTEST_SKIP() << "needs root";
    }
    settings.tun_device = "lo";
    settings.leg_addresses = {IpAddress::v4({127, 0, 0, 1})};
    settings.leg_port = local_endpoint(listener.get()).port;
    settings.turbo.socket_buffer_bytes = 0;  // forcing them needs root
    settings.pool = {.low = 3, .high = 8, .max_age = 5min};
    pop = {.name = "last",
           .overlay_address = IpAddress::v4({127, 0, 0, 1}),
           .routes = {Prefix::parse("0.0.0.0/0").value()}};
    proof->require(false);
    legs = std::make_unique<PopLegs>(settings, pop, proof, std::make_unique<SeededRandom>(1));
  }
  void settle() {
    for (int turn = 0; turn < 1000; ++turn) {
      legs->poll(start);
      if (legs->state().connecting > 0) {
        ASSERT_NE(wait_for(legs->wait_fd(), POLLIN), 0);
      } else if (legs->next_deadline() > start) {
        return;
      }
    }
    FAIL() << "never settles";
  }
  UniqueFd accept_one() const {
    EXPECT_NE(wait_for(listener.get(), POLLIN), 0);
    return UniqueFd{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  }

  const LegRequest request{.client = Endpoint::parse("10.0.0.7:40000").value(),
                           .target = Endpoint::parse("192.0.2.80:443").value()};
  UniqueFd listener{open_listener({.address = loopback_port()}).value()};
  RelaySettings settings;
  PopSettings pop;
  std::shared_ptr<PopProof> proof = std::make_shared<PopProof>(std::nullopt);
  std::unique_ptr<PopLegs> legs;
};

TEST_F(PopLegsTest, AWarmLegCarriesTheHeaderAtOnce) {
  settle();
  std::array<UniqueFd, 3> far;
  for (UniqueFd& socket : far) socket = accept_one();
  auto leg = legs->acquire(request, start);
  ASSERT_TRUE(leg);
  EXPECT_TRUE(leg->warm);
  EXPECT_TRUE(leg->connected);
  put(leg->socket.get(), as_text(leg->header.view()));
  // The one that was made last was accepted last.
  ASSERT_TRUE(wait_for_bytes(far[2].get(), leg->header.view().size()));
  std::uint32_t unskipped = 0;
  const LegHeader header = read_leg_header(far[2].get(), false, unskipped);
  ASSERT_EQ(header.state, LegHeader::State::complete);
  EXPECT_EQ(header.header.source, request.client);
  EXPECT_EQ(header.header.target, request.target);
}

TEST_F(PopLegsTest, WithoutAWarmLegItConnects) {
  auto leg = legs->acquire(request, start);
  ASSERT_TRUE(leg);
  EXPECT_FALSE(leg->warm);
  EXPECT_FALSE(leg->connected);
  EXPECT_FALSE(leg->header.empty());
  EXPECT_NE(wait_for(leg->socket.get(), POLLOUT), 0);
  EXPECT_EQ(legs->state().misses, 1U);
}

TEST_F(PopLegsTest, NewSettingsKeepWhatIsWarm) {
  settle();
  settings.policy = Policy{{{.action = Action::relay}}};
  settings.limits.keepalive = 1min;
  settings.turbo.first_rate_bps *= 2;
  settings.turbo.pacing = false;
  settings.pool.low = 4;
  pop.routes.push_back(Prefix::parse("192.0.2.0/24").value());
  legs->apply(settings, pop, proof);
  EXPECT_EQ(legs->state().idle, 3U);
  EXPECT_LE(legs->next_deadline(), start) << "the new number holds from the next poll";
  settle();
  EXPECT_EQ(legs->state().idle, 4U);
  EXPECT_EQ(legs->state().opened, 4U);
}

TEST_F(PopLegsTest, APopThatIsSentNothingHasNoWarmLegs) {
  settle();
  const UniqueFd far = accept_one();
  pop.routes.clear();
  legs->apply(settings, pop, proof);
  settle();
  EXPECT_EQ(legs->state().idle, 0U);
  EXPECT_EQ(legs->next_deadline(), Instant::max());
  EXPECT_NE(wait_for(far.get(), POLLIN), 0);
  EXPECT_EQ(get(far.get()).end, 0);
}

TEST_F(PopLegsTest, LegsThatWouldBeMadeOtherwiseAreDropped) {
  const RelaySettings before = settings;
  const auto changed = [&](auto&& change) {
    settings = before;
    legs->apply(settings, pop, proof);
    settle();
    EXPECT_EQ(legs->state().idle, 3U);
    change(settings);
    legs->apply(settings, pop, proof);
    return legs->state().idle == 0;
  };
  EXPECT_TRUE(changed([](RelaySettings& now) { now.tun_device = "another0"; }));
  EXPECT_TRUE(changed([](RelaySettings& now) { ++now.leg_port; }));
  EXPECT_TRUE(
      changed([](RelaySettings& now) { now.leg_addresses = {IpAddress::v4({127, 0, 0, 2})}; }));
  EXPECT_TRUE(changed([](RelaySettings& now) { now.turbo.initcwnd = 10; }));
  EXPECT_TRUE(changed([](RelaySettings& now) { now.turbo.socket_buffer_bytes = 1U << 20U; }));
  EXPECT_TRUE(changed([](RelaySettings& now) { now.turbo.congestion_control = "reno"; }));
}

TEST_F(PopLegsTest, NoLegFromAnAddressThePopDoesNotKnow) {
  settings.leg_addresses = {IpAddress::parse("fd77::1").value()};
  legs->apply(settings, pop, proof);
  const auto leg = legs->acquire(request, start);
  ASSERT_FALSE(leg);
  EXPECT_EQ(leg.error().kind, Error::Kind::unavailable);
  legs->poll(start);
  EXPECT_GT(legs->state().failures_in_row, 0U);
  EXPECT_GT(legs->next_deadline(), start) << "not in a loop";
}

TEST_F(PopLegsTest, ClosedNothingIsWarmAndConnectingGoesOn) {
  settle();
  std::array<UniqueFd, 3> far;
  for (UniqueFd& socket : far) socket = accept_one();
  legs->close_idle();
  for (const UniqueFd& socket : far) {
    EXPECT_NE(wait_for(socket.get(), POLLIN), 0);
    std::uint32_t unskipped = 0;
    EXPECT_EQ(read_leg_header(socket.get(), true, unskipped).state, LegHeader::State::unused);
  }
  legs->apply(settings, pop, proof);  // a reload while the node drains
  settle();
  EXPECT_EQ(legs->state().idle, 0U);
  const auto leg = legs->acquire(request, start);
  ASSERT_TRUE(leg);
  EXPECT_FALSE(leg->warm);
}

}  // namespace
}  // namespace tw::relay
