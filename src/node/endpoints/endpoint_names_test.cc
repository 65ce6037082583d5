#include "node/endpoints/endpoint_names.h"

#include <gtest/gtest.h>

#include <atomic>

namespace tw::node {
namespace {

constexpr const char* first_address = "192.0.2.1:51820";

PeerConfig peer(std::uint8_t number, std::optional<EndpointName> endpoint) {
  PeerConfig made;
  made.public_key.bytes[0] = number;
  made.endpoint = std::move(endpoint);
  return made;
}

class EndpointNamesTest : public testing::Test {
 protected:
  std::unique_ptr<EndpointNames> start(const std::vector<PeerConfig>& peers) {
    auto names = EndpointNames::start(peers, clock_,
                                      [this](const EndpointName& name) -> std::optional<Endpoint> {
                                        ++asked_;
                                        if (name.host == "nobody.example") return std::nullopt;
                                        return Endpoint::parse(first_address);
                                      });
    EXPECT_TRUE(names);
    return std::move(*names);
  }
  /// Waits until all that was asked for is answered; returns the moves.
  std::vector<NamedEndpoints::Move> answers(EndpointNames& names) {
    std::vector<NamedEndpoints::Move> moves;
    names.await([&] {
      const auto more = names.take();
      moves.insert(moves.end(), more.begin(), more.end());
      return true;
    });
    return moves;
  }

  ManualClock clock_;
  std::atomic<int> asked_{0};
  const EndpointName name_{"pop.example", 51820}, nobody_{"nobody.example", 1};
};

TEST_F(EndpointNamesTest, AnAnswerMovesThePeersOfItsName) {
  const auto names = start({peer(1, name_), peer(2, name_), peer(3, std::nullopt)});
  const auto moves = answers(*names);
  ASSERT_EQ(moves.size(), 2U);
  EXPECT_EQ(moves[0].endpoint.text(), first_address);
  EXPECT_EQ(asked_, 1) << "a name is asked for once";
  EXPECT_EQ(names->known().of(peer(1, name_)), Endpoint::parse(first_address));
}

TEST_F(EndpointNamesTest, APeerThatDoesNotAnswerIsLookedUpAgain) {
  const auto names = start({peer(1, name_)});
  answers(*names);
  const std::vector<crypto::PublicKey> silent{peer(1, {}).public_key, peer(9, {}).public_key};
  names->look_up_again(silent);
  EXPECT_EQ(answers(*names).size(), 1U);
  EXPECT_EQ(asked_, 2);
}

TEST_F(EndpointNamesTest, ANameWithoutAnAddressHasAnotherTurn) {
  const auto names = start({peer(1, nobody_)});
  EXPECT_TRUE(answers(*names).empty());
  EXPECT_EQ(names->look_up_due(), 1000);
  EXPECT_EQ(asked_, 1);
  clock_.advance(1s);
  EXPECT_EQ(names->look_up_due(), -1) << "its answer is awaited";
  answers(*names);
  EXPECT_EQ(asked_, 2);
}

TEST_F(EndpointNamesTest, AReloadChangesNothingUntilItIsTakenOver) {
  const auto names = start({peer(1, name_)});
  answers(*names);
  const EndpointName other{"other.example", 51820};
  NamedEndpoints next = names->known_with({peer(1, name_), peer(2, other)});
  EXPECT_EQ(next.of(peer(1, name_)), Endpoint::parse(first_address)) << "what is known stays known";
  EXPECT_EQ(names->known().names().size(), 1U);
  EXPECT_EQ(asked_, 1);
  names->adopt(std::move(next));
  const auto moves = answers(*names);
  EXPECT_EQ(names->known().of(peer(2, other)), Endpoint::parse(first_address));
  EXPECT_EQ(asked_, 3) << "all names are looked up again";
  ASSERT_EQ(moves.size(), 1U);
  EXPECT_EQ(moves[0].peer, peer(2, other).public_key);
}

TEST_F(EndpointNamesTest, WaitingEndsWhenItsCallerHasEnough) {
  const auto names = start({peer(1, name_)});
  int looks = 0;
  names->await([&] {
    ++looks;
    return false;
  });
  EXPECT_EQ(looks, 1);
}

}  // namespace
}  // namespace tw::node
