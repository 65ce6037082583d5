#include "lab/bed/udp_buffers.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string>

#include "base/unique_fd.h"

namespace tw::lab {
namespace {

namespace fs = std::filesystem;

int option_of(int socket, int name) noexcept {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool is_udp(int descriptor) noexcept {
  const int domain = option_of(descriptor, SO_DOMAIN);
  return (domain == AF_INET || domain == AF_INET6) && option_of(descriptor, SO_TYPE) == SOCK_DGRAM;
}

}  // namespace

Result<std::size_t> set_udp_receive_buffers(pid_t pid, std::size_t bytes) {
  const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U))};
  if (!process) return system_error(fmt::format("open process {}", pid));
  std::error_code error;
  fs::directory_iterator at{fmt::format("/proc/{}/fd", pid), error};
  std::size_t found = 0;
  for (; !error && at != fs::directory_iterator{}; at.increment(error)) {
    const std::string name = at->path().filename();
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    const UniqueFd socket{static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0U))};
    if (!socket) {
      if (errno == EBADF) continue;  // closed meanwhile
      return system_error(fmt::format("take descriptor {} of process {}", number, pid));
    }
    if (!is_udp(socket.get())) continue;
    const int size = static_cast<int>(bytes);
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
      return system_error(fmt::format("set the receive buffer of process {}", pid));
    }
    ++found;
  }
  if (error) return system_error(error.value(), fmt::format("read /proc/{}/fd", pid));
  return found;
}

}  // namespace tw::lab
