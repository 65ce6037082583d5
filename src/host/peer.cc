#include "host/peer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "host/settings/file_setting.h"
#include "machine/ethtool.h"
#include "machine/netlink/veth_peer.h"

namespace tw::host {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_answer = 4096;  // bytes of what a container engine prints

/// Returns the first line that the program prints, or nothing if it fails or is not there.
std::optional<std::string> first_line_of(std::vector<std::string> command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const UniqueFd output{ends[0]};
  UniqueFd input{ends[1]};
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failed =
      ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  input.reset();
  if (failed != 0) return {};
  std::string text;
  std::array<char, longest_answer> buffer{};
  for (ssize_t size = 0; (size = ::read(output.get(), buffer.data(), buffer.size())) != 0;) {
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) break;
    if (text.size() < longest_answer) text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return {};
  return text.substr(0, text.find('\n'));
}

std::optional<std::string> space_of_pid(const std::optional<std::string>& pid) {
  // Engines say 0 of a container that does not run.
  if (!pid || !is_number(*pid) || *pid == "0") return {};
  return "/proc/" + *pid + "/ns/net";
}

}  // namespace

std::optional<PeerFacts> find_peer(const NetworkSpace& space, const std::string& device) {
  const auto inside = space.enter();
  if (!inside) return {};
  const auto peer = veth_peer(device);
  if (!peer) return {};
  if (!peer->namespace_id) {
    const std::string name = device_name(peer->index);
    if (name.empty()) return {};
    return PeerFacts{name, space.where()};
  }
  for (const std::string& path : NetworkSpace::all_files()) {
    const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) continue;
    const auto id = namespace_id(file.get());
    if (!id || *id != *peer->namespace_id) continue;
    const auto other = NetworkSpace::open(path);
    if (!other) continue;
    const auto there = other->enter();
    if (!there) continue;
    const std::string name = device_name(peer->index);
    if (!name.empty()) return PeerFacts{name, path};
  }
  return {};
}

Result<std::vector<std::string>> veths_of(const NetworkSpace& space) {
  const auto inside = space.enter();
  if (!inside) return std::unexpected(inside.error());
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(space.sysfs() + "/class/net", ignored)) {
    const std::string name = entry.path().filename();
    const auto driver = driver_of(name);
    if (driver && *driver == "veth") names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

Result<std::string> space_of_container(const std::string& name) {
  if (name.empty() || name.front() == '-' || name.find('/') != std::string::npos) {
    return make_error(Error::Kind::config, "\"" + name + "\" is no name of a container");
  }
  const std::string mounted = "/run/netns/" + name;
  std::error_code ignored;
  if (fs::exists(mounted, ignored)) return mounted;
  for (const char* engine : {"docker", "podman"}) {
    const auto found =
        space_of_pid(first_line_of({engine, "inspect", "--format", "{{.State.Pid}}", name}));
    if (found) return *found;
  }
  const auto machine =
      space_of_pid(first_line_of({"machinectl", "show", "--property=Leader", "--value", name}));
  if (machine) return *machine;
  return make_error(Error::Kind::unavailable,
                    fmt::format("no container {} runs here: neither ip netns, docker, podman nor "
                                "machinectl knows one; name a process in it by --pid",
                                name));
}

}  // namespace tw::host
