#include "node/device/uapi_server.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "node/device/uapi_protocol.h"

namespace tw::node {
namespace {

constexpr int backlog = 16;
constexpr std::size_t input_bytes = 16384;
/// One client's turn, so that a large request does not keep the others from theirs.
constexpr int steps_per_turn = 64;
constexpr mode_t folder_mode = 0700, socket_mode = 0600;

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return make_error(Error::Kind::config, path + ": too long for a Unix socket");
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

/// True if a process listens there.
bool answers(const sockaddr_un& address) noexcept {
  const UniqueFd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const auto* target = reinterpret_cast<const sockaddr*>(&address);
  // A full backlog (EAGAIN) is a listener too. Out of descriptors: bind will say so.
  return probe && (::connect(probe.get(), target, sizeof address) == 0 || would_block(errno));
}

}  // namespace

/// Takes turns: sends what is to be sent, then reads and carries out one request. Nothing is read
/// while an answer waits for its reader, which bounds what is kept for a client.
struct UapiServer::Client {
  Client(UniqueFd fd_given, DeviceControl& device, Instant now) noexcept
      : fd(std::move(fd_given)), conversation(device), last_active(now) {}
  ~Client() { crypto::wipe(input); }

  bool send(Instant now);
  bool fill(Instant now) noexcept;
  void converse();
  bool has_input() const noexcept { return begin < end; }

  UniqueFd fd;
  UapiConversation conversation;
  std::array<std::uint8_t, input_bytes> input;
  std::size_t begin = 0, end = 0;  // of what is not taken yet
  SecretText out;                  // answers, of which `sent` bytes have gone
  std::size_t sent = 0;
  Instant last_active;
  std::uint32_t awaited = EPOLLIN;
  bool hangs_up = false;  // when `out` is sent
  bool finished = false;
};

/// Sends what the client takes now. False if it has gone.
bool UapiServer::Client::send(Instant now) {
  while (!out.empty()) {
    const std::string_view left = out.view().substr(sent);
    const ssize_t size = ::send(fd.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (size < 0) return would_block(errno) || errno == EINTR;
    last_active = now;
    sent += static_cast<std::size_t>(size);
    if (sent < out.view().size()) continue;
    out.clear();
    sent = 0;
  }
  return true;
}

/// Reads what has come, if anything. False if the client has gone.
bool UapiServer::Client::fill(Instant now) noexcept {
  const ssize_t size = ::recv(fd.get(), input.data(), input.size(), 0);
  if (size < 0) return would_block(errno) || errno == EINTR;
  last_active = now;
  begin = 0;
  end = static_cast<std::size_t>(size);
  return size > 0;
}

void UapiServer::Client::converse() {
  const auto [taken, hang_up] =
      conversation.receive(ByteSpan{input}.subspan(begin, end - begin), out);
  begin += taken;
  hangs_up = hang_up;
  if (!has_input()) crypto::wipe(ByteSpan{input}.first(end));
}

UapiServer::UapiServer(DeviceControl& device, const Clock& clock, std::string path)
    : device_(device), clock_(clock), path_(std::move(path)) {}

Result<std::unique_ptr<UapiServer>> UapiServer::open(const std::string& interface,
                                                     DeviceControl& device, const Clock& clock,
                                                     const std::string& folder) {
  if (::mkdir(folder.c_str(), folder_mode) != 0 && errno != EEXIST) {
    return system_error("make " + folder);
  }
  std::unique_ptr<UapiServer> server{
      new UapiServer{device, clock, folder + "/" + interface + ".sock"}};
  if (Result<void> done = server->listen(); !done) return std::unexpected(done.error());
  return server;
}

UapiServer::~UapiServer() {
  if (is_ours()) ::unlink(path_.c_str());
}

// ---- The socket file

Result<void> UapiServer::listen() {
  const Result<sockaddr_un> address = address_of(path_);
  if (!address) return std::unexpected(address.error());
  struct stat file{};
  if (::lstat(path_.c_str(), &file) == 0) {
    if (!S_ISSOCK(file.st_mode)) {
      return make_error(Error::Kind::unavailable, path_ + " is there and is no socket: remove it");
    }
    if (answers(*address)) {
      return make_error(Error::Kind::unavailable,
                        path_ +
                            " is in use: another process serves this interface; stop it, or "
                            "choose another name (network namespaces do not separate these)");
    }
    // Left behind by a process that was killed.
    if (::unlink(path_.c_str()) != 0) return system_error("remove the stale " + path_);
  }
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_) return system_error("socket for " + path_);
  const mode_t mask_before = ::umask(~socket_mode & 0777U);
  const int bound =
      ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  const int bind_errno = errno;
  ::umask(mask_before);
  if (bound != 0) return system_error(bind_errno, "bind " + path_);
  if (::lstat(path_.c_str(), &file) != 0) return system_error("stat " + path_);
  device_number_ = file.st_dev;
  inode_ = file.st_ino;
  if (::listen(listener_.get(), backlog) != 0) return system_error("listen on " + path_);
  return watch_socket_file();
}

Result<void> UapiServer::watch_socket_file() {
  file_events_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!file_events_ || !timer_ || !epoll_) return system_error("watch " + path_);
  // The link count changes (IN_ATTRIB) when the name goes; the inode itself lives while we listen.
  if (::inotify_add_watch(file_events_.get(), path_.c_str(),
                          IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF) < 0) {
    return system_error("watch " + path_);
  }
  for (const int fd : {listener_.get(), file_events_.get(), timer_.get()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return system_error("watch " + path_);
    }
  }
  return {};
}

