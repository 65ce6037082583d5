#include "relay/sockets/listener.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "relay/sockets/test_loopback.h"

#include "base/test_descriptors.h"

namespace tw::relay {
namespace {

using test::NoDescriptorsLeft;

// Not a fixture: the sanitizer's check of a virtual table opens a pipe, which is what the tests
// below make impossible.
struct Gate {
  UniqueFd connect() const {
    return open_onward({.target = local_endpoint(listener.fd())}).value();
  }
  AcceptStatus accept() {
    wait_for(listener.fd(), POLLIN);
    return listener.accept(spare, accepted);
  }

  Listener listener{open_listener({.address = loopback_port()}).value(), Listener::Kind::clients};
  SpareFd spare;
  Accepted accepted;
};

std::string congestion_control_of(int socket) {
  std::array<char, 16> name{};
  socklen_t length = name.size();
  EXPECT_EQ(::getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), &length), 0);
  return name.data();
}

TEST(Listener, GetsTheSystemsCongestionControlBack) {
  const Gate gate;
  const std::string systems = congestion_control_of(gate.listener.fd());
  TurboSettings turbo;
  turbo.socket_buffer_bytes = 0;  // to force any needs root
  turbo.congestion_control = systems == "reno" ? "cubic" : "reno";
  ASSERT_TRUE(start_fast_anew(gate.listener.fd(), turbo));
  EXPECT_EQ(congestion_control_of(gate.listener.fd()), turbo.congestion_control);
  turbo.congestion_control.clear();
  ASSERT_TRUE(start_fast_anew(gate.listener.fd(), turbo));
  EXPECT_EQ(congestion_control_of(gate.listener.fd()), systems);
}

TEST(Listener, TellsBothEnds) {
  Gate gate;
  const UniqueFd client = gate.connect();
  ASSERT_EQ(gate.accept(), AcceptStatus::accepted);
  EXPECT_EQ(gate.accepted.peer, local_endpoint(client.get()));
  EXPECT_EQ(gate.accepted.address, local_endpoint(gate.listener.fd()));
  EXPECT_EQ(gate.listener.accept(gate.spare, gate.accepted), AcceptStatus::empty);
}

// A connection has the options that the listener was given before it came.
TEST(Listener, WhatIsAcceptedLingersAndDoesNotDelay) {
  Gate gate;
  const UniqueFd client = gate.connect();
  ASSERT_EQ(gate.accept(), AcceptStatus::accepted);
  for (const int socket : {client.get(), gate.accepted.socket.get()}) {
    linger lingers{};
    socklen_t size = sizeof lingers;
    ASSERT_EQ(::getsockopt(socket, SOL_SOCKET, SO_LINGER, &lingers, &size), 0);
    EXPECT_EQ(lingers.l_onoff, 1);
    EXPECT_EQ(lingers.l_linger, 0);
    int at_once = 0;
    size = sizeof at_once;
    ASSERT_EQ(::getsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &at_once, &size), 0);
    EXPECT_EQ(at_once, 1);
  }
}

