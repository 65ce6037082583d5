#include "node/endpoints/peer_recall.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace tw::node {
namespace {

class PeerRecallTest : public testing::Test {
 protected:
  PeerRecallTest() {
    std::string folder = testing::TempDir() + "recall-XXXXXX";
    folder_ = ::mkdtemp(folder.data());
    path_ = folder_ + "/tw0.peers";
  }
  ~PeerRecallTest() override { std::filesystem::remove_all(folder_); }

  RememberedPeer peer(std::uint16_t number, Duration ago = 1s) const {
    RememberedPeer made;
    made.public_key.bytes[0] = static_cast<std::uint8_t>(number);
    made.public_key.bytes[1] = static_cast<std::uint8_t>(number >> 8U);
    made.endpoint = Endpoint::parse("192.0.2.1:51820").value();
    made.handshake = {clock_.wall().since_epoch - ago};
    return made;
  }
  /// A node before this one has written these down, and all of them are configured.
  void before(std::vector<RememberedPeer> peers) {
    ASSERT_TRUE(PeerMemory{path_}.save(peers));
    for (const RememberedPeer& one : peers) {
      config_.peers.emplace_back().public_key = one.public_key;
    }
  }
  std::vector<RememberedPeer> in_file() const { return PeerMemory{path_}.load()->peers; }

  PeerRecall::Device device() {
    return {.greet =
                [this](PeerRecall::Peers peers) {
                  greeted_.insert(greeted_.end(), peers.begin(), peers.end());
                },
            .recent_peers =
                [this](PeerRecall::Peers unanswered) {
                  auto all = recent_;
                  all.insert(all.end(), unanswered.begin(), unanswered.end());
                  return all;
                },
            .traffic = [this] { return traffic_; }};
  }

  ManualClock clock_;
  std::string folder_, path_;
  NodeConfig config_;
  std::vector<RememberedPeer> greeted_, recent_;
  std::uint64_t traffic_ = 1;
  PeerRecall recall_{device(), clock_};
};

TEST_F(PeerRecallTest, GreetsThoseWhoSpokeLastFirstAFewAtATime) {
  std::vector<RememberedPeer> peers;
  for (std::uint16_t number = 0; number < 70; ++number) {
    peers.push_back(peer(number, std::chrono::seconds{70 - number}));
  }
  before(peers);
  recall_.recall(PeerMemory{path_}, config_);
  ASSERT_EQ(greeted_.size(), 32U);
  EXPECT_EQ(greeted_.front().public_key, peer(69).public_key);
  EXPECT_EQ(recall_.tend(true), 20);
  EXPECT_EQ(greeted_.size(), 32U) << "not before its time";
  clock_.advance(20ms);
  recall_.tend(true);
  clock_.advance(20ms);
  recall_.tend(true);
  EXPECT_EQ(greeted_.size(), 70U);
  EXPECT_EQ(recall_.tend(true), 960) << "then it waits until they are written down";
}

TEST_F(PeerRecallTest, AsksNeitherStrangersNorThoseWhoseSessionHasEnded) {
  before({peer(1), peer(2, remembered_for + 1s), peer(3)});
  std::erase_if(config_.peers,
                [this](const PeerConfig& one) { return one.public_key == peer(3).public_key; });
  recall_.recall(PeerMemory{path_}, config_);
  ASSERT_EQ(greeted_.size(), 1U);
  EXPECT_EQ(greeted_[0].public_key, peer(1).public_key);
}

TEST_F(PeerRecallTest, WritesDownOnlyAfterTraffic) {
  recall_.recall(PeerMemory{path_}, config_);
  recent_ = {peer(1)};
  EXPECT_EQ(recall_.tend(true), 1000);
  EXPECT_TRUE(in_file().empty());
  clock_.advance(1s);
  recall_.tend(true);
  EXPECT_EQ(in_file().size(), 1U);
  recent_ = {peer(1), peer(2)};
  clock_.advance(1s);
  recall_.tend(true);
  EXPECT_EQ(in_file().size(), 1U) << "nothing has been received";
  ++traffic_;
  clock_.advance(1s);
  recall_.tend(true);
  EXPECT_EQ(in_file().size(), 2U);
}

TEST_F(PeerRecallTest, APeerThatHasNotAnsweredYetIsNotForgotten) {
  before({peer(1)});
  recall_.recall(PeerMemory{path_}, config_);
  recall_.remember(true);
  EXPECT_EQ(in_file().size(), 1U);
  clock_.advance(remembered_for + 1s);
  ++traffic_;
  recall_.remember(true);
  EXPECT_TRUE(in_file().empty()) << "its session would have ended";
}

TEST_F(PeerRecallTest, AFileThatIsNotWantedIsNotReadAndGoes) {
  before({peer(1)});
  config_.process.remember_peers = false;
  recall_.recall(PeerMemory{path_}, config_);
  EXPECT_TRUE(greeted_.empty());
  recall_.remember(false);
  EXPECT_FALSE(std::filesystem::exists(path_));
  recent_ = {peer(2)};
  recall_.remember(true);
  EXPECT_EQ(in_file().size(), 1U) << "wanted again";
}

TEST_F(PeerRecallTest, WithoutAMemoryNothingIsDone) {
  recall_.recall(make_error(Error::Kind::unavailable, "no folder"), config_);
  recent_ = {peer(1)};
  clock_.advance(2s);
  EXPECT_EQ(recall_.tend(true), 1000);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace tw::node