bool UapiServer::is_ours() const noexcept {
  struct stat file{};
  return inode_ != 0 && ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_number_ &&
         file.st_ino == inode_;
}

void UapiServer::read_file_events() {
  std::array<char, 4096> events;
  while (::read(file_events_.get(), events.data(), events.size()) > 0) {
  }
  if (!is_ours()) socket_removed_ = true;
}

// ---- Clients

void UapiServer::handle() {
  std::array<epoll_event, clients_max + 3> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  bool newcomers = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == listener_.get()) {
      newcomers = true;
    } else if (event.data.fd == file_events_.get()) {
      read_file_events();
    } else if (event.data.fd == timer_.get()) {
      std::uint64_t expirations = 0;
      static_cast<void>(::read(timer_.get(), &expirations, sizeof expirations));
    } else {
      const auto found = std::ranges::find_if(
          clients_, [&event](const auto& client) { return client->fd.get() == event.data.fd; });
      if (found != clients_.end()) serve(**found);
    }
  }
  const Instant now = clock_.now();
  for (const auto& client : clients_) {
    if (now - client->last_active >= client_timeout) client->finished = true;
  }
  drop_finished();
  // Last, so that a descriptor closed in this turn is not taken for its successor.
  if (newcomers) accept_clients();
  rearm_timer();
}

void UapiServer::accept_clients() {
  for (int i = 0; i < backlog; ++i) {
    UniqueFd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!fd) return;
    make_room();
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) continue;
    clients_.push_back(std::make_unique<Client>(std::move(fd), device_, clock_.now()));
  }
}

/// Whoever has been silent longest makes way.
void UapiServer::make_room() {
  if (clients_.size() < clients_max) return;
  const auto longest = std::ranges::min_element(
      clients_, {}, [](const auto& client) { return client->last_active; });
  clients_.erase(longest);
}

void UapiServer::serve(Client& client) {
  const Instant now = clock_.now();
  for (int step = 0; step < steps_per_turn; ++step) {
    client.finished = !client.send(now) || (client.hangs_up && client.out.empty());
    if (client.finished) return;
    if (!client.out.empty()) break;
    if (!client.has_input()) client.finished = !client.fill(now);
    if (client.finished) return;
    if (!client.has_input()) break;
    client.converse();
  }
  await(client);
}

void UapiServer::await(Client& client) noexcept {
  // Input that was read and not taken announces itself no more; that there is room does.
  const bool busy = !client.out.empty() || client.has_input() || client.hangs_up;
  const std::uint32_t awaited = busy ? EPOLLOUT : EPOLLIN;
  if (awaited == client.awaited) return;
  client.awaited = awaited;
  epoll_event event{};
  event.events = awaited;
  event.data.fd = client.fd.get();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.fd.get(), &event);
}

void UapiServer::drop_finished() {
  std::erase_if(clients_, [](const auto& client) { return client->finished; });
}

void UapiServer::rearm_timer() {
  itimerspec when{};  // zero: no timer
  if (!clients_.empty()) {
    Instant earliest = Instant::max();
    for (const auto& client : clients_) earliest = std::min(earliest, client->last_active);
    const Duration wait = std::max<Duration>(earliest + client_timeout - clock_.now(), 1ms);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(wait);
    when.it_value = {seconds.count(), (wait - seconds).count()};
  }
  ::timerfd_settime(timer_.get(), 0, &when, nullptr);
}

}  // namespace tw::node
