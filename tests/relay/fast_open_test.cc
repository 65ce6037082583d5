// TCP Fast Open on both faces of two relays in namespaces (RFC 7413). Needs root, and skips
// without it.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "test_relays.h"
#include "wire/message/proxy_v2.h"

namespace tw::relay {
namespace {

constexpr const char* target = "192.0.2.80:8080";

class FastOpenTest : public TwoRelaysTest {
 protected:
  static void allow_fast_open(const Machine& machine) {
    machine.enter();
    const UniqueFd sysctl{::open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY | O_CLOEXEC)};
    ASSERT_EQ(::write(sysctl.get(), "3", 1), 1);  // as client and as server
  }
  void allow_everywhere() {
    for (const Machine* machine :
         {&network->client, &network->first, &network->last, &network->server}) {
      allow_fast_open(*machine);
    }
  }
  UniqueFd listen_with_fast_open() {
    network->server.enter();
    return open_listener({.address = at(target), .fast_open = true}).value();
  }
  UniqueFd connect_with(std::string_view first_bytes) {
    network->client.enter();
    UniqueFd client = open_onward({.target = at(target), .fast_open = true}).value();
    // Without a cookie the handshake comes first.
    EXPECT_TRUE(until([&] {
      return ::send(client.get(), first_bytes.data(), first_bytes.size(), MSG_NOSIGNAL) ==
             static_cast<ssize_t>(first_bytes.size());
    }));
    return client;
  }
  // One exchange; says whether the server's SYN carried the question.
  bool exchange(const UniqueFd& listener) {
    const UniqueFd client = connect_with("question");
    const UniqueFd server = accept_at(listener);
    const bool by_fast_open = came_by_fast_open(server.get());
    std::string asked;
    EXPECT_TRUE(until([&] {
      asked += get(server.get()).bytes;
      return asked == "question";
    }));
    send_and_end(server, client, "answer");
    return by_fast_open;
  }
  // The first PoP does without, and so do three exchanges. Returns the server's listener.
  UniqueFd start_without(RelaySettings& first) {
    allow_everywhere();
    first.fast_open = false;
    start(first, settings_of_last());
    UniqueFd listener = listen_with_fast_open();
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(exchange(listener));
    return listener;
  }
};

// The first connection brings the client a cookie, the second one the last PoP.
TEST_F(FastOpenTest, ReachesTheServerOnceBothHaveCookies) {
  allow_everywhere();
  start();
  const UniqueFd listener = listen_with_fast_open();
  EXPECT_FALSE(exchange(listener));
  EXPECT_FALSE(exchange(listener));
  EXPECT_TRUE(exchange(listener));
}

// The question is on its way to the server, in a SYN again, while the client's own handshake is a
// long round trip from its end: here it does not end at all.
TEST_F(FastOpenTest, DoesNotWaitForTheClientsHandshake) {
  allow_everywhere();
  start();
  const UniqueFd listener = listen_with_fast_open();
  for (int i = 0; i < 3; ++i) exchange(listener);
  network->client.enter();
  ASSERT_TRUE(run_words({"nft",
                         "table inet deaf { chain in { type filter hook input priority 0;"
                         " tcp flags & (syn | ack) == syn | ack drop; }; }"}));
  const UniqueFd client = connect_with("question");
  const UniqueFd server = accept_at(listener);
  ASSERT_TRUE(server);
  EXPECT_TRUE(came_by_fast_open(server.get()));
  std::string asked;
  EXPECT_TRUE(until([&] {
    asked += get(server.get()).bytes;
    return asked == "question";
  }));
  network->client.enter();
  ASSERT_TRUE(run("nft delete table inet deaf"));
  send_and_end(server, client, "answer");
}

// The socket takes the question at once, and the kernel would send its SYN again for two minutes.
TEST_F(FastOpenTest, ASilentServerIsAResetInTime) {
  allow_everywhere();
  start();
  const UniqueFd listener = listen_with_fast_open();
  for (int i = 0; i < 3; ++i) exchange(listener);
  network->server.enter();
  ASSERT_TRUE(run_words({"nft",
                         "table inet deaf { chain in { type filter hook input priority 0;"
                         " tcp dport 8080 drop; }; }"}));
  const UniqueFd client = connect_with("question");
  ASSERT_TRUE(until([&] { return relay_last->snapshot().active == 1; }));
  jump += 8s;
  turn();
  EXPECT_EQ(get(client.get()).end, -1);
  jump += 3s;
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_EQ(count(*relay_last, Outcome::connect_failed), 1U);
}

// Data in a SYN may arrive twice: only a client that has risked it itself agrees to that.
TEST_F(FastOpenTest, IsNotUsedForAClientThatDidNotUseIt) {
  allow_everywhere();
  start();
  const UniqueFd listener = listen_with_fast_open();
  for (int i = 0; i < 3; ++i) exchange(listener);
  const UniqueFd client = connect_from(network->client, target);
  const UniqueFd server = accept_at(listener);
  EXPECT_FALSE(came_by_fast_open(server.get()));
  send_and_end(client, server, "question");
}

TEST_F(FastOpenTest, OffMeansOff) {
  RelaySettings first = settings_of_first();
  start_without(first);
}

// The listeners stay the same sockets, and follow what is set.
TEST_F(FastOpenTest, IsTurnedOnAndOffWhileTheRelayRuns) {
  RelaySettings first = settings_of_first();
  const UniqueFd listener = start_without(first);
  first.fast_open = true;
  relay_first->apply(without_proof(first));
  for (int i = 0; i < 2; ++i) exchange(listener);
  EXPECT_TRUE(exchange(listener));
  first.fast_open = false;
  relay_first->apply(without_proof(first));
  EXPECT_FALSE(exchange(listener));
}

// A server that takes none gets an ordinary handshake, and the bytes all the same.
TEST_F(FastOpenTest, AServerWithoutItIsServed) {
  allow_everywhere();
  start();
  const UniqueFd listener = listen_at(target);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(exchange(listener));
}

// Its SYN would carry the header and not the question: it gets an ordinary one, and both after it.
TEST_F(FastOpenTest, AServerThatIsToldItsClientIsToldFirst) {
  allow_everywhere();
  RelaySettings last = settings_of_last();
  last.proxy_protocol = {ProxyTarget::parse(target).value()};
  start(settings_of_first(), last);
  const UniqueFd listener = listen_with_fast_open();
  for (int i = 0; i < 3; ++i) {
    const UniqueFd client = connect_with("question");
    const UniqueFd server = accept_at(listener);
    EXPECT_FALSE(came_by_fast_open(server.get()));
    std::string bytes;
    ASSERT_TRUE(until([&] {
      bytes += get(server.get()).bytes;
      return bytes.ends_with("question");
    }));
    const ProxyParse header = parse_proxy_header(
        {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, ProxyCrc::required);
    ASSERT_EQ(header.status, ProxyParse::Status::complete);
    EXPECT_EQ(header.header.source.address, ip("10.77.0.100"));
    EXPECT_EQ(bytes.substr(header.length), "question");
  }
}

}  // namespace
}  // namespace tw::relay
