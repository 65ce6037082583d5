#include "node/tunnel/tun_settings.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/unique_fd.h"
#include "machine/sysctl.h"

namespace tw::node {
namespace {

constexpr std::string_view no_address = "1";  // IN6_ADDR_GEN_MODE_NONE

constexpr std::array settings{
    std::pair{std::string_view{"ipv6"}, std::string_view{"accept_ra"}},
    std::pair{std::string_view{"ipv6"}, std::string_view{"autoconf"}},
    std::pair{std::string_view{"ipv6"}, std::string_view{"accept_redirects"}},
    std::pair{std::string_view{"ipv4"}, std::string_view{"accept_redirects"}},
    std::pair{std::string_view{"ipv4"}, std::string_view{"send_redirects"}}};

/// A machine without IPv6, or an older kernel, has nothing to set.
Result<void> set(const std::string& key, std::string_view value) {
  const Result<SysctlChange> change = plan_sysctl(key, value);
  if (change) return make(*change);
  if (change.error().os_errno == ENOENT) return {};
  return std::unexpected(change.error());
}

Result<void> clear_multicast(const std::string& interface) {
  const UniqueFd control{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (!control || ::ioctl(control.get(), SIOCGIFFLAGS, &request) != 0) {
    return system_error("flags of " + interface);
  }
  request.ifr_flags = static_cast<short>(request.ifr_flags & ~IFF_MULTICAST);
  if (::ioctl(control.get(), SIOCSIFFLAGS, &request) == 0) return {};
  return system_error("clear the multicast flag of " + interface);
}

void log_refusal(const Result<void>& done) {
  if (!done) log::warning("{}", done.error().text());
}

}  // namespace

void quiet_tun(const std::string& interface) {
  for (const auto& [family, name] : settings) {
    log_refusal(
        set("net/" + std::string{family} + "/conf/" + interface + '/' + std::string{name}, "0"));
  }
  log_refusal(set("net/ipv6/conf/" + interface + "/addr_gen_mode", no_address));
  log_refusal(clear_multicast(interface));
}

}  // namespace tw::node
