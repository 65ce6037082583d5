#include "host/plan/read_facts.h"

#include <net/if.h>
#include <sys/utsname.h>

#include <charconv>
#include <filesystem>
#include <system_error>

#include "base/cpu_list.h"
#include "host/peer.h"
#include "host/settings/file_setting.h"
#include "machine/ethtool.h"
#include "machine/sysctl.h"

namespace tw::host {
namespace {

namespace fs = std::filesystem;

std::uint32_t number_in(const std::string& text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::optional<std::string> sysctl_value(const std::string& key) {
  auto value = read_sysctl(key);
  if (!value) return {};
  return *value;
}

std::vector<IdleState> idle_states_of(std::uint32_t cpu) {
  std::vector<IdleState> states;
  for (std::uint32_t state = 0;; ++state) {
    const std::string folder = std::string{cpu_folder} + "/cpu" + std::to_string(cpu) +
                               "/cpuidle/state" + std::to_string(state);
    const auto name = read_line(folder + "/name");
    if (!name) return states;
    states.push_back({cpu, state, *name, number_in(read_line(folder + "/latency").value_or("0"))});
  }
}

std::uint32_t count_queues(const std::string& folder, std::string_view prefix) {
  std::uint32_t count = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder + "/queues", ignored)) {
    count += entry.path().filename().string().starts_with(prefix) ? 1 : 0;
  }
  return count;
}

DeviceType type_of(const std::string& folder, const std::string& driver, unsigned flags) {
  std::error_code ignored;
  if ((flags & IFF_LOOPBACK) != 0) return DeviceType::loopback;
  if (driver == "veth") return DeviceType::veth;
  if (fs::exists(folder + "/bridge", ignored)) return DeviceType::bridge;
  if (driver == "wireguard") return DeviceType::wireguard;
  return fs::exists(folder + "/device", ignored) ? DeviceType::nic : DeviceType::other;
}

/// Reads all settings that a plan may name, of a device with these NAPIs and queues.
Result<std::map<SettingKey, std::string>> read_values(const MachineFacts& machine,
                                                      const DeviceFacts& device,
                                                      const DevicePlace& place) {
  std::vector<SettingKey> keys{{Kind::gro}, {Kind::device_threaded}};
  for (std::uint32_t i = 0; i < device.napis.size(); ++i) {
    for (const Kind kind : {Kind::napi_threaded, Kind::napi_thread, Kind::defer_hard_irqs,
                            Kind::gro_flush_timeout, Kind::irq_suspend_timeout}) {
      keys.push_back({kind, i});
    }
    if (device.napis[i].irq != 0) keys.push_back({Kind::irq_affinity, device.napis[i].irq});
  }
  for (std::uint32_t i = 0; i < device.receive_queues; ++i) keys.push_back({Kind::rps, i});
  for (const std::uint32_t cpu : machine.online) keys.push_back({Kind::governor, cpu});
  for (const IdleState& idle : machine.idle_states) {
    keys.push_back({Kind::idle_state, idle.cpu, idle.state});
  }
  std::map<SettingKey, std::string> values;
  for (const SettingKey& key : keys) {
    auto value = setting_of(key.kind).read(place, key);
    if (!value) return std::unexpected(value.error());
    if (*value) values.emplace(key, std::move(**value));
  }
  return values;
}

}  // namespace

MachineFacts read_machine() {
  MachineFacts machine;
  utsname names{};
  if (::uname(&names) == 0) machine.release = names.release;
  const char* begin = machine.release.data();
  const char* end = begin + machine.release.size();
  const auto [dot, error] = std::from_chars(begin, end, machine.major);
  if (error == std::errc{} && dot != end) std::from_chars(dot + 1, end, machine.minor);
  const std::string folder{cpu_folder};
  machine.online =
      cpus_of(read_line(folder + "/online").value_or("0")).value_or(std::vector<std::uint32_t>{0});
  machine.isolated =
      cpus_of(read_line(folder + "/isolated").value_or("")).value_or(std::vector<std::uint32_t>{});
  for (const std::uint32_t cpu : machine.online) {
    for (IdleState& idle : idle_states_of(cpu)) machine.idle_states.push_back(std::move(idle));
  }
  machine.busy_poll = sysctl_value("net/core/busy_poll");
  machine.busy_read = sysctl_value("net/core/busy_read");
  machine.real_time_runtime_us = sysctl_value("kernel/sched_rt_runtime_us");
  return machine;
}

Result<Facts> read_facts(const MachineFacts& machine, const NetworkSpace& space,
                         const std::string& device) {
  const auto inside = space.enter();
  if (!inside) return std::unexpected(inside.error());
  Facts facts;
  facts.machine = machine;
  DeviceFacts& found = facts.device;
  found.name = device;
  found.where = space.where();
  found.index = ::if_nametoindex(device.c_str());
  if (found.index == 0) {
    return make_error(Error::Kind::unavailable, "there is no device " + device);
  }
  auto driver = driver_of(device);
  if (!driver) return std::unexpected(driver.error());
  found.driver = std::move(*driver);
  const std::string folder = space.sysfs() + "/class/net/" + device;
  const std::string flags = read_line(folder + "/flags").value_or("0x0");
  unsigned bits = 0;
  if (flags.starts_with("0x"))
    std::from_chars(flags.data() + 2, flags.data() + flags.size(), bits, 16);
  found.up = (bits & IFF_UP) != 0;
  found.type = type_of(folder, found.driver, bits);
  found.receive_queues = count_queues(folder, "rx-");
  const std::uint32_t transmit_queues = count_queues(folder, "tx-");
  for (std::uint32_t i = 0; i < transmit_queues; ++i) {
    const auto mask = read_line(folder + "/queues/tx-" + std::to_string(i) + "/xps_cpus");
    if (mask) found.xps.push_back(*mask);
  }
  auto netlink = NapiNetlink::open();
  found.has_netlink = netlink.has_value();
  if (netlink) {
    auto napis = netlink->napis(found.index);
    if (!napis) return std::unexpected(napis.error());
    found.napis = std::move(*napis);
  }
  const DevicePlace place{device, found.index, space.sysfs(), netlink ? &*netlink : nullptr};
  auto values = read_values(machine, found, place);
  if (!values) return std::unexpected(values.error());
  facts.values = std::move(*values);
  if (found.type == DeviceType::veth) found.peer = find_peer(space, device);
  return facts;
}

}  // namespace tw::host
