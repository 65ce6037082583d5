// The program in the kernel, on loopback connections. Needs root, and skips without it.
#include "port/kernel/careful_resume.h"

#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

namespace tw {
namespace {

constexpr std::uint64_t fast = 1'000'000'000;  // bytes a second
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

void set_control(const UniqueFd& socket, const std::string& name) {
  ASSERT_EQ(::setsockopt(socket.get(), IPPROTO_TCP, TCP_CONGESTION, name.data(),
                         static_cast<socklen_t>(name.size())),
            0);
}

tcp_info state_of(const UniqueFd& socket) {
  tcp_info read{};
  socklen_t size = sizeof read;
  EXPECT_EQ(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &read, &size), 0);
  return read;
}
std::uint32_t window(const UniqueFd& socket) { return state_of(socket).tcpi_snd_cwnd; }

void transfer(const Pair& pair, std::size_t bytes) {
  const std::string sent(bytes, 'x');
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

using Probe = CarefulResume::Probe;

class CarefulResumeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto loaded = CarefulResume::load();
    ASSERT_TRUE(loaded) << loaded.error().text();
    program_ = std::make_unique<CarefulResume>(std::move(*loaded));
    const auto enabled = program_->enable();
    ASSERT_TRUE(enabled) << enabled.error().text();
  }
  void begin(const UniqueFd& socket, const CarefulResume::Start& start) {
    const auto begun = program_->begin(socket.get(), start);
    ASSERT_TRUE(begun) << begun.error().text();
  }

  std::unique_ptr<CarefulResume> program_;
};

TEST_F(CarefulResumeTest, OpensTheWindowAndSaysAtWhichRateItLeaves) {
  const Pair pair = connect_pair();
  ASSERT_EQ(window(pair.server), stock);
  begin(pair.server, {.bytes_per_s = fast, .window = 400});
  EXPECT_EQ(window(pair.server), 500U) << "with room for a burst";
  EXPECT_EQ(state_of(pair.server).tcpi_pacing_rate, 4 * fast);
  EXPECT_EQ(program_->reached(pair.server.get())->bytes_per_s, fast);
  EXPECT_EQ(congestion_control(pair.server), program_->name());
}

// Also after a start of it, of which nothing is begun anew.
TEST_F(CarefulResumeTest, AcknowledgesUnaskedAndLeavesTheSocketAsItIs) {
  const Pair pair = connect_pair();
  set_control(pair.server, "reno");
  for (const std::uint32_t wanted : {stock, 400U}) {
    const std::uint32_t sent = state_of(pair.server).tcpi_segs_out;
    const std::uint32_t heard = state_of(pair.client).tcpi_segs_in;
    ASSERT_TRUE(program_->acknowledge(pair.server.get()));
    EXPECT_EQ(state_of(pair.server).tcpi_segs_out, sent + 1);
    EXPECT_EQ(state_of(pair.client).tcpi_segs_in, heard + 1);
    EXPECT_EQ(congestion_control(pair.server), "reno");
    EXPECT_EQ(window(pair.server), wanted);
    if (wanted != stock) break;
    begin(pair.server, {.bytes_per_s = fast, .window = 400, .probe = Probe::nothing});
    set_control(pair.server, "reno");
  }
}

TEST_F(CarefulResumeTest, NeverMakesAWindowSmaller) {
  const Pair pair = connect_pair();
  begin(pair.server, {.bytes_per_s = fast, .window = 2});
  EXPECT_EQ(window(pair.server), stock);
}

// The capacity is known: the other congestion control has the socket as soon as the window is
// acknowledged.
TEST_F(CarefulResumeTest, GivesTheSocketOnWhenItsWindowHasBeenAcknowledged) {
  for (const std::string then : {"reno", "cubic", "bbr"}) {
    const Pair pair = connect_pair();
    set_control(pair.server, then);
    begin(pair.server, {.bytes_per_s = fast, .window = 100, .probe = Probe::nothing});
    transfer(pair, 50'000);
    EXPECT_EQ(congestion_control(pair.server), program_->name()) << "half of it is out";
    transfer(pair, 500'000);
    EXPECT_EQ(congestion_control(pair.server), then);
    EXPECT_GE(window(pair.server), then == "bbr" ? 4U : 90U);
  }
}

TEST_F(CarefulResumeTest, TriesNoMoreThanItIsTold) {
  const Pair pair = connect_pair();
  begin(pair.server, {.bytes_per_s = fast, .window = 64, .probe = Probe::nothing});
  EXPECT_EQ(window(pair.server), 64U);
  EXPECT_EQ(state_of(pair.server).tcpi_pacing_rate, fast);
}

TEST_F(CarefulResumeTest, IsCarefulWhereThePathOverflowed) {
  const Pair pair = connect_pair();
  begin(pair.server, {.bytes_per_s = fast, .window = 400, .probe = Probe::little});
  EXPECT_EQ(state_of(pair.server).tcpi_pacing_rate, fast * 5 / 4);
}

TEST_F(CarefulResumeTest, BeginsAgainOnASocketThatHasSent) {
  const Pair pair = connect_pair();
  transfer(pair, 5'000);
  begin(pair.server, {.bytes_per_s = fast, .window = 40});
  EXPECT_EQ(window(pair.server), 50U);
  begin(pair.server, {.bytes_per_s = fast, .window = 56});
  EXPECT_EQ(window(pair.server), 70U);
}

TEST_F(CarefulResumeTest, RefusesWhatDoesNotExist) {
  const Pair pair = connect_pair();
  const std::string before = congestion_control(pair.server);
  program_->disable();
  EXPECT_FALSE(program_->begin(pair.server.get(), {.bytes_per_s = fast, .window = 50}));
  EXPECT_EQ(congestion_control(pair.server), before);
  EXPECT_EQ(window(pair.server), stock);
  ASSERT_TRUE(program_->enable()) << "a reload turns it on again";
  begin(pair.server, {.bytes_per_s = fast, .window = 50});
}

TEST_F(CarefulResumeTest, IsThereTwiceUnderTwoNames) {
  auto other = CarefulResume::load();
  ASSERT_TRUE(other) << other.error().text();
  EXPECT_NE(other->name(), program_->name());
  ASSERT_TRUE(other->enable());
  const Pair pair = connect_pair();
  ASSERT_TRUE(other->begin(pair.server.get(), {.bytes_per_s = fast, .window = 50}));
  EXPECT_EQ(congestion_control(pair.server), other->name());
}

// The process that knows the name has gone: its sockets go on.
TEST_F(CarefulResumeTest, ASocketOutlivesIt) {
  const Pair pair = connect_pair();
  begin(pair.server, {.bytes_per_s = fast, .window = 5000});
  program_.reset();
  transfer(pair, 1'000'000);
}

}  // namespace
}  // namespace tw
