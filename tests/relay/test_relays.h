// For the tests of this folder that need a network: two relays, or three, in the namespaces of
// test_network.h, polled in turn by the test itself.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "relay/relay.h"
#include "relay/sockets/test_loopback.h"
#include "test_network.h"

namespace tw::relay {

inline constexpr std::uint16_t listen_port = 9701, leg_port = 9702;

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }
inline Prefix net(std::string_view text) { return Prefix::parse(text).value(); }

/// Returns the key of any two PoPs of the tests.
inline LegKey test_key(std::uint8_t byte = 7) {
  LegKey key;
  key.span()[0] = byte;
  return key;
}

inline std::string noise(std::size_t size, std::uint64_t seed) {
  SeededRandom random{seed};
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random.next());
  return text;
}

class TwoRelaysTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    home = UniqueFd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
    network = std::make_unique<TestNetwork>();
    ASSERT_TRUE(network->is_up);
  }
  void TearDown() override {
    relay_first.reset();
    relay_last.reset();
    relay_third.reset();
    if (home) {
      EXPECT_EQ(::setns(home.get(), CLONE_NEWNET), 0);
    }
  }

  static RelaySettings settings_of_first() {
    RelaySettings settings;
    settings.tun_device = "tun0";
    settings.leg_addresses = {ip("10.77.0.1"), ip("fd77::1")};
    settings.listen_port = listen_port;
    settings.leg_port = leg_port;
    settings.pops = {{.name = "last",
                      .overlay_address = ip("10.77.0.2"),
                      .routes = {net("192.0.2.0/24"), net("2001:db8:2::/64")},
                      .legs = Legs::any}};
    settings.policy = Policy{{{.action = Action::relay}}};
    settings.pool.enabled = false;  // most tests count legs in use
    return settings;
  }
  static RelaySettings settings_of_last() {
    RelaySettings settings = settings_of_first();
    settings.leg_addresses = {ip("10.77.0.2"), ip("fd77::2")};
    settings.pops = {{.name = "first", .overlay_address = ip("10.77.0.1"), .routes = {}}};
    // Only what this test has: from clients, to the servers' ports.
    settings.policy = Policy{{{.from = {net("10.77.0.100"), net("fd77::100")},
                               .protocol = Protocol::tcp,
                               .ports = {{1000, 9999}},
                               .action = Action::relay}}};
    return settings;
  }
  // Legs prove nothing in most tests, so that what is counted is theirs: relay_proof_test.cc.
  static RelaySettings without_proof(RelaySettings settings) {
    for (PopSettings& pop : settings.pops) {
      if (!pop.key) pop.legs = Legs::any;
    }
    return settings;
  }
  void start(RelaySettings first, RelaySettings last) {
    network->first.enter();
    std::vector<SynSource*> sources;
    if (syn_source) sources.push_back(syn_source.get());
    auto created = Relay::create(without_proof(std::move(first)), std::move(sources));
    ASSERT_TRUE(created) << created.error().text();
    relay_first = *std::move(created);
    restart_last(std::move(last));
  }
  void start() { start(settings_of_first(), settings_of_last()); }
  // As after a crash: whatever legs it had are dead.
  void restart_last(RelaySettings last) {
    relay_last.reset();
    network->last.enter();
    auto created = Relay::create(without_proof(std::move(last)));
    ASSERT_TRUE(created) << created.error().text();
    relay_last = *std::move(created);
  }

  // A third PoP, which knows the first and the last.
  static RelaySettings settings_of_third() {
    RelaySettings settings = settings_of_last();
    settings.leg_addresses = {ip("10.77.0.3")};
    settings.pops = {{.name = "first", .overlay_address = ip("10.77.0.1"), .routes = {}},
                     {.name = "last", .overlay_address = ip("10.77.0.2"), .routes = {}}};
    return settings;
  }
  void start_third(RelaySettings third) {
    network->third.enter();
    auto created = Relay::create(without_proof(std::move(third)));
    ASSERT_TRUE(created) << created.error().text();
    relay_third = *std::move(created);
  }

  Instant now() const { return clock.now() + jump; }
  void turn() {
    network->first.enter();
    if (relay_first) relay_first->poll(now(), 256);
    network->last.enter();
    if (relay_last) relay_last->poll(now() - ahead_of_last, 256);
    network->third.enter();
    if (relay_third) relay_third->poll(now(), 256);
  }
  // Turns until `done`, at most 20 s of real time.
  bool until(const std::function<bool()>& done) {
    const Instant end = clock.now() + 20s;
    while (clock.now() < end) {
      turn();
      if (done()) return true;
      pollfd idle{
          .fd = relay_first ? relay_first->wait_fds()[0] : -1, .events = POLLIN, .revents = 0};
      ::poll(&idle, 1, 1);
    }
    return false;
  }

  UniqueFd listen_at(const char* endpoint) {
    network->server.enter();
    return open_listener({.address = at(endpoint)}).value();
  }
  UniqueFd connect_from(const Machine& machine, const char* target) {
    machine.enter();
    return open_onward({.target = at(target)}).value();
  }
  // From a port of the caller's choice, as a SYN would say it.
  UniqueFd connect_from(const Machine& machine, const Endpoint& source, const char* target) {
    machine.enter();
    return open_onward({.target = at(target), .device = "eth0", .source = source}).value();
  }
  UniqueFd accept_at(const UniqueFd& listener) {
    UniqueFd server;
    EXPECT_TRUE(until([&] {
      server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      return static_cast<bool>(server);
    }));
    return server;
  }
  // Returns how a socket ends: 0 in order, else errno. Bytes that it received go to `bytes`.
  int end_of(const UniqueFd& socket, std::string* bytes = nullptr) {
    Got got;
    EXPECT_TRUE(until([&] {
      const Got more = get(socket.get());
      if (bytes != nullptr) *bytes += more.bytes;
      got.end = more.end;
      return more.end >= 0;
    }));
    return got.end;
  }
  static std::uint64_t count(const Relay& relay, Outcome outcome) {
    return relay.snapshot().outcomes[std::to_underlying(outcome)];
  }
  bool both_idle() {
    return until(
        [&] { return relay_first->snapshot().active == 0 && relay_last->snapshot().active == 0; });
  }
  void send_and_end(const UniqueFd& from, const UniqueFd& to, const std::string& sent);

  UniqueFd home;
  std::unique_ptr<TestNetwork> network;
  SystemClock clock;
  Duration jump{0};
  Duration ahead_of_last{0};  // the clock of the first relay, of that of the last
  // The first relay's source of SYNs. To be set before start(), if it is to have one.
  std::unique_ptr<SynSource> syn_source;
  std::unique_ptr<Relay> relay_first, relay_last, relay_third;
};

// Everything arrives, and nothing else, and then the end of file.
inline void TwoRelaysTest::send_and_end(const UniqueFd& from, const UniqueFd& to,
                                        const std::string& sent) {
  std::size_t offset = 0;
  std::string received;
  received.reserve(sent.size());
  int end = -1;
  EXPECT_TRUE(until([&] {
    const auto count = ::send(from.get(), sent.data() + offset, sent.size() - offset, MSG_NOSIGNAL);
    if (count > 0) offset += static_cast<std::size_t>(count);
    if (offset == sent.size()) ::shutdown(from.get(), SHUT_WR);
    const Got got = get(to.get());
    received += got.bytes;
    end = got.end;
    return end >= 0;
  }));
  EXPECT_EQ(end, 0);
  EXPECT_EQ(received.size(), sent.size());
  EXPECT_TRUE(received == sent);
}

}  // namespace tw::relay
