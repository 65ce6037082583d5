// For the tests of a connection: two pairs of sockets on loopback, its front's and its back's, of
// which the test is the other ends; in made-up time. Only the kernel's own delivery is waited for.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <csignal>

#include "relay/sockets/loopback_pair.h"
#include "relay/stream/connection.h"

namespace tw::relay {

// front.theirs ──▶ front.ours ══ connection ══▶ back.ours ──▶ back.theirs
class TwoPairsTest : public testing::Test {
 protected:
  static constexpr std::size_t quantum = 1U << 20U;
  static constexpr Instant start{Duration{100s}};
  static constexpr Duration patience = 900ms;
  static constexpr PopId a_pop{0}, another_pop{1};

  TwoPairsTest() { std::signal(SIGPIPE, SIG_IGN); }

  // Both sockets' present state as epoll would report it, then a turn.
  Step advance(Connection& connection, Instant now = start) {
    for (const Side side : {Side::front, Side::back}) {
      const int socket = connection.socket(side);
      if (socket < 0) continue;
      const short events = wait_for(socket, POLLIN | POLLOUT | POLLRDHUP, 0);
      connection.on_events(side, static_cast<std::uint32_t>(events));  // POLLx == EPOLLx
    }
    return connection.advance(now, pipes, quantum).step;
  }

  const Endpoint client_end = Endpoint::parse("10.0.0.9:40000").value();
  const Endpoint target = Endpoint::parse("192.0.2.80:443").value();
  LoopbackPair front = connect_pair(), back = connect_pair();
  PipePool pipes{64U << 10U};
};

}  // namespace tw::relay
