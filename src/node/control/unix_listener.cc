#include "node/control/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tw::node {
namespace {

constexpr mode_t socket_mode = 0600;
constexpr int refusals_per_call = 64;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return make_error(Error::Kind::config,
                      "'" + path + "': the path of a Unix socket has 1 to 107 bytes");
  }
  std::ranges::copy(path, static_cast<char*>(address.sun_path));
  return address;
}

/// True if a process listens there.
bool answers(const sockaddr_un& address) noexcept {
  const UniqueFd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const auto* const target = reinterpret_cast<const sockaddr*>(&address);
  // A full backlog (EAGAIN) is a listener too. Out of descriptors: bind will say so.
  return probe && (::connect(probe.get(), target, sizeof address) == 0 || errno == EAGAIN);
}

}  // namespace

Result<UnixListener> UnixListener::open(const std::string& path, int backlog,
                                        const UnixListenerWords& words) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return std::unexpected(address.error());
  struct stat file{};
  if (::lstat(path.c_str(), &file) == 0) {
    if (!S_ISSOCK(file.st_mode)) {
      return make_error(Error::Kind::unavailable, path + std::string{words.no_socket});
    }
    if (answers(*address)) {
      return make_error(Error::Kind::unavailable, path + std::string{words.in_use});
    }
    // Left behind by a process that was killed.
    if (::unlink(path.c_str()) != 0) return system_error("remove the stale " + path);
  }
  UnixListener listener;
  listener.path_ = path;
  if (Result<void> done = listener.bind_and_listen(backlog); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return listener;
}

Result<void> UnixListener::bind_and_listen(int backlog) {
  const Result<sockaddr_un> address = address_of(path_);
  if (!address) return std::unexpected(address.error());
  socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return system_error("socket for " + path_);
  const mode_t mask_before = ::umask(~socket_mode & 0777U);
  const int bound =
      ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  const int bind_errno = errno;
  ::umask(mask_before);
  if (bound != 0) return system_error(bind_errno, "bind " + path_);
  struct stat file{};
  if (::lstat(path_.c_str(), &file) != 0) return system_error("stat " + path_);
  device_ = file.st_dev;
  inode_ = file.st_ino;
  if (::listen(socket_.get(), backlog) != 0) return system_error("listen on " + path_);
  spare_.keep();
  return {};
}

UnixListener::UnixListener(UnixListener&& other) noexcept { *this = std::move(other); }

UnixListener& UnixListener::operator=(UnixListener&& other) noexcept {
  if (this == &other) return *this;
  close();
  path_ = std::move(other.path_);
  socket_ = std::move(other.socket_);
  spare_ = std::move(other.spare_);
  device_ = other.device_;
  inode_ = std::exchange(other.inode_, 0);
  return *this;
}

UnixListener::~UnixListener() { close(); }

void UnixListener::close() noexcept {
  if (is_ours()) ::unlink(path_.c_str());
  inode_ = 0;
  socket_.reset();
}

pid_t peer_process(int socket) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

UniqueFd UnixListener::accept() noexcept {
  UniqueFd client;
  for (int refused = 0; refused < refusals_per_call; ++refused) {
    // Root's, and what the reserve is for.
    const auto status = spare_.accept(socket_.get(), client, /*leave_reserve=*/false);
    if (status == SpareFd::Accepted::accepted) return client;
    if (status != SpareFd::Accepted::refused) break;
  }
  return {};
}

bool UnixListener::is_ours() const noexcept {
  struct stat file{};
  return inode_ != 0 && ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ &&
         file.st_ino == inode_;
}

}  // namespace tw::node
