#include "machine/ethtool.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace tw {
namespace {

/// `command` is one of <linux/ethtool.h>'s structs, and filled with the answer.
Result<void> ask(const std::string& device, void* command, const std::string& doing) {
  ifreq request{};
  if (device.empty() || device.size() >= sizeof request.ifr_name) {
    return make_error(Error::Kind::config, "\"" + device + "\" is no name of a device");
  }
  std::memcpy(request.ifr_name, device.data(), device.size());
  request.ifr_data = static_cast<char*>(command);
  const UniqueFd probe{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!probe || ::ioctl(probe.get(), SIOCETHTOOL, &request) != 0) {
    return system_error(doing + " " + device);
  }
  return {};
}

}  // namespace

Result<std::string> driver_of(const std::string& device) {
  ethtool_drvinfo answer{};
  answer.cmd = ETHTOOL_GDRVINFO;
  const auto asked = ask(device, &answer, "ask for the driver of");
  if (!asked && asked.error().os_errno == EOPNOTSUPP) return std::string{};
  if (!asked) return std::unexpected(asked.error());
  return std::string{answer.driver, ::strnlen(answer.driver, sizeof answer.driver)};
}

Result<bool> has_gro(const std::string& device) {
  ethtool_value answer{};
  answer.cmd = ETHTOOL_GGRO;
  if (auto asked = ask(device, &answer, "ask for GRO of"); !asked) {
    return std::unexpected(asked.error());
  }
  return answer.data != 0;
}

Result<void> set_gro(const std::string& device, bool on) {
  ethtool_value command{};
  command.cmd = ETHTOOL_SGRO;
  command.data = on ? 1 : 0;
  return ask(device, &command, on ? "turn GRO on for" : "turn GRO off for");
}

}  // namespace tw
