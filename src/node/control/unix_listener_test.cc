#include "node/control/unix_listener.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/test_descriptors.h"
#include "node/control/control_server.h"

namespace tw::node {
namespace {

using test::NoDescriptorsLeft;

namespace fs = std::filesystem;

constexpr UnixListenerWords words{.in_use = " is in use", .no_socket = " is no socket"};

UniqueFd socket() { return UniqueFd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}; }
bool connect(const UniqueFd& fd, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}
UniqueFd connect(const std::string& path) {
  UniqueFd fd = socket();
  EXPECT_TRUE(connect(fd, path));
  return fd;
}
bool hung_up(const UniqueFd& fd) {
  char byte = 0;
  return ::recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0;
}
bool readable(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, 0) > 0;
}

// Not a fixture: the sanitizer's check of a virtual table opens a pipe, which is what some tests
// make impossible.
struct Folder {
  Folder() {
    std::string pattern = fs::temp_directory_path() / "unixXXXXXX";
    folder = ::mkdtemp(pattern.data());
    path = folder + "/x.sock";
  }
  ~Folder() { fs::remove_all(folder); }
  Result<UnixListener> open() const { return UnixListener::open(path, 4, words); }
  std::string folder, path;
};

TEST(UnixListener, IsRootsOnlyAndGoesWithItsFile) {
  const Folder at;
  {
    const auto listener = at.open();
    ASSERT_TRUE(listener) << listener.error().text();
    EXPECT_EQ(fs::status(at.path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_TRUE(listener->is_ours());
  }
  EXPECT_FALSE(fs::exists(at.path));
}

TEST(UnixListener, ReplacesWhatNobodyAnswersAt) {
  const Folder at;
  {
    const auto killed = at.open();
    fs::rename(at.path, at.path + ".kept");
  }
  fs::rename(at.path + ".kept", at.path);
  auto listener = at.open();
  ASSERT_TRUE(listener) << listener.error().text();
  const UniqueFd client = connect(at.path);
  EXPECT_TRUE(listener->accept());
  EXPECT_FALSE(listener->accept());
}

TEST(UnixListener, LeavesAloneWhoeverAnswers) {
  const Folder at;
  const auto listener = at.open();
  ASSERT_TRUE(listener);
  const auto second = at.open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().detail, at.path + " is in use");
  // One that is too busy to answer is there all the same, and is not waited for.
  std::array<UniqueFd, 8> crowd;
  for (UniqueFd& client : crowd) {
    client.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    connect(client, at.path);
  }
  EXPECT_FALSE(at.open());
  EXPECT_TRUE(listener->is_ours());
}

TEST(UnixListener, LeavesAloneWhatIsNoSocket) {
  const Folder at;
  fs::create_directory(at.path);
  const auto listener = at.open();
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().detail, at.path + " is no socket");
  EXPECT_TRUE(fs::is_directory(at.path));
  EXPECT_FALSE(UnixListener::open("", 4, words));
  EXPECT_FALSE(UnixListener::open(std::string(108, 'x'), 4, words));
}

// A successor may have come while this one still lived.
TEST(UnixListener, LeavesItsSuccessorsFile) {
  const Folder at;
  std::optional<UnixListener> first{*at.open()};
  fs::remove(at.path);
  EXPECT_FALSE(first->is_ours());
  const auto second = at.open();
  ASSERT_TRUE(second);
  first.reset();
  EXPECT_TRUE(second->is_ours());
  EXPECT_TRUE(fs::exists(at.path));
}

TEST(UnixListener, WithoutDescriptorsWhoeverWaitsIsHungUpOn) {
  const Folder at;
  UnixListener listener = *at.open();
  const UniqueFd first = connect(at.path), second = connect(at.path);
  {
    const NoDescriptorsLeft none;
    EXPECT_FALSE(listener.accept());
    EXPECT_FALSE(readable(listener.fd())) << "or the loop would spin";
  }
  EXPECT_TRUE(hung_up(first));
  EXPECT_TRUE(hung_up(second));
  const UniqueFd third = connect(at.path);
  EXPECT_TRUE(listener.accept());
}

// ---- The control socket on top of it

ManualClock manual_clock;  // neither made nor looked at where descriptors are out

Result<std::unique_ptr<ControlServer>> control_at(const std::string& path) {
  return ControlServer::listen(path, manual_clock,
                               [](std::string_view request) { return std::string{request}; });
}
/// Takes turns until there is nothing to do now.
void serve(ControlServer& server) {
  for (int turn = 0; turn < 1000 && readable(server.wait_fd()); ++turn) server.handle();
}

