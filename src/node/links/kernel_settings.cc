#include "node/links/kernel_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

#include "machine/firewall/firewall_text.h"
#include "machine/sysctl.h"
#include "node/links/journalled.h"

namespace tw::node {
namespace {

constexpr std::string_view v4_forwarding = "net/ipv4/ip_forward";
constexpr std::string_view v6_forwarding = "net/ipv6/conf/all/forwarding";
bool forwards_nothing_in_v4() {
  return read_sysctl(std::string{v4_forwarding}).value_or("") == "0";
}

// IPv4 may have been forwarded for what some devices bring: turning it on for all, and then off,
// takes that away. Written down as what it then will be, so that undoing puts it back.
constexpr std::string_view v4_devices = "net/ipv4/conf/", forwarding_of_device = "/forwarding";

std::optional<std::string> device_of(const SysctlChange& change) {
  std::string_view key = change.key;
  if (!key.starts_with(v4_devices) || !key.ends_with(forwarding_of_device)) return {};
  key.remove_prefix(v4_devices.size());
  key.remove_suffix(forwarding_of_device.size());
  return std::string{key};
}

std::vector<SysctlChange> forwarding_devices(const std::string& tunnel) {
  std::vector<SysctlChange> changes;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/sys/net/ipv4/conf", ignored)) {
    const std::string name = entry.path().filename();
    if (name == "all" || name == "default" || name == "lo" || name == tunnel) continue;
    const std::string key = fmt::format("{}{}{}", v4_devices, name, forwarding_of_device);
    if (read_sysctl(key).value_or("") == "1") changes.push_back({key, "1", "0"});
  }
  std::ranges::sort(changes);
  return changes;
}

}  // namespace

bool KernelSettings::opened(Family family) const {
  const std::string_view key = family == Family::v4 ? v4_forwarding : v6_forwarding;
  for (const Journal::Entry& entry : journal_.entries()) {
    const auto* sysctl = std::get_if<SysctlChange>(&entry.change);
    if (sysctl != nullptr && sysctl->key == key) return sysctl->old_value == "0";
  }
  const auto change = journal_.plan_shared(std::string{key}, "1");
  return change && change->old_value == "0";
}

std::vector<std::string> KernelSettings::forwarded_before() const {
  std::vector<SysctlChange> changes = journal_.settings_of_others();
  for (const Journal::Entry& entry : journal_.entries()) {
    if (const auto* sysctl = std::get_if<SysctlChange>(&entry.change)) changes.push_back(*sysctl);
  }
  if (forwards_nothing_in_v4()) {
    std::ranges::copy(forwarding_devices(tunnel_), std::back_inserter(changes));
  }
  std::set<std::string> names;
  for (const SysctlChange& change : changes) {
    const auto name = device_of(change);
    if (name && is_device_name(*name)) names.insert(*name);
  }
  return {names.begin(), names.end()};
}

// We need the settings that other nodes have changed for forwarding, too, and write them down: the
// last node undoes them.
std::vector<std::pair<std::string, std::string>> KernelSettings::wanted(bool v4, bool v6) const {
  auto settings = forwarding_settings(v4, v6);
  if (!v6) return settings;
  for (const SysctlChange& other : journal_.settings_of_others()) {
    const std::pair<std::string, std::string> one{other.key, other.value};
    const bool known = std::ranges::find(settings, one) != settings.end();
    if (other.key.ends_with("/accept_ra") && !known) settings.insert(settings.begin(), one);
  }
  return settings;
}

// Devices that IPv4 is forwarded for now, and those that other nodes have found so.
std::vector<SysctlChange> KernelSettings::devices_to_record(bool v4) const {
  std::vector<SysctlChange> before;
  if (!v4) return before;
  if (forwards_nothing_in_v4()) before = forwarding_devices(tunnel_);
  std::ranges::copy_if(journal_.settings_of_others(), std::back_inserter(before),
                       [](const SysctlChange& other) { return device_of(other).has_value(); });
  return before;
}

Result<void> KernelSettings::turn_on_forwarding(bool v4, bool v6) {
  const bool turn_v4 = v4 && !forward_v4_, turn_v6 = v6 && !forward_v6_;
  if (!turn_v4 && !turn_v6) return {};
  const UniqueFd held = journal_.hold_settings();
  for (const SysctlChange& change : devices_to_record(turn_v4)) {
    if (stands(journal_, change)) continue;
    if (auto recorded = journal_.record(change); !recorded) {
      return std::unexpected(recorded.error());
    }
  }
  for (const auto& [key, value] : wanted(turn_v4, turn_v6)) {
    auto change = journal_.plan_shared(key, value);
    if (!change) return in_context("turn on forwarding", change.error());
    if (change->old_value == change->value) continue;
    if (auto set = make_journalled(journal_, *change, [&] { return make(*change); }); !set) {
      return in_context("turn on forwarding", set.error());
    }
  }
  forward_v4_ = forward_v4_ || turn_v4;
  forward_v6_ = forward_v6_ || turn_v6;
  return {};
}

void KernelSettings::turn_on_fast_open() {
  if (std::exchange(fast_open_, true)) return;
  const UniqueFd held = journal_.hold_settings();
  const auto planned = plan_fast_open();
  if (!planned) return;
  const auto change = journal_.plan_shared(planned->key, planned->value);
  if (!change || change->old_value == change->value) return;
  static_cast<void>(make_journalled(journal_, *change, [&] { return make(*change); }));
}

void KernelSettings::undone_but(bool forward_v4, bool forward_v6, bool fast_open) noexcept {
  forward_v4_ = forward_v4_ && forward_v4;
  forward_v6_ = forward_v6_ && forward_v6;
  fast_open_ = fast_open_ && fast_open;
}

}  // namespace tw::node
