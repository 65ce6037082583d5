#include "relay/legs/direct_probes.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "relay/sockets/test_loopback.h"

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};

class DirectProbesTest : public testing::Test {
 protected:
  void poll_until_done(Instant now = start) {
    for (int turn = 0; turn < 100 && probes.under_way() > 0; ++turn) {
      wait_for(probes.wait_fd(), POLLIN, 50);
      probes.poll(
          now, [this](const Endpoint& target, Duration rtt) { found.emplace_back(target, rtt); });
    }
  }
  DirectProbes probes;
  RelayLimits limits;
  std::vector<std::pair<Endpoint, Duration>> found;
};

TEST_F(DirectProbesTest, MeasuresAndClosesAtOnce) {
  const UniqueFd listener = open_listener({.address = loopback_port()}).value();
  const Endpoint target = local_endpoint(listener.get());
  EXPECT_EQ(probes.next_deadline(), Instant::max());
  probes.begin(target, limits, start);
  EXPECT_EQ(probes.next_deadline(), start + DirectProbes::patience);
  poll_until_done();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].first, target);
  EXPECT_GT(found[0].second, 0ns);
  ASSERT_TRUE(wait_for(listener.get(), POLLIN));
  const UniqueFd accepted{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK)};
  ASSERT_TRUE(accepted);
  EXPECT_TRUE(wait_for(accepted.get(), POLLERR) & POLLERR);
}

TEST_F(DirectProbesTest, ARefusalIsNoMeasure) {
  Endpoint nobody;
  {
    const UniqueFd listener = open_listener({.address = loopback_port()}).value();
    nobody = local_endpoint(listener.get());
  }
  probes.begin(nobody, limits, start);
  poll_until_done();
  EXPECT_EQ(probes.under_way(), 0U);
  EXPECT_TRUE(found.empty());
}

// A listener whose queue is full answers no SYN.
TEST_F(DirectProbesTest, ASilentTargetIsGivenUpAndFewAreAskedAtOnce) {
  const UniqueFd listener = open_listener({.address = loopback_port()}).value();
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  const Endpoint target = local_endpoint(listener.get());
  std::vector<UniqueFd> queue;
  for (int i = 0; i < 4; ++i) queue.push_back(open_onward({.target = target}).value());
  for (std::size_t i = 0; i < 2 * DirectProbes::most_at_once; ++i) {
    probes.begin(target, limits, start);
  }
  EXPECT_EQ(probes.under_way(), DirectProbes::most_at_once);
  probes.poll(start + DirectProbes::patience, [](const Endpoint&, Duration) { FAIL(); });
  EXPECT_EQ(probes.under_way(), 0U);
}

}  // namespace
}  // namespace tw::relay
