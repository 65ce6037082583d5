#include "host/network_space.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <system_error>
#include <vector>

#include "machine/journal.h"

namespace tw::host {
namespace {

namespace fs = std::filesystem;

constexpr const char* own_file = "/proc/thread-self/ns/net";

/// A sysfs shows the devices of the namespace in which it was mounted. This mount is seen through
/// its descriptor only, so nothing else changes.
UniqueFd mount_sysfs() {
  const UniqueFd context{::fsopen("sysfs", FSOPEN_CLOEXEC)};
  if (!context || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return {};
  }
  return UniqueFd{::fsmount(context.get(), FSMOUNT_CLOEXEC, 0)};
}

}  // namespace

InsideSpace::~InsideSpace() {
  // To go on in the wrong namespace would be to change the wrong machine.
  if (home_ && ::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
}

Result<InsideSpace> NetworkSpace::enter() const {
  if (where_.empty()) return InsideSpace{UniqueFd{}};
  UniqueFd home{::open(own_file, O_RDONLY | O_CLOEXEC)};
  if (!home) return system_error("open the own network namespace");
  if (::setns(file_.get(), CLONE_NEWNET) != 0) {
    return system_error("enter the network namespace " + where_);
  }
  return InsideSpace{std::move(home)};
}

Result<NetworkSpace> NetworkSpace::of_file(UniqueFd file, std::string where) {
  NetworkSpace space;
  space.file_ = std::move(file);
  space.where_ = std::move(where);
  const auto inside = space.enter();
  if (!inside) return std::unexpected(inside.error());
  const auto cookie = namespace_cookie();
  if (!cookie) return std::unexpected(cookie.error());
  space.cookie_ = *cookie;
  space.mount_ = mount_sysfs();
  if (space.mount_) {
    space.sysfs_ = "/proc/self/fd/" + std::to_string(space.mount_.get());
  } else if (space.where_.empty()) {
    space.sysfs_ = "/sys";  // without the right to mount: what is there shows this namespace
  } else {
    return system_error("mount sysfs for the network namespace " + space.where_);
  }
  return space;
}

Result<NetworkSpace> NetworkSpace::own() {
  UniqueFd file{::open(own_file, O_RDONLY | O_CLOEXEC)};
  if (!file) return system_error("open the own network namespace");
  return of_file(std::move(file), "");
}

Result<NetworkSpace> NetworkSpace::open(const std::string& path) {
  UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return system_error("open the network namespace " + path);
  return of_file(std::move(file), path);
}

std::vector<std::string> NetworkSpace::all_files() {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/run/netns", ignored)) {
    paths.push_back(entry.path());
  }
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    paths.push_back(entry.path() / "ns/net");
  }
  std::set<ino_t> seen;
  std::erase_if(paths, [&seen](const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) != 0 || !seen.insert(status.st_ino).second;
  });
  return paths;
}

Result<NetworkSpace> NetworkSpace::find(std::uint64_t cookie, const std::string& hint) {
  auto mine = own();
  if (mine && mine->cookie() == cookie) return mine;
  std::vector<std::string> paths = all_files();
  if (!hint.empty()) paths.insert(paths.begin(), hint);
  for (const std::string& path : paths) {
    auto space = open(path);
    if (space && space->cookie() == cookie) return space;
  }
  return make_error(Error::Kind::unavailable, "the network namespace is gone");
}

}  // namespace tw::host
