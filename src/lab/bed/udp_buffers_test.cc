#include "lab/bed/udp_buffers.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/unique_fd.h"

namespace tw::lab {
namespace {

constexpr std::size_t wanted = 7U << 20U;  // more than net.core.rmem_max is on any stock system

int receive_buffer(const UniqueFd& socket) {
  int bytes = 0;
  socklen_t size = sizeof bytes;
  EXPECT_EQ(::getsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, &size), 0);
  return bytes;
}

// A process that has inherited a socket and sleeps: what it has is what we look at.
struct Sleeper {
  pid_t pid = ::fork();
  Sleeper() {
    if (pid == 0) {
      for (;;) ::pause();
    }
  }
  ~Sleeper() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
};

TEST(UdpBuffers, OfAnotherProcessGrowAndNoOtherSocketDoes) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const UniqueFd four{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const UniqueFd six{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const UniqueFd tcp{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const UniqueFd local{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ASSERT_TRUE(four && six && tcp && local);
  const std::array before{receive_buffer(tcp), receive_buffer(local)};
  const Sleeper other;
  const auto found = set_udp_receive_buffers(other.pid, wanted);
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(*found, 2U);
  EXPECT_EQ(receive_buffer(four), 2 * static_cast<int>(wanted));
  EXPECT_EQ(receive_buffer(six), 2 * static_cast<int>(wanted));
  EXPECT_EQ(receive_buffer(tcp), before[0]);
  EXPECT_EQ(receive_buffer(local), before[1]);
}

TEST(UdpBuffers, OfAProcessThatHasGoneAreAnError) {
  pid_t gone = 0;
  {
    const Sleeper other;
    gone = other.pid;
  }
  EXPECT_FALSE(set_udp_receive_buffers(gone, wanted));
}

}  // namespace
}  // namespace tw::lab
