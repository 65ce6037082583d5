#include "node/control_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/unique_fd.h"
#include "node/machine/journal.h"
#include "node/unix_listener.h"

namespace tw::node {
namespace {

constexpr timeval client_patience{.tv_sec = 5, .tv_usec = 0};

constexpr UnixListenerWords words{
    .in_use = ": a running node answers there; stop it, or set [node] control_socket",
    .no_socket = " is there and is no socket; set another [node] control_socket"};

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return make_error(Error::Kind::config, "control socket path '" + path + "' has 1 to 107 bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd) return system_error("socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error("connect to " + path);
  }
  return fd;
}

struct Client {
  UniqueFd fd;
  std::string request;
  std::string answer;  // what is not yet written
};

}  // namespace

std::string default_control_socket(const std::string& interface) {
  return std::string{run_directory} + '/' + interface + ".sock";
}

struct ControlServer::State {
  Handler handler;
  UnixListener listener;
  UniqueFd epoll;
  std::unordered_map<int, Client> clients;

  bool watch(int fd, std::uint32_t events, int operation) const noexcept {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    return ::epoll_ctl(epoll.get(), operation, fd, &event) == 0;
  }

  void accept_clients() noexcept {
    while (UniqueFd fd = listener.accept()) {
      if (clients.size() >= max_clients || !watch(fd.get(), EPOLLIN, EPOLL_CTL_ADD)) continue;
      const int key = fd.get();
      clients.emplace(key, Client{std::move(fd), {}, {}});
    }
  }

  /// False when the client is to be closed.
  bool serve(Client& client) {
    std::array<char, 1024> bytes;
    if (client.answer.empty()) {
      const ssize_t got = ::recv(client.fd.get(), bytes.data(), bytes.size(), 0);
      if (got < 0) return errno == EAGAIN || errno == EINTR;
      if (got == 0) return false;
      client.request.append(bytes.data(), static_cast<std::size_t>(got));
      if (!answer_lines(client)) return false;
    }
    return flush(client);
  }

  bool answer_lines(Client& client) {
    for (std::size_t end; (end = client.request.find('\n')) != std::string::npos;) {
      client.answer += handler(std::string_view{client.request}.substr(0, end));
      client.answer += '\n';
      client.request.erase(0, end + 1);
    }
    return client.request.size() <= max_request_bytes;
  }

  bool flush(Client& client) {
    while (!client.answer.empty()) {
      const ssize_t sent =
          ::send(client.fd.get(), client.answer.data(), client.answer.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return watch(client.fd.get(), EPOLLOUT, EPOLL_CTL_MOD);
      if (sent < 0) return false;
      client.answer.erase(0, static_cast<std::size_t>(sent));
    }
    return watch(client.fd.get(), EPOLLIN, EPOLL_CTL_MOD);
  }
};

ControlServer::ControlServer(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

ControlServer::~ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::listen(const std::string& path,
                                                             Handler handler) {
  auto listener = UnixListener::open(path, static_cast<int>(max_clients), words);
  if (!listener) return std::unexpected(listener.error());
  auto state = std::make_unique<State>();
  state->handler = std::move(handler);
  state->listener = std::move(*listener);
  state->epoll = UniqueFd{::epoll_create1(EPOLL_CLOEXEC)};
  if (!state->epoll || !state->watch(state->listener.fd(), EPOLLIN | EPOLLET, EPOLL_CTL_ADD)) {
    return system_error("control socket " + path);
  }
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(state)));
}

int ControlServer::wait_fd() const noexcept { return state_->epoll.get(); }

void ControlServer::handle() noexcept {
  std::array<epoll_event, max_clients + 1> events;
  const int count = ::epoll_wait(state_->epoll.get(), events.data(), events.size(), 0);
  for (int i = 0; i < count; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    const auto client = state_->clients.find(fd);
    if (client != state_->clients.end() && !state_->serve(client->second)) {
      state_->clients.erase(client);
    }
  }
  // Whatever has happened: somebody may wait since there were no descriptors.
  state_->accept_clients();
}

Result<std::string> ask_control(const std::string& path, std::string_view request) {
  Result<UniqueFd> fd = connect_to(path);
  if (!fd) return std::unexpected(fd.error());
  ::setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &client_patience, sizeof client_patience);
  ::setsockopt(fd->get(), SOL_SOCKET, SO_SNDTIMEO, &client_patience, sizeof client_patience);
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
