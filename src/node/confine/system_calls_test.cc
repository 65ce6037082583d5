#include "node/confine/system_calls.h"

#include <netdb.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include "node/confine/test_child.h"

namespace tw::node::testing {
namespace {

#if defined(__has_feature)
constexpr bool has_leak_check = __has_feature(address_sanitizer);
#else
constexpr bool has_leak_check = false;
#endif

class Filtered : public Confined {
 protected:
  void SetUp() override {
    Confined::SetUp();
    if (!can_filter_calls()) GTEST_SKIP() << "this kernel cannot filter system calls";
  }
};

/// The errno of a call without arguments that mean anything; 0 if it was let.
int calling(long number, long first = 0, long second = 0, long third = 0) {
  return ::syscall(number, first, second, third, 0, 0, 0) == -1 ? errno : 0;
}

TEST_F(Filtered, WhatANodeNeverCallsKillsIt) {
  for (const std::string_view name : deadly_calls()) {
    const int number = ::seccomp_syscall_resolve_name(std::string{name}.c_str());
    if (number < 0) continue;  // not of this architecture
    if (has_leak_check && name == "ptrace") continue;
    EXPECT_EQ(in_confined_child({}, [number] { return calling(number) != 0 ? 1 : 2; }), -SIGSYS)
        << name;
  }
}

TEST_F(Filtered, WhatTheListDoesNotHaveFailsAndIsCounted) {
  EXPECT_EQ(in_confined_child({},
                              [] {
                                if (refused_calls() != 0) return 1;
                                if (calling(SYS_sync) != EPERM) return 2;
                                if (calling(SYS_sync) != EPERM) return 3;
                                if (refused_calls() != 2) return 4;
                                int in_thread = 0;
                                std::thread{[&] { in_thread = calling(SYS_sync); }}.join();
                                return in_thread != EPERM || refused_calls() != 3 ? 5 : 0;
                              }),
            0);
}

TEST_F(Filtered, ArgumentsAreLookedAt) {
  EXPECT_EQ(
      in_confined_child(
          {},
          [] {
            if (calling(SYS_socket, AF_UNIX, SOCK_STREAM, 0) != EACCES) return 1;
            if (calling(SYS_socket, AF_PACKET, SOCK_RAW, 0) != EPERM) return 2;
            if (calling(SYS_socket, AF_VSOCK, SOCK_STREAM, 0) != EPERM) return 3;
            if (calling(SYS_ioctl, 0, TIOCSTI, 0) != EPERM) return 4;
            // The kernel looks at the low half alone.
            if (calling(SYS_ioctl, 0, static_cast<long>(0x1'0000'0000UL | TIOCSTI), 0) != EPERM) {
              return 5;
            }
            constexpr int run_and_write = PROT_READ | PROT_WRITE | PROT_EXEC;
            if (::mmap(nullptr, 4096, run_and_write, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                MAP_FAILED) {
              return 6;
            }
            if (calling(SYS_kill, ::getppid(), 0) != EPERM) return 7;
            if (calling(SYS_kill, -1, 0) != EPERM) return 8;
            if (calling(SYS_kill, ::getpid(), 0) != 0) return 9;
            if (!has_leak_check && calling(SYS_prctl, PR_SET_DUMPABLE, 1) != EPERM) return 10;
            constexpr long new_user_namespace = 0x1000'0000;
            if (calling(SYS_clone, new_user_namespace | SIGCHLD) != EPERM) return 11;
            if (!has_leak_check && calling(SYS_clone, SIGCHLD) != EPERM) return 12;
            return calling(SYS_prlimit64, ::getppid(), 0) != EPERM ? 13 : 0;
          }),
      0);
}

TEST_F(Filtered, WhatANodeDoesWorks) {
  EXPECT_EQ(in_confined_child({},
                              [] {
                                for (const int family : {AF_INET, AF_INET6, AF_NETLINK}) {
                                  if (calling(SYS_socket, family, SOCK_RAW, 0) == EPERM) return 1;
                                }
                                addrinfo* found = nullptr;  // loads what names are looked up with
                                if (::getaddrinfo("localhost", "80", nullptr, &found) != 0)
                                  return 2;
                                ::freeaddrinfo(found);
                                bool ran = false;
                                std::thread{[&ran] {
                                  ran = ::prctl(PR_SET_NAME, "thread", 0, 0, 0) == 0;
                                }}.join();
                                if (!ran) return 3;
                                if (::isatty(0) != 0 && errno == EPERM) return 4;
                                return refused_calls() == 0 ? 0 : 5;
                              }),
            0);
}

}  // namespace
}  // namespace tw::node::testing
