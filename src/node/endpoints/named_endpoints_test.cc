#include "node/endpoints/named_endpoints.h"

#include <gtest/gtest.h>

namespace tw::node {
namespace {

Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }
crypto::PublicKey key(std::uint8_t number) {
  crypto::PublicKey made;
  made.bytes[0] = number;
  return made;
}
PeerConfig peer(std::uint8_t number, std::optional<EndpointName> endpoint) {
  PeerConfig made;
  made.public_key = key(number);
  made.endpoint = std::move(endpoint);
  return made;
}

class NamedEndpointsTest : public testing::Test {
 protected:
  NamedEndpointsTest() { named.configure(peers); }

  const EndpointName name{"pop.example", 51820};
  const std::vector<PeerConfig> peers{peer(1, name), peer(2, EndpointName{"192.0.2.2", 2}),
                                      peer(3, std::nullopt), peer(4, name)};
  const Instant now{100s};
  NamedEndpoints named;
};

// Nobody else would: a peer without an endpoint sends nothing that could go unanswered.
TEST_F(NamedEndpointsTest, ANameThatHasNoAddressYetIsAskedForAgain) {
  EXPECT_EQ(named.next_due(), Instant::max());
  EXPECT_TRUE(named.resolved({name, std::nullopt}, now).empty());
  EXPECT_EQ(named.next_due(), now + 1s);
  EXPECT_TRUE(named.due(now + 999ms).empty());
  EXPECT_EQ(named.due(now + 1s), std::vector{name});
  EXPECT_TRUE(named.due(now + 1s).empty()) << "once a turn";
  EXPECT_EQ(named.next_due(), Instant::max()) << "until its answer comes";
  Duration wait = 1s;
  for (int i = 0; i < 8; ++i) {
    named.resolved({name, std::nullopt}, now);
    wait = std::min<Duration>(60s, 2 * wait);
    EXPECT_EQ(named.next_due(), now + wait);
  }
  EXPECT_EQ(named.resolved({name, at("192.0.2.1:51820")}, now).size(), 2U);
  EXPECT_EQ(named.next_due(), Instant::max());
}

TEST_F(NamedEndpointsTest, NamesThatAreKnownOrGoneHaveNoTurn) {
  named.resolved({name, at("192.0.2.1:51820")}, now);
  named.resolved({name, std::nullopt}, now);
  EXPECT_EQ(named.next_due(), Instant::max());
  named.resolved({{"other.example", 1}, std::nullopt}, now);
  EXPECT_EQ(named.next_due(), Instant::max());
  const EndpointName third{"third.example", 1};
  named.configure({peer(1, third)});
  named.resolved({third, std::nullopt}, now);
  EXPECT_EQ(named.next_due(), now + 1s);
  named.configure(peers);
  EXPECT_EQ(named.next_due(), Instant::max());
}

TEST_F(NamedEndpointsTest, NumbersNeedNoAnswer) {
  EXPECT_EQ(named.names(), std::vector{name}) << "once, for two peers";
  EXPECT_EQ(named.of(peers[0]), std::nullopt);
  EXPECT_EQ(named.of(peers[1]), at("192.0.2.2:2"));
  EXPECT_EQ(named.of(peers[2]), std::nullopt);
  EXPECT_EQ(named.unanswered(key(2)), std::nullopt);
  EXPECT_EQ(named.unanswered(key(9)), std::nullopt);
}

TEST_F(NamedEndpointsTest, AFirstAnswerMovesAllPeersOfTheName) {
  const auto moves = named.resolved({name, at("192.0.2.1:51820")}, now);
  ASSERT_EQ(moves.size(), 2U);
  for (const auto& move : moves) {
    EXPECT_EQ(move.endpoint, at("192.0.2.1:51820"));
    EXPECT_TRUE(move.peer == key(1) || move.peer == key(4));
  }
  EXPECT_EQ(named.of(peers[3]), at("192.0.2.1:51820"));
  EXPECT_TRUE(named.resolved({name, at("192.0.2.1:51820")}, now).empty()) << "nothing new";
}

// An answer that is not new moves only who does not answer where it is: it may have roamed.
TEST_F(NamedEndpointsTest, OnlyWhoDoesNotAnswerIsMovedBack) {
  named.resolved({name, at("192.0.2.1:51820")}, now);
  EXPECT_EQ(named.unanswered(key(4)), name);
  const auto moves = named.resolved({name, at("192.0.2.1:51820")}, now);
  ASSERT_EQ(moves.size(), 1U);
  EXPECT_EQ(moves[0].peer, key(4));
  EXPECT_TRUE(named.resolved({name, at("192.0.2.1:51820")}, now).empty()) << "once";
}

TEST_F(NamedEndpointsTest, ANameThatFailsKeepsItsLastAddress) {
  named.resolved({name, at("192.0.2.1:51820")}, now);
  named.unanswered(key(1));
  EXPECT_TRUE(named.resolved({name, std::nullopt}, now).empty());
  EXPECT_EQ(named.of(peers[0]), at("192.0.2.1:51820"));
}

TEST_F(NamedEndpointsTest, AReloadKeepsWhatIsKnownAndForgetsTheRest) {
  named.resolved({name, at("192.0.2.1:51820")}, now);
  named.configure({peer(1, name)});
  EXPECT_EQ(named.of(peers[0]), at("192.0.2.1:51820"));
  const EndpointName other{"other.example", 1};
  named.configure({peer(1, other)});
  EXPECT_EQ(named.of(peer(1, other)), std::nullopt);
  EXPECT_TRUE(named.resolved({name, at("192.0.2.9:51820")}, now).empty()) << "an answer too late";
  named.configure({peer(1, name)});
  EXPECT_EQ(named.of(peers[0]), std::nullopt);
}

}  // namespace
}  // namespace tw::node
