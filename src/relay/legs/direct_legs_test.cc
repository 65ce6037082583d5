#include "relay/legs/direct_legs.h"

#include <gtest/gtest.h>

#include "relay/sockets/test_loopback.h"

namespace tw::relay {
namespace {

constexpr Instant start{Duration{1000s}};

TEST(DirectLegs, KeepNothingWarm) {
  const UniqueFd listener{open_listener({.address = loopback_port()}).value()};
  DirectLegs legs;
  const auto leg = legs.acquire({.client = {}, .target = local_endpoint(listener.get())}, start);
  ASSERT_TRUE(leg);
  EXPECT_TRUE(leg->header.empty());
  EXPECT_FALSE(leg->warm);
  EXPECT_NE(wait_for(leg->socket.get(), POLLOUT), 0);
  EXPECT_EQ(legs.wait_fd(), -1);
  EXPECT_EQ(legs.next_deadline(), Instant::max());
}

}  // namespace
}  // namespace tw::relay
