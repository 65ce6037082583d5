#include "machine/privileges.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "machine/test_network.h"

namespace tw::node::testing {
namespace {

// A child's rights are not ours to get back: the work is done in a fork, which says by its exit
// code which check failed; 0: none.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

std::uint64_t status_mask(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(field + ":\t")) continue;
    std::uint64_t mask = 0;
    std::from_chars(line.data() + field.size() + 2, line.data() + line.size(), mask, 16);
    return mask;
  }
  return ~std::uint64_t{0};
}

constexpr std::uint64_t kept =
    std::uint64_t{1} << unsigned{CAP_NET_ADMIN} | std::uint64_t{1} << unsigned{CAP_NET_RAW} |
    std::uint64_t{1} << unsigned{CAP_BPF} | std::uint64_t{1} << unsigned{CAP_SYS_RESOURCE} |
    std::uint64_t{1} << unsigned{CAP_NET_BIND_SERVICE};

class Privileges : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to have something to drop";
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
    GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, which a forked child lacks";
#endif
#endif
  }
};

TEST_F(Privileges, ExactlyTheNamedCapabilitiesRemain) {
  const std::uint64_t wanted = status_mask("CapPrm") & status_mask("CapBnd") & kept;
  EXPECT_EQ(in_child([wanted] {
              if (!drop_privileges()) return 1;
              if (status_mask("CapEff") != wanted) return 2;
              if (status_mask("CapPrm") != wanted) return 3;
              if (status_mask("CapBnd") != wanted) return 4;
              if (status_mask("CapInh") != 0 || status_mask("CapAmb") != 0) return 5;
              if (::geteuid() != 0 || ::getuid() != 0) return 6;
              return 0;
            }),
            0);
}

// As under a service manager that has taken the rest already, and the right to take any with it.
TEST_F(Privileges, WithoutTheRightToNarrowTheBoundingSetOnlyANarrowOneWillDo) {
  const std::uint64_t wanted = status_mask("CapPrm") & status_mask("CapBnd") & kept;
  const auto give_up_setpcap = [wanted] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> sets{};
    for (std::size_t half = 0; half < sets.size(); ++half) {
      sets[half].effective = sets[half].permitted =
          static_cast<std::uint32_t>(wanted >> (32U * half));
    }
    return ::syscall(SYS_capset, &header, sets.data()) == 0;
  };
  EXPECT_EQ(in_child([&] {
              for (unsigned one = 0; ::prctl(PR_CAPBSET_READ, one, 0, 0, 0) >= 0; ++one) {
                if ((wanted >> one & 1U) == 0) ::prctl(PR_CAPBSET_DROP, one, 0, 0, 0);
              }
              if (!give_up_setpcap()) return 1;
              if (!drop_privileges()) return 2;
              return status_mask("CapEff") == wanted && status_mask("CapBnd") == wanted ? 0 : 3;
            }),
            0);
  EXPECT_EQ(in_child([&] { return give_up_setpcap() && !drop_privileges() ? 0 : 1; }), 0);
}

TEST_F(Privileges, NoCoreNoDebuggerNoNewPrivileges) {
  EXPECT_EQ(in_child([] {
              if (!drop_privileges()) return 1;
              rlimit core{};
              if (::getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0) return 2;
              if (core.rlim_max != 0) return 3;
              if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return 4;
              if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 5;
              return 0;
            }),
            0);
}

// A reload must still be possible, and nothing beyond it.
TEST_F(Privileges, TheNetworkCanStillBeChangedAndFilesOfOthersCannot) {
  const ScratchNamespace scratch;
  if (!scratch.entered()) GTEST_SKIP() << "needs a network namespace";
  EXPECT_EQ(in_child([] {
              auto netlink = Netlink::open();
              if (!netlink || !drop_privileges()) return 1;
              if (!netlink->links.set_mtu("lo", 9000)) return 2;
              const UniqueFd file{::open("/proc/sys/net/ipv4/ip_forward", O_WRONLY)};
              if (!file || ::write(file.get(), "1", 1) != 1) return 3;
              if (::setuid(65534) == 0) return 4;
              if (::unshare(CLONE_NEWNET) == 0) return 5;
              return 0;
            }),
            0);
}

TEST_F(Privileges, DroppingTwiceIsHarmless) {
  // The second time CAP_SETPCAP is gone, and there is nothing to take from the bounding set.
  EXPECT_EQ(in_child([] {
              if (!drop_privileges()) return 1;
              const auto again = drop_privileges();
              return again ? 0 : 2;
            }),
            0);
}

#if !defined(__SANITIZE_THREAD__)
TEST_F(Privileges, RefusesWhenThreadsAreRunning) {
  EXPECT_EQ(in_child([] {
              std::atomic<bool> stop{false};
              std::thread other([&stop] { stop.wait(false); });
              const auto dropped = drop_privileges();
              stop = true;
              stop.notify_all();
              other.join();
              return dropped ? 1 : 0;
            }),
            0);
}
#endif

TEST_F(Privileges, FileLimitIsRaisedToTheHardOne) {
  EXPECT_EQ(in_child([] {
              rlimit files{256, 512};
              if (::setrlimit(RLIMIT_NOFILE, &files) != 0) return 1;
              const auto raised = raise_file_limit();
              if (!raised || *raised != 512) return 2;
              return ::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == 512 ? 0 : 3;
            }),
            0);
}

TEST_F(Privileges, NothingIsMissingForRootHere) {
  const ScratchNamespace scratch;
  if (!scratch.entered()) GTEST_SKIP() << "needs a network namespace";
  EXPECT_EQ(missing_prerequisites(true), std::vector<std::string>{});
}

TEST_F(Privileges, SaysWhatIsMissing) {
  EXPECT_EQ(in_child([] {
              if (::setuid(65534) != 0) return 1;
              const auto missing = missing_prerequisites(true);
              if (missing != std::vector<std::string>{"needs root: run with sudo"}) return 2;
              return drop_privileges() ? 3 : 0;
            }),
            0);
}

}  // namespace
}  // namespace tw::node::testing
