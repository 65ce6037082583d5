#include "node/confine/file_broker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <string>

#include "node/config/config_file.h"
#include "node/config/config_include.h"
#include "node/config/test_config_folder.h"
#include "node/confine/test_child.h"

namespace tw::node::testing {
namespace {

constexpr int to_read = O_RDONLY | O_CLOEXEC | O_NOCTTY;
constexpr int to_append = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

/// The errno of a refusal, 0 if it was opened.
int opening(const std::string& path, int flags, mode_t mode = 0) {
  const UniqueFd file = open_file(path, flags, mode);
  return file ? 0 : errno;
}

class Brokered : public Confined {
 protected:
  void SetUp() override {
    Confined::SetUp();
    if (landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
    folder.write("node.toml", "private_key_file = \"node.key\"\n[relay.log]\nfile = \"" +
                                  folder.path() + "first.log\"\n");
    folder.write("other", "secret");
    folder.write("first.log", "");
  }

  /// In a confined child with a broker; `work` may call change(), which is done out here.
  int brokered(const std::function<int(FileBroker&)>& work) {
    if (::pipe(ask.data()) != 0 || ::pipe(done.data()) != 0) return 98;
    const pid_t changer = ::fork();
    if (changer == 0) {
      ::close(ask[1]);
      char one = 0;
      while (::read(ask[0], &one, 1) == 1) {
        folder.write("node.toml", "private_key_file = \"new.key\"\n[node]\nlog_file = \"" +
                                      folder.path() + "second.log\"\n");
        folder.write("new.key", "key");
        if (::write(done[1], "x", 1) != 1) break;
      }
      ::_exit(0);
    }
    const int failed = in_child([&] {
      const auto broker = FileBroker::start(folder.path() + "node.toml");
      if (!broker || !(*broker)->ready()) return 97;
      if (!drop_privileges() || !confine(common_reach())) return 96;
      return work(**broker);
    });
    for (const int fd : {ask[0], ask[1], done[0], done[1]}) ::close(fd);
    ::waitpid(changer, nullptr, 0);
    return failed;
  }

  bool change() const {
    char one = 0;
    return ::write(ask[1], "x", 1) == 1 && ::read(done[0], &one, 1) == 1;
  }

  std::string in(const std::string& name) const { return folder.path() + name; }

  TestFolder folder;
  std::array<int, 2> ask{}, done{};
};

TEST_F(Brokered, WhatTheConfigurationNamesIsOpenedAndNothingElse) {
  EXPECT_EQ(brokered([this](FileBroker&) {
              if (opening(in("node.toml"), to_read) != 0) return 1;
              if (opening(in("node.key"), to_read) != 0) return 2;
              if (opening(in("first.log"), to_append, 0640) != 0) return 3;
              if (opening(in("other"), to_read) != EACCES) return 4;
              if (opening("/var/lib/dpkg/status", to_read) != EACCES) return 5;
              if (opening("/etc/cron.d/thalweg-broker-test", to_append, 0644) != EACCES) return 6;
              if (opening(in("./node.key"), to_read) != EACCES) return 7;  // it is not written so
              return 0;
            }),
            0);
  EXPECT_NE(::unlink("/etc/cron.d/thalweg-broker-test"), 0) << "it was made";
}

TEST_F(Brokered, OnlyInTheWayThatItIsFor) {
  EXPECT_EQ(brokered([this](FileBroker&) {
              if (opening(in("node.key"), to_append, 0600) != EACCES) return 1;
              if (opening(in("first.log"), to_read) != EACCES) return 2;
              if (opening(in("node.toml"), O_RDWR | O_CLOEXEC) != EINVAL) return 3;
              if (opening(in("first.log"), O_WRONLY | O_CREAT | O_TRUNC, 0600) != EINVAL) return 4;
              // Nobody else may write to a log, whatever is asked for.
              if (opening(in("first.log"), to_append, 07777) != 0) return 5;
              struct stat status{};
              if (::stat(in("first.log").c_str(), &status) != 0) return 6;
              return (status.st_mode & 07777U & ~0640U) == 0 ? 0 : 7;
            }),
            0);
}

TEST_F(Brokered, AChangedConfigurationIsReadAgain) {
  EXPECT_EQ(brokered([this](FileBroker&) {
              if (opening(in("second.log"), to_append, 0640) != EACCES) return 1;
              if (!change()) return 2;
              if (opening(in("second.log"), to_append, 0640) != 0) return 3;
              if (opening(in("new.key"), to_read) != 0) return 4;
              if (opening(in("node.toml"), to_read) != 0) return 5;
              // The old names are none any more.
              return opening(in("node.key"), to_read) != EACCES ? 6 : 0;
            }),
            0);
}

// A peer that is added while the node runs is in a file that nothing named before.
TEST_F(Brokered, IncludedFilesAreListedAndRead) {
  ASSERT_EQ(::mkdir(in("peers.d").c_str(), 0700), 0);
  folder.write("peers.d/a.toml", "[[peer]]\npreshared_key_file = \"a.psk\"\n");
  folder.write("peers.d/a.psk", "key");
  folder.write("peers.d/other", "secret");
  folder.write("node.toml", "[tunnel]\ninclude = [\"peers.d\"]\n");
  EXPECT_EQ(brokered([this](FileBroker&) {
              if (opening(in("peers.d/a.psk"), to_read) != 0) return 1;
              if (opening(in("peers.d/"), to_read | O_DIRECTORY) != 0) return 2;
              const auto listed = included_files(IncludePattern::of("peers.d", in("")));
              if (!listed || listed->size() != 1) return 3;
              if (!read_included_file(listed->front())) return 4;
              if (opening(in("peers.d/other"), to_read) != EACCES) return 5;
              if (opening(in(""), to_read | O_DIRECTORY) != EACCES) return 6;
              return opening(in("peers.d/a.toml"), to_append, 0600) != EACCES ? 7 : 0;
            }),
            0);
}

TEST_F(Brokered, ALongNameIsRefusedAndTheNextIsAnswered) {
  EXPECT_EQ(brokered([this](FileBroker&) {
              if (opening("/var/lib/" + std::string(8000, 'x'), to_read) == 0) return 1;
              return opening(in("node.key"), to_read) != 0 ? 2 : 0;
            }),
            0);
}

// Without a node there is nobody to ask for anything: not even a child of init may be left.
TEST_F(Brokered, ItEndsWithTheNodeThatIsKilled) {
  std::array<int, 2> alive{};
  ASSERT_EQ(::pipe(alive.data()), 0);
  EXPECT_EQ(in_child([&] {
              ::close(alive[0]);
              // The broker must inherit this end under a number that it does not close.
              ::dup2(alive[1], STDERR_FILENO);
              ::close(alive[1]);
              const auto broker = FileBroker::start(in("node.toml"));
              if (!broker || !(*broker)->ready()) return 1;
              return ::raise(SIGKILL);
            }),
            -SIGKILL);
  ::close(alive[1]);
  char one = 0;
  EXPECT_EQ(::read(alive[0], &one, 1), 0) << "the broker still holds the pipe";
  ::close(alive[0]);
}

}  // namespace
}  // namespace tw::node::testing
