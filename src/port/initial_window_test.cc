// The program in the kernel, on loopback connections. Needs root, and skips without it.
#include "port/initial_window.h"

#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

namespace tw {
namespace {

constexpr std::uint64_t unpaced = ~std::uint64_t{0};
// In the shortest RTT this fills more than any window here.
constexpr std::uint64_t fast = 100'000'000'000, slow = 1000;  // bytes a second
constexpr std::uint32_t stock = 10;

struct Pair {
  UniqueFd client, server;
};

Pair connect_pair() {
  const UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  Pair pair{.client = UniqueFd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}, .server = {}};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  const int segment = 1000;
  EXPECT_EQ(::setsockopt(listener.get(), IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment), 0);
  EXPECT_EQ(::bind(listener.get(), generic, size), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(::getsockname(listener.get(), generic, &size), 0);
  EXPECT_EQ(::connect(pair.client.get(), generic, size), 0);
  pair.server.reset(::accept(listener.get(), nullptr, nullptr));
  EXPECT_TRUE(pair.server);
  return pair;
}

std::string congestion_control(const UniqueFd& socket) {
  std::array<char, 16> name{};
  socklen_t size = name.size();
  EXPECT_EQ(::getsockopt(socket.get(), IPPROTO_TCP, TCP_CONGESTION, name.data(), &size), 0);
  return name.data();
}

bool set_control(const UniqueFd& socket, const std::string& name) {
  return ::setsockopt(socket.get(), IPPROTO_TCP, TCP_CONGESTION, name.data(),
                      static_cast<socklen_t>(name.size())) == 0;
}

std::uint32_t window(const UniqueFd& socket) {
  tcp_info read{};
  socklen_t size = sizeof read;
  EXPECT_EQ(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &read, &size), 0);
  return read.tcpi_snd_cwnd;
}

class InitialWindowTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto loaded = InitialWindow::load();
    ASSERT_TRUE(loaded) << loaded.error().text();
    program_ = std::make_unique<InitialWindow>(std::move(*loaded));
    program_->set_most(64);
    const auto enabled = program_->enable();
    ASSERT_TRUE(enabled) << enabled.error().text();
  }
  // As the relay does it.
  void open_window(const UniqueFd& socket, std::uint64_t bytes_per_s) {
    ASSERT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_s,
                           sizeof bytes_per_s),
              0);
    const std::string before = congestion_control(socket);
    ASSERT_TRUE(set_control(socket, program_->name()));
    EXPECT_EQ(congestion_control(socket), program_->name());
    ASSERT_TRUE(set_control(socket, before));
  }

  std::unique_ptr<InitialWindow> program_;
};

TEST_F(InitialWindowTest, OpensToWhatTheRateFillsAndNoFurtherThanItMay) {
  const Pair pair = connect_pair();
  ASSERT_EQ(window(pair.server), stock);
  open_window(pair.server, fast);
  EXPECT_EQ(window(pair.server), 64U);
  program_->set_most(20);
  const Pair later = connect_pair();
  open_window(later.server, fast);
  EXPECT_EQ(window(later.server), 20U);
}

TEST_F(InitialWindowTest, NeverMakesAWindowSmaller) {
  const Pair pair = connect_pair();
  open_window(pair.server, slow);
  EXPECT_EQ(window(pair.server), stock);
  program_->set_most(2);
  open_window(pair.server, fast);
  EXPECT_EQ(window(pair.server), stock);
}

TEST_F(InitialWindowTest, LeavesASocketThatIsNotPaced) {
  const Pair pair = connect_pair();
  open_window(pair.server, unpaced);
  EXPECT_EQ(window(pair.server), stock);
}

TEST_F(InitialWindowTest, LeavesASocketThatHasSentData) {
  const Pair pair = connect_pair();
  ASSERT_EQ(::send(pair.server.get(), "x", 1, 0), 1);
  const std::uint32_t before = window(pair.server);
  open_window(pair.server, fast);
  EXPECT_LE(window(pair.server), before + 1);  // its acknowledgement may have come
}

TEST_F(InitialWindowTest, IsThereWhileItIsEnabledAndTwiceUnderTwoNames) {
  auto other = InitialWindow::load();
  ASSERT_TRUE(other) << other.error().text();
  EXPECT_NE(other->name(), program_->name());
  const Pair pair = connect_pair();
  EXPECT_FALSE(set_control(pair.server, other->name())) << "not enabled";
  ASSERT_TRUE(other->enable());
  EXPECT_TRUE(set_control(pair.server, other->name()));
  EXPECT_TRUE(set_control(pair.server, "reno"));
  other->disable();
  EXPECT_FALSE(other->is_enabled());
  EXPECT_FALSE(set_control(pair.server, other->name()));
  EXPECT_TRUE(other->enable()) << "a reload turns it on again";
  EXPECT_TRUE(set_control(pair.server, other->name()));
}

// What could not be given back its own still delivers.
TEST_F(InitialWindowTest, ASocketThatKeepsItStillSends) {
  const Pair pair = connect_pair();
  ASSERT_TRUE(set_control(pair.server, program_->name()));
  const std::string sent(1'000'000, 'x');
  std::size_t gone = 0, come = 0;
  std::array<char, 65536> buffer{};
  while (come < sent.size()) {
    const auto count =
        ::send(pair.server.get(), sent.data() + gone, sent.size() - gone, MSG_DONTWAIT);
    if (count > 0) gone += static_cast<std::size_t>(count);
    const auto got = ::recv(pair.client.get(), buffer.data(), buffer.size(), 0);
    ASSERT_GT(got, 0);
    come += static_cast<std::size_t>(got);
  }
}

}  // namespace
}  // namespace tw
