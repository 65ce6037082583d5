#include "node/tunnel/tunnel_sockets.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/udp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <set>

namespace tw::node {
namespace {

/// From here on this process lives on a kernel without UDP_GRO. Needs no privilege.
bool lose_udp_gro() {
  constexpr std::uint32_t call_at = offsetof(seccomp_data, nr);
  constexpr std::uint32_t level_at = offsetof(seccomp_data, args[1]);
  constexpr std::uint32_t option_at = offsetof(seccomp_data, args[2]);
  std::array<sock_filter, 8> program{{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, call_at),
                                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 5),
                                      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, level_at),
                                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOL_UDP, 0, 3),
                                      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, option_at),
                                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UDP_GRO, 0, 1),
                                      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
                                      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
  const sock_fprog filter{program.size(), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(TunnelSockets, SayWhetherTrainsComeWhole) {
  const auto wanted = TunnelSockets::open(0, 0, {.udp_receive = true});
  ASSERT_TRUE(wanted) << wanted.error().text();
  EXPECT_TRUE(wanted->receive_trains());
  const auto unwanted = TunnelSockets::open(0, 0, {.udp_receive = false});
  ASSERT_TRUE(unwanted) << unwanted.error().text();
  EXPECT_FALSE(unwanted->receive_trains());
}

TEST(TunnelSockets, WorkersShareAPortThatIsTakenForOthers) {
  const auto sockets = TunnelSockets::open(0, 0, {}, nullptr, 3);
  ASSERT_TRUE(sockets) << sockets.error().text();
  std::set<Port*> ports;
  for (std::size_t worker = 0; worker < 3; ++worker) {
    ports.insert(sockets->ports(worker).v4);
    ports.insert(sockets->ports(worker).v6);
  }
  ports.erase(nullptr);  // of a machine without IPv6
  EXPECT_EQ(ports.size() % 3, 0U);
  // Neither one socket nor another group may join.
  for (const std::size_t workers : {std::size_t{1}, std::size_t{3}}) {
    const auto second = TunnelSockets::open(sockets->port(), 0, {}, nullptr, workers);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().os_errno, EADDRINUSE);
  }
}

TEST(TunnelSockets, AClosedGroupLeavesThePort) {
  auto sockets = TunnelSockets::open(0, 0, {}, nullptr, 2);
  ASSERT_TRUE(sockets);
  const std::uint16_t port = sockets->port();
  sockets->close();
  EXPECT_FALSE(sockets->is_open());
  EXPECT_EQ(sockets->ports(1).v4, nullptr);
  EXPECT_TRUE(TunnelSockets::open(port, 0, {}, nullptr, 2));
}

TEST(TunnelSocketsDeathTest, AnOldKernelGivesNoTrainsWhateverIsWanted) {
  EXPECT_EXIT(
      {
        if (!lose_udp_gro()) ::_exit(2);
        const auto sockets = TunnelSockets::open(0, 0, {.udp_receive = true});
        ::_exit(sockets && !sockets->receive_trains() ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tw::node
