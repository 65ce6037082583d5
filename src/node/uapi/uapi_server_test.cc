#include "node/uapi/uapi_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

namespace tw::node {
namespace {

class Fixed final : public DeviceControl {
 public:
  Result<void> apply(const DeviceChange&) override {
    ++applied;
    return {};
  }
  Result<DeviceState> state() override { return now; }
  DeviceState now;
  int applied = 0;
};

class Client {
 public:
  explicit Client(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  bool say(std::string_view text) {
    return ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }
  /// Returns the bytes that can be read; sets closed() at the end.
  std::string hear() {
    std::string heard;
    std::array<char, 65536> part;
    for (;;) {
      const ssize_t size = ::recv(fd_.get(), part.data(), part.size(), 0);
      if (size <= 0) {
        closed_ = size == 0 || errno != EAGAIN;
        return heard;
      }
      heard.append(part.data(), static_cast<std::size_t>(size));
    }
  }
  bool closed() const { return closed_; }

 private:
  UniqueFd fd_;
  bool connected_ = false, closed_ = false;
};

class UapiServerTest : public testing::Test {
 protected:
  UapiServerTest() {
    std::string pattern = testing::TempDir() + "/twXXXXXX";
    folder_ = std::string{::mkdtemp(pattern.data())} + "/wg";
    server_ = open();
  }
  ~UapiServerTest() override {
    server_.reset();
    std::filesystem::remove_all(std::filesystem::path{folder_}.parent_path());
  }
  std::unique_ptr<UapiServer> open() {
    auto server = UapiServer::open("wg0", device_, clock_, folder_);
    EXPECT_TRUE(server) << server.error().text();
    return server ? std::move(*server) : nullptr;
  }
  /// Serves until there is nothing left that does not need a client.
  void serve() {
    pollfd waiting{server_->wait_fd(), POLLIN, 0};
    for (int turn = 0; turn < 1000 && ::poll(&waiting, 1, 0) > 0; ++turn) server_->handle();
  }
  void have_many_peers() {
    for (std::uint16_t i = 0; i < 10'000; ++i) {
      PeerState& peer = device_.now.peers.emplace_back();
      peer.public_key.bytes[0] = static_cast<std::uint8_t>(i);
      peer.public_key.bytes[1] = static_cast<std::uint8_t>(i >> 8U);
    }
  }