TEST(ControlServer, AnswersLinesAndLeavesItsSuccessorsFile) {
  const Folder at;
  auto server = control_at(at.path);
  ASSERT_TRUE(server) << server.error().text();
  EXPECT_FALSE(control_at(at.path)) << "somebody answers";
  const UniqueFd client = connect(at.path);
  ASSERT_EQ(::send(client.get(), "one\ntwo\n", 8, MSG_NOSIGNAL), 8);
  serve(**server);
  std::array<char, 16> answer{};
  EXPECT_EQ(::recv(client.get(), answer.data(), answer.size(), MSG_DONTWAIT), 8);
  EXPECT_STREQ(answer.data(), "one\ntwo\n");
  fs::remove(at.path);
  auto successor = control_at(at.path);
  ASSERT_TRUE(successor);
  server->reset();
  EXPECT_TRUE(fs::exists(at.path));
  successor->reset();
  EXPECT_FALSE(fs::exists(at.path));
}

TEST(ControlServer, DoesNotSpinWithoutDescriptors) {
  const Folder at;
  auto server = control_at(at.path);
  ASSERT_TRUE(server);
  (*server)->handle();  // the sanitizer looks at the clock's virtual table by a pipe, once
  const UniqueFd client = connect(at.path);
  {
    const NoDescriptorsLeft none;
    (*server)->handle();
    EXPECT_FALSE(readable((*server)->wait_fd()));
  }
  EXPECT_TRUE(hung_up(client));
  const UniqueFd later = connect(at.path);
  ASSERT_EQ(::send(later.get(), "x\n", 2, MSG_NOSIGNAL), 2);
  serve(**server);
  EXPECT_TRUE(readable(later.get()));
}

void say(const UniqueFd& fd, std::string_view text) {
  ASSERT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}
std::string hear(const UniqueFd& fd) {
  std::array<char, 65536> bytes;
  const ssize_t got = ::recv(fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

TEST(ControlServer, OneWhoIsStuckKeepsNoPlaceFromOthers) {
  const Folder at;
  auto server = control_at(at.path);
  ASSERT_TRUE(server);
  std::vector<UniqueFd> stuck;
  for (int i = 0; i < 1000; ++i) {
    stuck.push_back(connect(at.path));
    say(stuck.back(), "half");
    serve(**server);
  }
  const UniqueFd late = connect(at.path);
  say(late, "x\n");
  serve(**server);
  EXPECT_EQ(hear(late), "x\n");
  EXPECT_TRUE(hung_up(stuck.front()));
  EXPECT_FALSE(hung_up(stuck.back()));
}

TEST(ControlServer, TheSilentAreHungUpOnInTime) {
  const Folder at;
  auto server = control_at(at.path);
  ASSERT_TRUE(server);
  const UniqueFd mute = connect(at.path), half = connect(at.path);
  say(half, "half");
  serve(**server);
  manual_clock.advance(ControlServer::client_timeout - 1ms);
  say(half, "again");
  (*server)->handle();
  EXPECT_FALSE(hung_up(mute));
  manual_clock.advance(1ms);
  (*server)->handle();
  EXPECT_TRUE(hung_up(mute));
  EXPECT_FALSE(hung_up(half));
}

// A client that asks a hundred things and reads none has one answer made, and others as it reads.
TEST(ControlServer, AnswersOneRequestATurn) {
  const Folder at;
  int answers = 0;
  const std::string long_answer(100'000, 'a');
  auto server = ControlServer::listen(at.path, manual_clock, [&](std::string_view) {
    ++answers;
    return long_answer;
  });
  ASSERT_TRUE(server);
  const UniqueFd greedy = connect(at.path);
  for (int i = 0; i < 100; ++i) say(greedy, "x\n");
  (*server)->handle();
  EXPECT_EQ(answers, 1);
  serve(**server);
  const int unread = answers;
  EXPECT_LT(unread, 10);
  std::size_t heard = 0;
  for (int i = 0; i < 1000 && answers < 100; ++i) {
    heard += hear(greedy).size();
    serve(**server);
  }
  EXPECT_EQ(answers, 100);
  EXPECT_GT(heard, 90 * long_answer.size());
}

}  // namespace
}  // namespace tw::node