TEST(Listener, BothHalvesNoticeADeadPeer) {
  RelayLimits limits;
  limits.keepalive = 90s;
  limits.user_timeout = 30s;
  const auto value = [](int socket, int level, int name) {
    int found = 0;
    socklen_t size = sizeof found;
    return ::getsockopt(socket, level, name, &found, &size) == 0 ? found : -1;
  };
  Listener listener{open_listener({.address = loopback_port(), .limits = &limits}).value(),
                    Listener::Kind::clients};
  const UniqueFd onward =
      open_onward({.target = local_endpoint(listener.fd()), .limits = &limits}).value();
  wait_for(listener.fd(), POLLIN);
  SpareFd spare;
  Accepted accepted;
  ASSERT_EQ(listener.accept(spare, accepted), AcceptStatus::accepted);
  for (const int socket : {onward.get(), accepted.socket.get()}) {
    EXPECT_EQ(value(socket, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(value(socket, IPPROTO_TCP, TCP_KEEPIDLE), 90);
    EXPECT_EQ(value(socket, IPPROTO_TCP, TCP_KEEPINTVL), 30);
    EXPECT_EQ(value(socket, IPPROTO_TCP, TCP_KEEPCNT), keepalive_probes);
    EXPECT_EQ(value(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 30'000);
  }
  limits.keepalive = limits.user_timeout = 0s;
  ASSERT_TRUE(notice_death(onward.get(), limits));
  EXPECT_EQ(value(onward.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(value(onward.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

TEST(Listener, WithoutDescriptorsAConnectionIsResetAtOnce) {
  Gate gate;
  const UniqueFd first = gate.connect(), second = gate.connect(), third = gate.connect();
  gate.spare.keep();
  std::optional<NoDescriptorsLeft> none{std::in_place};
  const AcceptStatus one = gate.accept();
  const AcceptStatus two = gate.accept();  // the spare one was kept again
  none.reset();
  EXPECT_EQ(one, AcceptStatus::refused);
  EXPECT_EQ(two, AcceptStatus::refused);
  for (const int socket : {first.get(), second.get()}) {
    EXPECT_TRUE(wait_for(socket, POLLERR) & POLLERR);
    EXPECT_EQ(get(socket).end, ECONNRESET);
  }
  EXPECT_EQ(gate.accept(), AcceptStatus::accepted);
  EXPECT_EQ(gate.accepted.peer, local_endpoint(third.get()));
}

// Another thread may have had its number in the moment in which it was given up.
TEST(Listener, ASpareOneThatWasLostComesBackBeforeAnybodyIsServed) {
  Gate gate;
  const UniqueFd first = gate.connect(), second = gate.connect();
  UniqueFd other{::dup(STDERR_FILENO)};  // takes the lowest number, and gives it back below
  std::optional<NoDescriptorsLeft> none{std::in_place};
  const AcceptStatus lost = gate.accept();
  other.reset();
  const AcceptStatus one = gate.accept();
  const AcceptStatus two = gate.accept();
  none.reset();
  EXPECT_EQ(lost, AcceptStatus::exhausted);
  EXPECT_EQ(one, AcceptStatus::refused);
  EXPECT_EQ(two, AcceptStatus::refused);
  EXPECT_EQ(get(first.get()).end, ECONNRESET);
  EXPECT_EQ(get(second.get()).end, ECONNRESET);
}

// The last descriptors are not the public's.
TEST(Listener, LeavesAReserve) {
  Gate gate;
  const UniqueFd first = gate.connect(), second = gate.connect();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd next{::dup(STDERR_FILENO)};
  rlimit few = before;
  // Sixteen of 256 are in reserve, and the next number is the first of them.
  few.rlim_cur = 256;
  std::vector<UniqueFd> taken;
  while (taken.empty() || taken.back().get() < 256 - 16 - 2) taken.emplace_back(::dup(2));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  gate.spare.keep();
  const AcceptStatus one = gate.accept();
  const AcceptStatus two = gate.accept();
  const auto onward = open_onward({.target = local_endpoint(gate.listener.fd())});
  const UniqueFd own{::dup(STDERR_FILENO)};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(one, AcceptStatus::refused);
  EXPECT_EQ(two, AcceptStatus::refused);
  ASSERT_FALSE(onward);
  EXPECT_EQ(onward.error().os_errno, EMFILE);
  EXPECT_TRUE(own) << "there are some left";
}

TEST(Listener, WithoutASpareOneItSaysSo) {
  Gate gate;
  const UniqueFd client = gate.connect();
  std::optional<NoDescriptorsLeft> none{std::in_place};
  const AcceptStatus status = gate.accept();
  none.reset();
  EXPECT_EQ(status, AcceptStatus::exhausted);
  EXPECT_EQ(gate.accept(), AcceptStatus::accepted);
}

}  // namespace
}  // namespace tw::relay
