// For the tests of a connection: two pairs of sockets on loopback, its front's and its back's, of
// which the test is the other ends; in made-up time. Only the kernel's own delivery is waited for.
#pragma once

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <csignal>

#include "relay/sockets/test_loopback.h"
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

// client ──▶ front ══ connection ══▶ back ──▶ server
class ConnectionTest : public TwoPairsTest {
 protected:
  ConnectionTest() { take_other_ends(); }

  void take_other_ends() {
    client = std::move(front.theirs);
    server = std::move(back.theirs);
  }
  void connect_anew(int buffer_bytes = 0) {
    front = connect_pair(buffer_bytes);
    back = connect_pair(buffer_bytes);
    take_other_ends();
  }
  // One that has lasted for a while, unless it is `fresh`: then it watches its server already.
  Connection relaying(bool fresh = false) {
    Connection connection = Connection::client(std::move(front.ours), client_end, target, start);
    connection.go_directly({.socket = std::move(back.ours), .header = {}}, start);
    EXPECT_EQ(advance(connection), Step::waiting);
    EXPECT_TRUE(connection.is<Relaying>());
    if (!fresh) connection.tend(start + Journey::worth_noticing, {});
    return connection;
  }
  Step until_readable(Connection& connection, Side side) {
    EXPECT_TRUE(wait_for(connection.socket(side), POLLIN | POLLRDHUP));
    return advance(connection);
  }
  void abort(UniqueFd& socket) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    socket.reset();
  }

  UniqueFd client, server;
};

/// Waits until the peer's kernel has acknowledged everything, which it may put off for 40 ms.
inline void wait_until_acknowledged(int socket) {
  int bytes = 1;
  for (int round = 0; round < 1000 && bytes > 0; ++round) {
    ASSERT_EQ(::ioctl(socket, SIOCOUTQ, &bytes), 0);
    ::poll(nullptr, 0, bytes > 0 ? 1 : 0);
  }
  ASSERT_EQ(bytes, 0);
}

}  // namespace tw::relay
