#include "node/endpoints/remembered_peers.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace tw::node {
namespace {

RememberedPeer peer(std::uint8_t number, const char* endpoint, std::int64_t seconds) {
  RememberedPeer made;
  made.public_key.bytes.fill(number);
  made.endpoint = *Endpoint::parse(endpoint);
  made.handshake = {std::chrono::seconds{seconds}};
  return made;
}
WallTime at(std::int64_t seconds) { return {std::chrono::seconds{seconds}}; }

TEST(RememberedPeers, AreReadAsTheyWereWritten) {
  std::vector<RememberedPeer> peers{peer(1, "192.0.2.1:51820", 1'700'000'000),
                                    peer(2, "[2001:db8::1]:1", 5), peer(3, "[fe80::1%3]:65535", 0)};
  peers[0].local = {*IpAddress::parse("198.51.100.7"), 2};
  peers[1].local = {*IpAddress::parse("2001:db8::7"), 4294967295};
  const auto read = remembered_peers_from(to_text(peers));
  EXPECT_EQ(read.peers, peers);
  EXPECT_EQ(read.damaged_lines, 0U);
  EXPECT_TRUE(remembered_peers_from("").peers.empty());
}

TEST(RememberedPeers, ALineThatIsNotOursCostsItselfAlone) {
  const RememberedPeer other = peer(2, "[2001:db8::1]:1", 5);
  const std::string key = crypto::key_to_base64(peer(1, "1.2.3.4:5", 0).public_key.bytes);
  const std::string good = key + " 192.0.2.1:51820 198.51.100.7 2 1700000000\n";
  const std::string after = to_text(std::span{&other, 1});
  ASSERT_EQ(remembered_peers_from(good + after).peers.size(), 2U);
  for (const std::string& bad :
       {std::string{"\n"}, ' ' + good, std::string{"x\n"}, key + '\n', std::string{"\0\0\n", 3},
        std::string(100'000, 'A') + '\n', key + " 192.0.2.1:0 - 0 1\n", key + " host:5 - 0 1\n",
        key + " 192.0.2.1:5 2001:db8::1 2 1\n", key + " 192.0.2.1:5 - 0 -1\n",
        key + " 192.0.2.1:5 - 0 01\n", key + " 192.0.2.1:5 - 0 99999999999999\n",
        key + " 192.0.2.1:5 - 4294967296 1\n", key + " 192.0.2.1:5 198.51.100.7 0 1\n",
        std::string{"AAAA 192.0.2.1:5 - 0 1\n"}, key + " 192.0.2.1:5 - 0 1 2\n",
        key + " 192.0.2.1:5 - 0 1\r\n", key + "\t192.0.2.1:5 - 0 1\n"}) {
    const RememberedText read = remembered_peers_from(bad + after);
    EXPECT_EQ(read.peers, std::vector{other}) << bad;
    EXPECT_EQ(read.damaged_lines, 1U) << bad;
  }
  // A line that a full disk has cut off may look whole.
  const RememberedText cut = remembered_peers_from(after + good.substr(0, good.size() - 4));
  EXPECT_EQ(cut.peers, std::vector{other});
  EXPECT_EQ(cut.damaged_lines, 1U);
}

TEST(RememberedPeers, NoMoreThanADeviceHas) {
  const std::vector<RememberedPeer> many(remembered_peers_max + 1, peer(1, "192.0.2.1:5", 1));
  const std::string text = to_text(many);
  EXPECT_EQ(remembered_peers_from(text).peers.size(), remembered_peers_max);
  const RememberedText read = remembered_peers_from(text + to_text(std::span{many}.first(1)));
  EXPECT_EQ(read.peers.size(), remembered_peers_max);
  EXPECT_EQ(read.damaged_lines, 1U);
}

TEST(RememberedPeers, OnlyThoseWhoseSessionsLive) {
  const std::vector<RememberedPeer> peers{
      peer(1, "192.0.2.1:1", 1000), peer(2, "192.0.2.2:1", 1181),
      peer(3, "192.0.2.3:1", 1180 - 180), peer(4, "192.0.2.4:1", 999),
      peer(1, "192.0.2.5:1", 1100)};
  const auto recent = still_recent(peers, at(1180));
  ASSERT_EQ(recent.size(), 2U);
  EXPECT_EQ(recent[0], peers[0]);  // of two lines for one key, the first
  EXPECT_EQ(recent[1], peers[2]);
}

class PeerMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "twp-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    memory_ = PeerMemory{folder_ + "/peers"};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  PeerMemory memory_{std::string{}};
  const std::vector<RememberedPeer> peers_{peer(1, "192.0.2.1:51820", 1000)};
};

TEST_F(PeerMemoryTest, KeepsThemForRootAlone) {
  EXPECT_TRUE(memory_.load()->peers.empty());
  ASSERT_TRUE(memory_.save(peers_));
  EXPECT_EQ(memory_.load()->peers, peers_);
  struct stat status{};
  ASSERT_EQ(::stat(memory_.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  ASSERT_TRUE(memory_.save({}));
  EXPECT_FALSE(std::filesystem::exists(memory_.path()));
  ASSERT_TRUE(memory_.save({}));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PeerMemoryTest, BelievesNobodyElsesFile) {
  ASSERT_TRUE(memory_.save(peers_));
  for (const unsigned mode : {0640U, 0604U, 0620U, 0666U}) {
    ASSERT_EQ(::chmod(memory_.path().c_str(), mode), 0);
    EXPECT_FALSE(memory_.load()) << mode;
  }
  if (::geteuid() == 0) {
    ASSERT_EQ(::chmod(memory_.path().c_str(), 0600), 0);
    ASSERT_EQ(::chown(memory_.path().c_str(), 12345, 0), 0);
    EXPECT_FALSE(memory_.load());
  }
}

TEST_F(PeerMemoryTest, FollowsNoLink) {
  const std::string victim = folder_ + "/victim";
  std::ofstream{victim} << "word";
  ASSERT_EQ(::chmod(victim.c_str(), 0600), 0);
  ASSERT_EQ(::symlink(victim.c_str(), memory_.path().c_str()), 0);
  ASSERT_EQ(::symlink(victim.c_str(), (memory_.path() + ".new").c_str()), 0);
  EXPECT_EQ(memory_.load().error().os_errno, ELOOP);
  ASSERT_TRUE(memory_.save(peers_));  // in the link's place, not through it
  EXPECT_EQ(memory_.load()->peers, peers_);
  EXPECT_FALSE(std::filesystem::is_symlink(memory_.path()));
  EXPECT_EQ(std::filesystem::file_size(victim), 4U);
}

TEST_F(PeerMemoryTest, RefusesWhatIsNoFile) {
  ASSERT_EQ(::mkfifo(memory_.path().c_str(), 0600), 0);
  EXPECT_FALSE(memory_.load());  // and does not wait for somebody to write
  ::unlink(memory_.path().c_str());
  ASSERT_EQ(::mkdir(memory_.path().c_str(), 0700), 0);
  EXPECT_FALSE(memory_.load());
  EXPECT_FALSE(memory_.save(peers_));
  EXPECT_FALSE(std::filesystem::exists(memory_.path() + ".new"));
}

// A sparse file of a terabyte would fill the memory.
TEST_F(PeerMemoryTest, ReadsNoMoreThanItWrites) {
  ASSERT_TRUE(memory_.save(peers_));
  ASSERT_EQ(::truncate(memory_.path().c_str(), off_t{1} << 40U), 0);
  const auto read = memory_.load();
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->peers, peers_);
  EXPECT_EQ(read->damaged_lines, 1U);
}

TEST_F(PeerMemoryTest, WritesWhatIsNewOnly) {
  const auto inode = [&] {
    struct stat status{};
    EXPECT_EQ(::stat(memory_.path().c_str(), &status), 0);
    return status.st_ino;
  };
  // Holds the inode, so that no other file is given its number.
  ASSERT_TRUE(memory_.save(peers_));
  const std::ifstream held{memory_.path()};
  const ino_t first = inode();
  ASSERT_TRUE(memory_.save(peers_));
  EXPECT_EQ(inode(), first);
  auto moved = peers_;
  moved[0].endpoint.port = 1;
  ASSERT_TRUE(memory_.save(moved));
  EXPECT_NE(inode(), first);
  EXPECT_EQ(memory_.load()->peers, moved);
  ::unlink(memory_.path().c_str());  // by whoever clears /run
  ASSERT_TRUE(memory_.save(moved));
  EXPECT_EQ(memory_.load()->peers, moved);
}

}  // namespace
}  // namespace tw::node