  Fixed device_;
  ManualClock clock_;
  std::string folder_;
  std::unique_ptr<UapiServer> server_;
};

constexpr std::string_view empty_state = "listen_port=0\nerrno=0\n\n";

TEST_F(UapiServerTest, IsRootsOnly) {
  struct stat file{};
  ASSERT_EQ(::stat(folder_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0700U);
  ASSERT_EQ(::stat(server_->path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
}

// wireguard-go before 2020 and packages of others make the folder with 0755.
TEST_F(UapiServerTest, AFolderThatWasOpenIsClosed) {
  server_.reset();
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
  auto server = UapiServer::open("again", device_, clock_, folder_);
  ASSERT_TRUE(server) << server.error().text();
  struct stat file{};
  ASSERT_EQ(::stat(folder_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0700U);
  server->reset();
  std::filesystem::create_directory_symlink(folder_, folder_ + "-link");
  EXPECT_FALSE(UapiServer::open("again", device_, clock_, folder_ + "-link"));
  std::filesystem::remove(folder_ + "-link");
}

TEST_F(UapiServerTest, AnswersSeveralRequestsOfSeveralClients) {
  Client first{server_->path()}, second{server_->path()};
  ASSERT_TRUE(first.say("get=1\n\nset=1\n\nge") && second.say("get=1\n\n"));
  serve();
  EXPECT_EQ(first.hear(), std::string{empty_state} + "errno=0\n\n");
  EXPECT_EQ(second.hear(), empty_state);
  ASSERT_TRUE(first.say("t=1\n\n"));
  serve();
  EXPECT_EQ(first.hear(), empty_state);
  EXPECT_EQ(device_.applied, 1);
  EXPECT_FALSE(first.closed());
}

TEST_F(UapiServerTest, AnswersWhoHasClosedItsHalf) {
  Client client{server_->path()};
  ASSERT_TRUE(client.say("get=1\n\n"));
  client.half_close();
  serve();
  EXPECT_EQ(client.hear(), empty_state);
  EXPECT_TRUE(client.closed());
}

TEST_F(UapiServerTest, SurvivesWhoComesAndGoes) {
  for (int i = 0; i < 100; ++i) {
    Client client{server_->path()};
    if (i % 2 == 0) client.say("get=1\n\n");
    if (i % 3 == 0) serve();
  }
  serve();
  Client client{server_->path()};
  ASSERT_TRUE(client.say("get=1\n\n"));
  serve();
  EXPECT_EQ(client.hear(), empty_state);
}

TEST_F(UapiServerTest, HangsUpOnStrangers) {
  Client client{server_->path()};
  ASSERT_TRUE(client.say("GET / HTTP/1.1\n\n"));
  serve();
  EXPECT_EQ(client.hear(), "");
  EXPECT_TRUE(client.closed());
}

// Answers larger than any socket buffer wait for their reader, and for him alone.
TEST_F(UapiServerTest, ASlowReaderHoldsUpNobody) {
  have_many_peers();
  Client slow{server_->path()}, quick{server_->path()};
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += "get=1\n\n";
  ASSERT_TRUE(slow.say(requests));
  serve();
  ASSERT_TRUE(quick.say("set=1\n\n"));
  serve();
  EXPECT_EQ(quick.hear(), "errno=0\n\n");
  std::string heard;
  while (heard.size() < 20'000'000 && !slow.closed()) {
    const std::string part = slow.hear();
    if (part.empty()) break;
    heard += part;
    serve();
  }
  std::size_t answers = 0;
  for (std::size_t at = 0; (at = heard.find("errno=0\n\n", at)) != std::string::npos; ++at) {
    ++answers;
  }
  EXPECT_GT(heard.size(), 10'000'000U);
  EXPECT_TRUE(heard.size() >= 20'000'000U || answers == 20U);
}

TEST_F(UapiServerTest, SilentClientsAreCutOffInTime) {
  Client stalled{server_->path()};
  ASSERT_TRUE(stalled.say("set=1\nlisten_p"));
  serve();
  clock_.advance(UapiServer::client_timeout - 1s);
  server_->handle();
  EXPECT_EQ(stalled.hear(), "");
  EXPECT_FALSE(stalled.closed());
  clock_.advance(1s);
  server_->handle();
  stalled.hear();
  EXPECT_TRUE(stalled.closed());
  EXPECT_EQ(device_.applied, 0);
}

TEST_F(UapiServerTest, TheLongestSilentMakesWay) {
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < UapiServer::clients_max; ++i) {
    clients.push_back(std::make_unique<Client>(server_->path()));
    ASSERT_TRUE(clients.back()->connected());
    serve();
    clock_.advance(1ms);
  }
  ASSERT_TRUE(clients.front()->say("get=1\n\n"));
  serve();
  EXPECT_EQ(clients.front()->hear(), empty_state);
  Client late{server_->path()};
  ASSERT_TRUE(late.say("get=1\n\n"));
  serve();
  EXPECT_EQ(late.hear(), empty_state);
  EXPECT_FALSE(clients[0]->closed());
  clients[1]->hear();
  EXPECT_TRUE(clients[1]->closed());
  clients[2]->hear();
  EXPECT_FALSE(clients[2]->closed());
}

TEST_F(UapiServerTest, ALiveSocketIsRefusedAStaleOneReplaced) {
  EXPECT_FALSE(UapiServer::open("wg0", device_, clock_, folder_));
  // As a killed process leaves it: the file stays, nobody listens.
  const std::string path = server_->path();
  std::filesystem::rename(path, path + ".kept");
  server_.reset();
  std::filesystem::rename(path + ".kept", path);
  ASSERT_TRUE(std::filesystem::is_socket(path));
  server_ = open();
  Client client{path};
  ASSERT_TRUE(client.say("get=1\n\n"));
  serve();
  EXPECT_EQ(client.hear(), empty_state);
}

TEST_F(UapiServerTest, WhatIsNoSocketIsLeftAlone) {
  const std::string path = folder_ + "/wg1.sock";
  UniqueFd file{::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)};
  EXPECT_FALSE(UapiServer::open("wg1", device_, clock_, folder_));
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST_F(UapiServerTest, SeesThatItsFileIsGone) {
  serve();
  EXPECT_FALSE(server_->socket_removed());
  std::filesystem::remove(server_->path());
  serve();
  EXPECT_TRUE(server_->socket_removed());
}

// More than one turn takes, all of them before the first turn.
TEST_F(UapiServerTest, ServesACrowdThatCameAtOnce) {
  std::vector<std::unique_ptr<Client>> crowd;
  for (int i = 0; i < 17; ++i) {
    crowd.push_back(std::make_unique<Client>(server_->path()));
    ASSERT_TRUE(crowd.back()->connected());
    ASSERT_TRUE(crowd.back()->say("get=1\n\n"));
  }
  serve();
  for (const auto& client : crowd) EXPECT_EQ(client->hear(), empty_state);
}

TEST_F(UapiServerTest, WithoutDescriptorsItHangsUpAndDoesNotSpin) {
  // UBSan looks at an object's type for the first time through a pipe, which needs descriptors.
  Client before_that{server_->path()};
  ASSERT_TRUE(before_that.say("get=1\n\n"));
  serve();
  Client waiting{server_->path()};
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(UniqueFd{::dup(STDERR_FILENO)}.get());
  pollfd readable{server_->wait_fd(), POLLIN, 0};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  server_->handle();
  const int still_readable = ::poll(&readable, 1, 0);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(still_readable, 0);
  waiting.hear();
  EXPECT_TRUE(waiting.closed());
  Client later{server_->path()};
  ASSERT_TRUE(later.say("get=1\n\n"));
  serve();
  EXPECT_EQ(later.hear(), empty_state);
}

TEST_F(UapiServerTest, RemovesItsOwnFileOnly) {
  const std::string path = server_->path();
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
  server_ = open();
  std::filesystem::remove(path);
  const auto other = open();
  server_.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace tw::node
