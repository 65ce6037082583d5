#include "node/uapi/uapi_server.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/file/new_file.h"
#include "crypto/stack.h"
#include "node/control/make_way.h"
#include "node/uapi/uapi_protocol.h"
#include "node/uapi/wiped_input.h"

namespace tw::node {
namespace {

constexpr int backlog = 16;
/// One client's turn, so that a large request does not keep the others from theirs.
constexpr int steps_per_turn = 64;

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

constexpr UnixListenerWords words{
    .in_use =
        " is in use: another process serves this interface; stop it, or choose another name "
        "(network namespaces do not separate these)",
    .no_socket = " is there and is no socket: remove it"};

}  // namespace

/// Takes turns: sends what is to be sent, then reads and carries out one request. Nothing is read
/// while an answer waits for its reader, which bounds what is kept for a client.
struct UapiServer::Client {
  Client(UniqueFd fd_given, DeviceControl& device, Instant now) noexcept
      : fd(std::move(fd_given)),
        process(peer_process(fd.get())),
        conversation(device),
        last_active(now) {}

  bool send(Instant now);
  bool fill(Instant now) noexcept;
  void converse();

  UniqueFd fd;
  pid_t process;
  UapiConversation conversation;
  WipedInput input;
  SecretText out;  // answers, of which `sent` bytes have gone
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
  const ByteSpan room = input.room();
  const ssize_t size = ::recv(fd.get(), room.data(), room.size(), 0);
  if (size < 0) return would_block(errno) || errno == EINTR;
  last_active = now;
  input.filled(static_cast<std::size_t>(size));
  return size > 0;
}

void UapiServer::Client::converse() {
  const auto [taken, hang_up] = conversation.receive(input.waiting(), out);
  crypto::wipe_stack();  // requests and answers hold keys
  input.take(taken);
  hangs_up = hang_up;
}

UapiServer::UapiServer(DeviceControl& device, const Clock& clock, UnixListener listener)
    : device_(device), clock_(clock), listener_(std::move(listener)) {}

Result<std::unique_ptr<UapiServer>> UapiServer::open(const std::string& interface,
                                                     DeviceControl& device, const Clock& clock,
                                                     const std::string& folder) {
  // Also if another program has made it with a wider mode: private keys pass through its sockets.
  if (Result<void> made = make_private_folder(folder); !made) return std::unexpected(made.error());
  auto listener = UnixListener::open(folder + "/" + interface + ".sock", backlog, words);
  if (!listener) return std::unexpected(listener.error());
  std::unique_ptr<UapiServer> server{new UapiServer{device, clock, std::move(*listener)}};
  if (Result<void> done = server->watch(); !done) return std::unexpected(done.error());
  return server;
}

UapiServer::~UapiServer() = default;

// ---- The socket file

Result<void> UapiServer::watch() {
  file_events_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  timer_.reset(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!file_events_ || !timer_ || !epoll_) return system_error("watch " + path());
  // The link count changes (IN_ATTRIB) when the name goes; the inode itself lives while we listen.
  if (::inotify_add_watch(file_events_.get(), path().c_str(),
                          IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF) < 0) {
    return system_error("watch " + path());
  }
  for (const int fd : {listener_.fd(), file_events_.get(), timer_.get()}) {
    epoll_event event{};
    event.events = fd == listener_.fd() ? EPOLLIN | EPOLLET : EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return system_error("watch " + path());
    }
  }
  return {};
}

void UapiServer::read_file_events() {
  std::array<char, 4096> events;
  while (::read(file_events_.get(), events.data(), events.size()) > 0) {
  }
  if (!listener_.is_ours()) socket_removed_ = true;
}

// ---- Clients

void UapiServer::handle() {
  std::array<epoll_event, clients_max + 3> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == listener_.fd()) continue;
    if (event.data.fd == file_events_.get()) {
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
  // Last, so that a descriptor closed in this turn is not taken for its successor. Whatever has
  // happened: somebody may wait since there were no descriptors.
  accept_clients();
  drop_finished();
  rearm_timer();
}

void UapiServer::accept_clients() {
  for (int taken = 0; taken < backlog; ++taken) {
    UniqueFd fd = listener_.accept();
    if (!fd) return;
    make_room();
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) continue;
    clients_.push_back(std::make_unique<Client>(std::move(fd), device_, clock_.now()));
    // Its request may be there already: answered at once, it cannot be displaced.
    serve(*clients_.back());
  }
  // There may be more: have them announced once more, after everybody else's turn.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.fd = listener_.fd();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener_.fd(), &event);
}

/// The longest silent client of the process that has most clients here makes way.
void UapiServer::make_room() {
  drop_finished();
  if (clients_.size() < clients_max) return;
  clients_.erase(who_makes_way(
      clients_, [](const auto& client) { return client->process; },
      [](const auto& client) { return client->last_active; }));
}

void UapiServer::serve(Client& client) {
  const Instant now = clock_.now();
  for (int step = 0; step < steps_per_turn; ++step) {
    client.finished = !client.send(now) || (client.hangs_up && client.out.empty());
    if (client.finished) return;
    if (!client.out.empty()) break;
    if (client.input.empty()) client.finished = !client.fill(now);
    if (client.finished) return;
    if (client.input.empty()) break;
    client.converse();
  }
  await(client);
}

void UapiServer::await(Client& client) noexcept {
  // Input that was read and not taken announces itself no more; that there is room does.
  const bool busy = !client.out.empty() || !client.input.empty() || client.hangs_up;
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
