#include "lab/bed/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <utility>

#include "lab/bed/process.h"

namespace tw::lab {
namespace {

std::string path_of(const std::string& name) { return "/run/netns/" + name; }

}  // namespace

std::string run_prefix() { return "thalweg-" + std::to_string(getpid()) + "-"; }
std::string device_prefix() { return "twd" + std::to_string(getpid()); }

Result<Namespace> Namespace::create(const std::string& name, Interrupt& interrupt) {
  if (auto made = run_checked({.argv = {"ip", "netns", "add", name}}, interrupt); !made) {
    remove_namespace(name);  // interrupted half-way, it may be there
    return std::unexpected(made.error());
  }
  Namespace space{name, UniqueFd{::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC)}, true};
  if (!space.fd_) return system_error("open " + path_of(name));
  if (auto up = space.ip("link set lo up", interrupt); !up) return std::unexpected(up.error());
  return space;
}

Result<Namespace> Namespace::open(const std::string& name) {
  UniqueFd fd{::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) return system_error("open " + path_of(name));
  return Namespace{name, std::move(fd), false};
}

Namespace::Namespace(Namespace&& other) noexcept
    : name_(std::move(other.name_)),
      fd_(std::move(other.fd_)),
      is_ours_(std::exchange(other.is_ours_, false)) {}

Namespace::~Namespace() {
  if (is_ours_) remove_namespace(name_);
}

void remove_namespace(const std::string& name) noexcept {
  const std::string path = path_of(name);
  umount2(path.c_str(), MNT_DETACH);
  unlink(path.c_str());
}

Result<void> Namespace::ip(const std::string& commands, Interrupt& interrupt) const {
  auto done =
      run_checked({.argv = {"ip", "-batch", "-"}, .netns_fd = fd(), .input = commands}, interrupt);
  if (!done) return in_context(name_, done.error());
  return {};
}

Result<void> Namespace::enter(const std::function<Result<void>()>& work) const {
  Result<void> result;
  std::thread thread{[&] {
    if (setns(fd(), CLONE_NEWNET) != 0) {
      result = system_error("enter " + name_);
    } else {
      result = work();
    }
  }};
  thread.join();
  return result;
}

Result<std::string> Namespace::sysctl(const std::string& key) const {
  std::string value;
  auto done = enter([&]() -> Result<void> {
    const std::string path = "/proc/sys/" + key;
    const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    std::array<char, 256> text;
    const ssize_t count = file ? read(file.get(), text.data(), text.size()) : -1;
    if (count < 0) return system_error("read " + path);
    value.assign(text.data(), static_cast<std::size_t>(count));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  for (char& character : value) {
    if (character == '\t') character = ' ';
  }
  while (value.ends_with('\n')) value.pop_back();
  return value;
}

Result<void> Namespace::set_sysctl(const std::string& key, const std::string& value) const {
  return enter([&]() -> Result<void> {
    const std::string path = "/proc/sys/" + key;
    const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    if (!file || write(file.get(), value.data(), value.size()) < 0) {
      return system_error("write " + value + " to " + path);
    }
    return {};
  });
}

}  // namespace tw::lab
