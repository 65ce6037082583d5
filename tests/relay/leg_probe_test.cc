// A live leg answers a probe, whatever it waits for.
#include "relay/legs/leg_probe.h"

#include <gtest/gtest.h>

#include <string>

#include "base/time.h"
#include "relay/sockets/test_loopback.h"

namespace tw::relay {
namespace {

TEST(LegProbe, IsAnsweredWithInFlightDataWithAClosedWindowAndHalfClosed) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs CAP_NET_ADMIN";
  const auto is_answered = [](int socket) {
    const std::uint32_t before = segments_received(socket);
    EXPECT_NE(before, 0U);
    ask_whether_alive(socket);
    for (const Instant end = SystemClock{}.now() + 5s; SystemClock{}.now() < end;) {
      if (segments_received(socket) != before) return true;
      ::poll(nullptr, 0, 1);
    }
    return false;
  };
  LoopbackPair pair = connect_pair(4096);
  EXPECT_TRUE(is_answered(pair.ours.get()));
  const std::string much(1 << 20, 'x');
  ASSERT_GT(::send(pair.ours.get(), much.data(), much.size(), MSG_NOSIGNAL), 0);
  ::poll(nullptr, 0, 600);  // tcp_invalid_ratelimit
  EXPECT_TRUE(is_answered(pair.ours.get())) << "a reader that has paused";
  pair = connect_pair();
  ::shutdown(pair.ours.get(), SHUT_WR);
  EXPECT_TRUE(is_answered(pair.ours.get())) << "half-closed";
}

// An accepted socket keeps SO_REUSEADDR, which it inherits from its listener: else a restarted node
// could not have its port while the ends of such connections are remembered.
TEST(LegProbe, LeavesTheAddressReusable) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs CAP_NET_ADMIN";
  const LoopbackPair pair = connect_pair();
  const auto reuse_of = [](int socket) {
    int reuse = -1;
    socklen_t size = sizeof reuse;
    ::getsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuse, &size);
    return reuse;
  };
  EXPECT_EQ(reuse_of(pair.theirs.get()), 1);
  ask_whether_alive(pair.theirs.get());
  EXPECT_EQ(reuse_of(pair.theirs.get()), 1);
}

}  // namespace
}  // namespace tw::relay
