#include "machine/privileges.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/unique_fd.h"
#include "machine/firewall/firewall.h"
#include "machine/netlink/netlink.h"

namespace tw {
namespace {

constexpr std::array kept_capabilities{unsigned{CAP_NET_ADMIN}, unsigned{CAP_NET_RAW},
                                       unsigned{CAP_BPF}, unsigned{CAP_SYS_RESOURCE},
                                       unsigned{CAP_NET_BIND_SERVICE}};

// ThreadSanitizer runs a thread of its own, which handles no packet and no request.
#if defined(__SANITIZE_THREAD__)
constexpr bool counts_threads = false;
#elif defined(__has_feature)
constexpr bool counts_threads = !__has_feature(thread_sanitizer);
#else
constexpr bool counts_threads = true;
#endif

bool has_capability(capng_type_t set, unsigned capability) {
  return capng_have_capability(set, capability) != 0;
}

Result<void> check_single_thread() {
  if (!counts_threads) return {};
  std::error_code error;
  std::size_t threads = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    threads += task.path().empty() ? 0U : 1U;
  }
  if (error) return system_error(error.value(), "drop privileges: list the threads");
  if (threads == 1) return {};
  return make_error(Error::Kind::unavailable,
                    fmt::format("drop privileges: {} threads are running already", threads));
}

Result<void> read_back(const std::vector<unsigned>& wanted) {
  capng_clear(CAPNG_SELECT_ALL);
  if (capng_get_caps_process() != 0) return system_error("drop privileges: read them back");
  for (unsigned capability = 0; capability <= unsigned{CAP_LAST_CAP}; ++capability) {
    bool keep = false;
    for (const unsigned one : wanted) keep = keep || one == capability;
    const bool as_wanted = has_capability(CAPNG_EFFECTIVE, capability) == keep &&
                           has_capability(CAPNG_PERMITTED, capability) == keep &&
                           has_capability(CAPNG_BOUNDING_SET, capability) == keep &&
                           !has_capability(CAPNG_INHERITABLE, capability) &&
                           !has_capability(CAPNG_AMBIENT, capability);
    if (as_wanted) continue;
    const char* name = capng_capability_to_name(capability);
    return make_error(Error::Kind::unavailable,
                      fmt::format("drop privileges: capability {} ({}) is not as it was set",
                                  capability, name != nullptr ? name : "?"));
  }
  rlimit core{};
  if (::getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0 ||
      ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
    return make_error(Error::Kind::unavailable,
                      "drop privileges: core dumps or no_new_privs are not as they were set");
  }
  return {};
}

Result<void> keep_only(const std::vector<unsigned>& wanted) {
  // A service manager may have left no more than what is kept: then there is no bounding set to
  // narrow, and no right to. read_back() looks at it all the same.
  const capng_select_t chosen =
      has_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS;
  capng_clear(CAPNG_SELECT_ALL);
  // libcap-ng takes sets or-ed together, though its enum does not name the sums.
  constexpr auto sets =  // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange)
      static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET);
  for (const unsigned capability : wanted) {
    if (capng_update(CAPNG_ADD, sets, capability) != 0) {
      return make_error(Error::Kind::unavailable, "drop privileges: choose capabilities");
    }
  }
  if (const int rc = capng_apply(chosen); rc != 0) {
    return system_error(fmt::format("drop privileges: set capabilities (step {})", -rc));
  }
  if (auto hidden = hide_memory(); !hidden) return hidden;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("set no_new_privs");
  return read_back(wanted);
}

}  // namespace

Result<void> hide_memory() {
  const rlimit no_core{0, 0};
  if (::setrlimit(RLIMIT_CORE, &no_core) != 0) return system_error("forbid core dumps");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_error("make undumpable");
  return {};
}

Result<void> drop_privileges() {
  if (auto alone = check_single_thread(); !alone) return alone;
  if (capng_get_caps_process() != 0) return system_error("drop privileges: read the present ones");
  std::vector<unsigned> wanted;
  for (const unsigned capability : kept_capabilities) {
    // One that the bounding set lacks can be used all the same, but not by the rule of read_back().
    if (has_capability(CAPNG_PERMITTED, capability) &&
        has_capability(CAPNG_BOUNDING_SET, capability)) {
      wanted.push_back(capability);
    }
  }
  if (wanted.empty() || wanted.front() != unsigned{CAP_NET_ADMIN}) {
    return make_error(Error::Kind::unavailable, "needs root: run with sudo (CAP_NET_ADMIN)");
  }
  return keep_only(wanted);
}

Result<void> drop_all_privileges() {
  if (auto alone = check_single_thread(); !alone) return alone;
  if (capng_get_caps_process() != 0) return system_error("drop privileges: read the present ones");
  return keep_only({});
}

Result<std::uint64_t> raise_file_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return system_error("read the limit of open files");
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) {
    return system_error(fmt::format("raise the limit of open files to {}", files.rlim_max));
  }
  return std::uint64_t{files.rlim_cur};
}

namespace {

std::string missing_tun() {
  const UniqueFd tun{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
  if (tun) return {};
  switch (errno) {
    case ENOENT:
      return "/dev/net/tun is missing: modprobe tun (in a container: pass the device in)";
    case ENODEV:
    case ENXIO:
      return "/dev/net/tun is there but no driver is behind it: modprobe tun";
    case EACCES:
    case EPERM:
      return "/dev/net/tun may not be opened: run with sudo (in a container: allow the device)";
    default:
      return system_error("open /dev/net/tun").error().text();
  }
}

std::string missing_transparent() {
  const UniqueFd probe{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const int on = 1;
  if (probe && ::setsockopt(probe.get(), SOL_IP, IP_TRANSPARENT, &on, sizeof on) == 0) return {};
  return system_error("transparent sockets (IP_TRANSPARENT) are refused").error().text() +
         ": run with sudo";
}

}  // namespace

std::vector<std::string> missing_prerequisites(bool relay) {
  std::vector<std::string> missing;
  const bool readable = capng_get_caps_process() == 0;
  if (::geteuid() != 0) {
    missing.emplace_back("needs root: run with sudo");
    return missing;  // the rest would only say the same in other words
  }
  if (!readable || !has_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN)) {
    missing.emplace_back(
        "root, but without CAP_NET_ADMIN: in a container, run it with --cap-add NET_ADMIN");
    return missing;
  }
  if (auto tun = missing_tun(); !tun.empty()) missing.push_back(std::move(tun));
  if (auto netlink = Netlink::open(); !netlink) missing.push_back(netlink.error().text());
  if (auto probed = Firewall::probe(); !probed) missing.push_back(probed.error().text());
  if (relay) {
    if (auto text = missing_transparent(); !text.empty()) missing.push_back(std::move(text));
  }
  return missing;
}

}  // namespace tw
