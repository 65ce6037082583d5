#include "lab/bed/descendants.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace tw::lab {
namespace {

namespace fs = std::filesystem;

void add_children(pid_t pid, std::vector<Handle>& found) {
  std::error_code error;
  for (fs::directory_iterator task{fmt::format("/proc/{}/task", pid), error};
       !error && task != fs::directory_iterator{}; task.increment(error)) {
    std::ifstream file{task->path() / "children"};
    for (pid_t child = 0; file >> child;) {
      UniqueFd pidfd{static_cast<int>(syscall(SYS_pidfd_open, child, 0U))};
      if (!pidfd) continue;  // it has ended meanwhile
      found.emplace_back(child, std::move(pidfd));
      add_children(child, found);
    }
  }
}

}  // namespace

void Handle::end() const noexcept {
  syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0U);
  pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  poll(&ended, 1, 2000);
}

std::vector<Handle> descendants_of(pid_t pid) {
  std::vector<Handle> found;
  add_children(pid, found);
  return found;
}

}  // namespace tw::lab
