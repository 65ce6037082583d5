#include "lab/bed/scratch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "base/unique_fd.h"
#include "lab/bed/netns.h"
#include "lab/bed/run_lock.h"

namespace tw::lab {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> entries(const fs::path& folder) {
  std::vector<fs::path> result;
  std::error_code error;
  for (fs::directory_iterator at{folder, error}; !error && at != fs::directory_iterator{};
       at.increment(error)) {
    result.push_back(at->path());
  }
  return result;
}

std::vector<fs::path> stale_entries(const fs::path& folder, std::string_view prefix) {
  std::vector<fs::path> result;
  for (const fs::path& path : entries(folder)) {
    if (is_dead_run(pid_in_name(path.filename().string(), prefix))) result.push_back(path);
  }
  return result;
}

ino_t inode(const fs::path& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

bool is_own_folder(const fs::path& path) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

/// Kills the processes in a dead run's namespace, and waits until they have gone.
void end_processes_in(const fs::path& space) {
  const ino_t wanted = inode(space);
  if (wanted == 0) return;
  for (const fs::path& process : entries("/proc")) {
    const int pid = pid_in_name(process.filename().string(), "");
    if (pid == 0 || inode(process / "ns/net") != wanted) continue;
    const UniqueFd pidfd{static_cast<int>(syscall(SYS_pidfd_open, pid, 0U))};
    // By descriptor, and looked at once more: the number may have a new owner by now.
    if (!pidfd || inode(process / "ns/net") != wanted) continue;
    syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0U);
    pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    poll(&ended, 1, 2000);
  }
}

}  // namespace

int pid_in_name(std::string_view name, std::string_view prefix) noexcept {
  if (!name.starts_with(prefix)) return 0;
  name.remove_prefix(prefix.size());
  int pid = 0;
  std::from_chars(name.data(), name.data() + name.size(), pid);
  return pid > 0 ? pid : 0;
}

Result<ScratchFolder> ScratchFolder::create() {
  std::error_code error;
  std::string path = (fs::temp_directory_path(error) / (run_prefix() + "XXXXXX")).string();
  if (error) return system_error(error.value(), "find the temporary folder");
  if (mkdtemp(path.data()) == nullptr) return system_error("make the folder " + path);
  return ScratchFolder{path};
}

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<std::string> ScratchFolder::write(const std::string& name, std::string_view contents) const {
  std::string path = (path_ / name).string();
  const UniqueFd file{open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (!file) return system_error("create " + path);
  while (!contents.empty()) {
    const ssize_t count = ::write(file.get(), contents.data(), contents.size());
    if (count < 0) return system_error("write " + path);
    contents.remove_prefix(static_cast<std::size_t>(count));
  }
  return path;
}

std::vector<std::string> remove_stale_runs() {
  std::vector<std::string> removed;
  std::error_code ignored;
  for (const fs::path& space : stale_entries("/run/netns", "thalweg-")) {
    end_processes_in(space);
    remove_namespace(space.filename().string());
    removed.push_back(space.string());
  }
  for (const fs::path& folder : stale_entries(fs::temp_directory_path(ignored), "thalweg-")) {
    if (!is_own_folder(folder)) continue;  // anybody may make such a name there
    fs::remove_all(folder, ignored);
    removed.push_back(folder.string());
  }
  for (const char* folder : {"/run/wireguard", "/run/thalweg"}) {
    for (const fs::path& file : stale_entries(folder, "twd")) {
      fs::remove_all(file, ignored);
      removed.push_back(file.string());
    }
  }
  return removed;
}

}  // namespace tw::lab
