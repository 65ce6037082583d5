#include "machine/sysctl.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"

namespace tw {
namespace {

constexpr std::string_view sysctl_root = "/proc/sys/";
constexpr std::size_t longest_value = 4096;  // bytes: a page, which is what the kernel gives

// Keys come from our code and from the journal; neither may lead out of /proc/sys.
Result<std::string> path_of(const std::string& key) {
  const std::filesystem::path relative{key};
  const bool climbs = std::any_of(relative.begin(), relative.end(),
                                  [](const auto& part) { return part == ".." || part.empty(); });
  if (key.empty() || relative.is_absolute() || climbs) {
    return make_error(Error::Kind::config, fmt::format("\"{}\" is no kernel setting", key));
  }
  return std::string{sysctl_root} + key;
}

Result<void> write_value(const std::string& key, const std::string& value) {
  auto path = path_of(key);
  if (!path) return std::unexpected(path.error());
  const std::string doing = fmt::format("set {} to {}", key, value);
  const UniqueFd file{::open(path->c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file) return system_error(doing);
  // The kernel takes a setting in one write or not at all.
  const ssize_t written = ::write(file.get(), value.data(), value.size());
  if (written < 0) return system_error(doing);
  return {};
}

}  // namespace

Result<std::string> read_sysctl(const std::string& key) {
  auto path = path_of(key);
  if (!path) return path;
  const UniqueFd file{::open(path->c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return system_error("read " + key);
  std::array<char, longest_value> buffer{};
  const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
  if (size < 0) return system_error("read " + key);
  std::string value(buffer.data(), static_cast<std::size_t>(size));
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

Result<SysctlChange> plan_sysctl(const std::string& key, std::string_view value) {
  auto old_value = read_sysctl(key);
  if (!old_value) return std::unexpected(old_value.error());
  return SysctlChange{key, *old_value, std::string{value}};
}

Result<void> make(const SysctlChange& change) { return write_value(change.key, change.value); }

Result<void> undo(const SysctlChange& change) {
  auto present = read_sysctl(change.key);
  if (!present) {
    if (present.error().os_errno == ENOENT) return {};
    return in_context("put a setting back", present.error());
  }
  if (*present != change.value) return {};
  return write_value(change.key, change.old_value);
}

Result<SysctlChange> plan_fast_open() {
  constexpr unsigned as_client_and_server = 3;
  const std::string key{fast_open_key};
  const auto present = read_sysctl(key);
  if (!present) return std::unexpected(present.error());
  unsigned bits = 0;
  const auto parsed = std::from_chars(present->data(), present->data() + present->size(), bits);
  if (parsed.ec != std::errc{}) return make_error(Error::Kind::unavailable, key + ": no number");
  return plan_sysctl(key, std::to_string(bits | as_client_and_server));
}

std::vector<std::pair<std::string, std::string>> forwarding_settings(bool ipv4, bool ipv6) {
  std::vector<std::pair<std::string, std::string>> settings;
  if (ipv6) {
    std::error_code ignored;  // without IPv6 there is no such folder, and nothing to keep
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/sys/net/ipv6/conf", ignored)) {
      const std::string device = entry.path().filename();
      if (device == "all" || device == "default") continue;
      const std::string folder = "net/ipv6/conf/" + device;
      const auto accepts = read_sysctl(folder + "/accept_ra");
      const auto forwards = read_sysctl(folder + "/forwarding");
      if (!accepts || !forwards || *accepts != "1" || *forwards != "0") continue;
      settings.emplace_back(folder + "/accept_ra", "2");
    }
    std::sort(settings.begin(), settings.end());  // a directory has no order of its own
    settings.emplace_back("net/ipv6/conf/all/forwarding", "1");
  }
  if (ipv4) settings.emplace_back("net/ipv4/ip_forward", "1");
  return settings;
}

}  // namespace tw
