#include "node/control/control_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "machine/journal.h"
#include "node/control/make_way.h"
#include "node/control/unix_listener.h"

namespace tw::node {
namespace {

constexpr UnixListenerWords words{
    .in_use = ": a running node answers there; stop it, or set [node] control_socket",
    .no_socket = " is there and is no socket; set another [node] control_socket"};

Result<UniqueFd> connect_to(const std::string& path, std::chrono::seconds patience) {
  const timeval wait{.tv_sec = patience.count(), .tv_usec = 0};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return make_error(Error::Kind::config, "control socket path '" + path + "' has 1 to 107 bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd) return system_error("socket");
  // Before it connects: that waits as long as the queue of the node is full.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error("connect to " + path);
  }
  return fd;
}

/// Takes turns: sends what is to be sent, then reads and answers one request. Nothing is read while
/// an answer waits for its reader, which bounds what is kept for a client.
struct Client {
  Client(UniqueFd fd_given, Instant now)
      : fd(std::move(fd_given)), process(peer_process(fd.get())), last_active(now) {}

  void handle(const ControlServer::Handler& handler, Instant now);
  bool fill(Instant now);
  bool flush(Instant now);

  UniqueFd fd;
  pid_t process;
  Instant last_active;
  std::string request;
  std::string answer;  // of which `sent` bytes have gone
  std::size_t sent = 0;
  std::uint32_t awaited = EPOLLIN;
  bool finished = false;
};

bool is_only_waiting(int error) noexcept { return error == EAGAIN || error == EINTR; }

/// Reads what has come. False if the client has gone.
bool Client::fill(Instant now) {
  std::array<char, 1024> bytes;
  const ssize_t got = ::recv(fd.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) return is_only_waiting(errno);
  last_active = now;
  request.append(bytes.data(), static_cast<std::size_t>(got));
  return got > 0;
}

/// Sends what the client takes now. False if it has gone.
bool Client::flush(Instant now) {
  while (sent < answer.size()) {
    const ssize_t size = ::send(fd.get(), answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
    if (size < 0) return is_only_waiting(errno);
    last_active = now;
    sent += static_cast<std::size_t>(size);
  }
  answer = {};
  sent = 0;
  return true;
}

void Client::handle(const ControlServer::Handler& handler, Instant now) {
  std::size_t end = request.find('\n');
  if (answer.empty() && end == std::string::npos) {
    finished = !fill(now);
    end = request.find('\n');
  }
  if (!finished && answer.empty() && end != std::string::npos) {
    answer = handler(std::string_view{request}.substr(0, end)) + '\n';
    request.erase(0, end + 1);
  }
  if (!flush(now) || request.size() > ControlServer::max_request_bytes) finished = true;
  // epoll announces no request that has been read already; it does announce room for an answer.
  const bool busy = !answer.empty() || request.find('\n') != std::string::npos;
  awaited = busy ? EPOLLOUT : EPOLLIN;
}

}  // namespace

std::string default_control_socket(const std::string& interface) {
  return std::string{run_directory} + '/' + interface + ".sock";
}

struct ControlServer::State {
  Handler handler;
  const Clock* clock = nullptr;
  UnixListener listener;
  UniqueFd epoll, timer;
  std::vector<std::unique_ptr<Client>> clients;

  bool watch(int fd, std::uint32_t events, int operation) const noexcept {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    return ::epoll_ctl(epoll.get(), operation, fd, &event) == 0;
  }

  bool open() {
    epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
    timer.reset(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    return epoll && timer && watch(timer.get(), EPOLLIN, EPOLL_CTL_ADD) &&
           watch(listener.fd(), EPOLLIN | EPOLLET, EPOLL_CTL_ADD);
  }

  void serve(Client& client, Instant now) {
    const std::uint32_t before = client.awaited;
    client.handle(handler, now);
    if (client.awaited != before && !watch(client.fd.get(), client.awaited, EPOLL_CTL_MOD)) {
      client.finished = true;
    }
  }

  void serve_ready(Instant now) {
    std::array<epoll_event, max_clients + 2> events;
    const int count = ::epoll_wait(epoll.get(), events.data(), events.size(), 0);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      const auto client =
          std::ranges::find(clients, fd, [](const auto& one) { return one->fd.get(); });
      if (client != clients.end()) serve(**client, now);
    }
    std::uint64_t expirations = 0;
    static_cast<void>(::read(timer.get(), &expirations, sizeof expirations));
  }

  void drop_finished() {
    std::erase_if(clients, [](const auto& client) { return client->finished; });
  }

  void make_room() {
    drop_finished();
    if (clients.size() < max_clients) return;
    clients.erase(who_makes_way(
        clients, [](const auto& client) { return client->process; },
        [](const auto& client) { return client->last_active; }));
  }

  void accept_clients(Instant now) {
    for (std::size_t taken = 0; taken < max_clients; ++taken) {
      UniqueFd fd = listener.accept();
      if (!fd) return;
      make_room();
      if (!watch(fd.get(), EPOLLIN, EPOLL_CTL_ADD)) continue;
      clients.push_back(std::make_unique<Client>(std::move(fd), now));
      // Its request may be there already: answered at once, it cannot be displaced.
      serve(*clients.back(), now);
    }
    // There may be more: have them announced once more, after everybody else's turn.
    watch(listener.fd(), EPOLLIN | EPOLLET, EPOLL_CTL_MOD);
  }

  void look_at_time(Instant now) {
    Instant next = Instant::max();
    for (const auto& client : clients) {
      if (now - client->last_active >= client_timeout) client->finished = true;
      if (!client->finished) next = std::min(next, client->last_active + client_timeout);
    }
    drop_finished();
    itimerspec when{};  // zero: no timer
    if (next != Instant::max()) when.it_value = to_timespec(std::max<Duration>(next - now, 1ms));
    ::timerfd_settime(timer.get(), 0, &when, nullptr);
  }
};

ControlServer::ControlServer(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

ControlServer::~ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::listen(const std::string& path,
                                                             const Clock& clock, Handler handler) {
  auto listener = UnixListener::open(path, static_cast<int>(max_clients), words);
  if (!listener) return std::unexpected(listener.error());
  auto state = std::make_unique<State>();
  state->handler = std::move(handler);
  state->clock = &clock;
  state->listener = std::move(*listener);
  if (!state->open()) return system_error("control socket " + path);
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(state)));
}

int ControlServer::wait_fd() const noexcept { return state_->epoll.get(); }

void ControlServer::handle() noexcept {
  const Instant now = state_->clock->now();
  state_->serve_ready(now);
  state_->drop_finished();
  // Whatever has happened: somebody may wait since there were no descriptors.
  state_->accept_clients(now);
  state_->look_at_time(now);
}

Result<std::string> ask_control(const std::string& path, std::string_view request,
                                std::chrono::seconds patience) {
  Result<UniqueFd> fd = connect_to(path, patience);
  if (!fd) return std::unexpected(fd.error());
  std::string line{request};
  line += '\n';
  if (::send(fd->get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    return system_error("send to " + path);
  }
  std::string answer;
  std::array<char, 16384> bytes;
  while (answer.empty() || answer.back() != '\n') {
    const ssize_t got = ::recv(fd->get(), bytes.data(), bytes.size(), 0);
    if (got < 0) return system_error("no answer from " + path);
    if (got == 0) return make_error(Error::Kind::unavailable, path + ": the node hung up");
    answer.append(bytes.data(), static_cast<std::size_t>(got));
  }
  answer.pop_back();
  return answer;
}

}  // namespace tw::node
