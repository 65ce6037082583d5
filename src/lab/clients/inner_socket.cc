#include "lab/clients/inner_socket.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <thread>

namespace tw::lab {
namespace {

Result<void> enter(const std::string& netns) {
  const std::string path = "/run/netns/" + netns;
  const UniqueFd space{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!space) {
    return errno == ENOENT
               ? make_error(Error::Kind::config, "there is no network namespace " + netns)
               : system_error("open " + path);
  }
  if (::setns(space.get(), CLONE_NEWNET) == 0) return {};
  if (errno == EPERM) {
    return make_error(Error::Kind::unavailable, "entering the namespace " + netns + " needs root");
  }
  return system_error("enter the namespace " + netns);
}

}  // namespace

// On a thread that ends with it: the namespace is a property of threads.
Result<UdpSocket> open_inner_socket(const std::string& netns, const Endpoint& at,
                                    std::size_t buffer_bytes) {
  Result<UdpSocket> socket;
  std::thread thread{[&] {
    if (!netns.empty()) {
      if (Result<void> entered = enter(netns); !entered) {
        socket = std::unexpected(entered.error());
        return;
      }
    }
    socket = open_udp({.family = at.address.family(),
                       .port = at.port,
                       .address = at.address,
                       .receive_local = false,
                       .buffer_bytes = buffer_bytes});
  }};
  thread.join();
  if (!socket) return in_context("sink", socket.error());
  return socket;
}

}  // namespace tw::lab
