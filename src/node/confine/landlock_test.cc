#include "node/confine/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/unique_fd.h"
#include "node/config/test_config_folder.h"
#include "node/confine/test_child.h"

namespace tw::node::testing {
namespace {

/// Opens and closes; the errno of a refusal, 0 if it was let.
int opening(const std::string& path, int flags) {
  const UniqueFd file{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
  return file ? 0 : errno;
}

class Landlocked : public Confined {
 protected:
  void SetUp() override {
    Confined::SetUp();
    if (landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  }
};

// Each was open to uid 0 without a capability. None is written to by this test, should it be let.
TEST_F(Landlocked, FilesOfRootThatRunProgramsCannotBeWritten) {
  const std::string job = "/etc/cron.d/thalweg-landlock-test";
  EXPECT_EQ(in_confined_child({},
                              [&job] {
                                if (opening(job, O_WRONLY | O_CREAT) != EACCES) return 1;
                                if (opening("/etc/passwd", O_WRONLY | O_APPEND) != EACCES) return 2;
                                if (opening("/etc/passwd", O_RDWR) != EACCES) return 3;
                                constexpr const char* pattern = "/proc/sys/kernel/core_pattern";
                                if (opening(pattern, O_WRONLY) != EACCES) return 4;
                                if (opening("/proc/sysrq-trigger", O_WRONLY) == 0) return 5;
                                if (opening("/proc/self/mem", O_RDWR) != EACCES) return 6;
                                if (opening("/var/lib/dpkg/status", O_RDONLY) != EACCES) return 7;
                                return opening("/var/lib/thalweg-landlock-test",
                                               O_WRONLY | O_CREAT) != EACCES
                                           ? 8
                                           : 0;
                              }),
            0);
  EXPECT_NE(::unlink(job.c_str()), 0) << "it was made";
  EXPECT_NE(::unlink("/var/lib/thalweg-landlock-test"), 0) << "it was made";
}

TEST_F(Landlocked, AFileOutsideIsNeitherChangedNorMovedNorRemoved) {
  const TestFolder outside, inside;
  outside.write("file", "as it was");
  const std::string file = outside.path() + "file";
  const std::string other = inside.path() + "other";
  EXPECT_EQ(in_confined_child({{inside.path(), Reach::keep}},
                              [&] {
                                if (opening(file, O_RDONLY) != EACCES) return 1;
                                if (opening(file, O_RDONLY | O_TRUNC) == 0) return 2;
                                if (::truncate(file.c_str(), 0) == 0) return 3;
                                if (::unlink(file.c_str()) == 0) return 4;
                                if (::rename(file.c_str(), other.c_str()) == 0) return 5;
                                if (::link(file.c_str(), other.c_str()) == 0) return 6;
                                if (::symlink(file.c_str(), other.c_str()) == 0) return 7;
                                if (::chmod(file.c_str(), 0666) == 0) return 8;
                                if (::chown(file.c_str(), 1, 1) == 0) return 9;
                                if (::mkdir((file + ".d").c_str(), 0700) == 0) return 10;
                                if (::mkfifo((file + ".p").c_str(), 0600) == 0) return 11;
                                return ::rmdir(outside.path().c_str()) == 0 ? 12 : 0;
                              }),
            0);
  std::ifstream stream{file};
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>{stream}, {}), "as it was");
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST_F(Landlocked, WhatARuleNamesIsInReachForThreadsToo) {
  const TestFolder inside;
  EXPECT_EQ(
      in_confined_child({{inside.path(), Reach::keep}},
                        [&inside] {
                          const std::string file = inside.path() + "new";
                          if (opening(file, O_RDWR | O_CREAT) != 0) return 1;
                          if (::rename(file.c_str(), (file + ".2").c_str()) != 0) return 2;
                          if (::unlink((file + ".2").c_str()) != 0) return 3;
                          if (opening("/proc/sys/net/ipv4/conf/lo/forwarding", O_WRONLY) != 0)
                            return 4;
                          if (opening("/dev/net/tun", O_RDWR) != 0) return 5;
                          if (opening("/dev/null", O_RDWR) != 0) return 6;
                          if (opening("/etc/resolv.conf", O_RDONLY) == EACCES) return 7;
                          int in_thread = -1;
                          std::thread{[&] { in_thread = opening("/etc/passwd", O_RDWR); }}.join();
                          return in_thread != EACCES ? 8 : 0;
                        }),
      0);
}

// The folder of settings belongs to no file system that keeps it: without a descriptor of ours the
// kernel may forget it, and the rule with it.
TEST_F(Landlocked, SettingsStayInReachWhenTheKernelForgetsWhatIsNotUsed) {
  constexpr const char* drop = "/proc/sys/vm/drop_caches";
  if (opening(drop, O_WRONLY) != 0) GTEST_SKIP() << "the kernel cannot be told to forget";
  std::array<int, 2> go{}, gone{};
  ASSERT_EQ(::pipe(go.data()), 0);
  ASSERT_EQ(::pipe(gone.data()), 0);
  const pid_t forgetter = ::fork();
  if (forgetter == 0) {
    char said = 0;
    ::close(go[1]);
    while (::read(go[0], &said, 1) == 1) {
      std::ofstream{drop} << "2\n" << std::flush;
      if (::write(gone[1], &said, 1) != 1) break;
    }
    ::_exit(0);
  }
  EXPECT_EQ(in_confined_child({},
                              [&go, &gone] {
                                for (int round = 0; round < 3; ++round) {
                                  char done = 0;
                                  if (::write(go[1], "x", 1) != 1 || ::read(gone[0], &done, 1) != 1)
                                    return 1;
                                  if (opening("/proc/sys/net/ipv4/ip_forward", O_WRONLY) != 0) {
                                    return 2 + round;
                                  }
                                }
                                return 0;
                              }),
            0);
  for (const int end : {go[0], go[1], gone[0], gone[1]}) ::close(end);
  ::waitpid(forgetter, nullptr, 0);
}

TEST(Landlock, EachVersionSaysWhatItLacks) {
  EXPECT_EQ(landlock_lacks(0).size(), 1U);
  EXPECT_EQ(landlock_lacks(1).size(), 4U);
  EXPECT_EQ(landlock_lacks(2).size(), 3U);  // Debian 12
  EXPECT_EQ(landlock_lacks(5).size(), 1U);
  EXPECT_TRUE(landlock_lacks(6).empty());
}

}  // namespace
}  // namespace tw::node::testing
