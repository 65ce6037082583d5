// The state of a machine and a device, as values: all that the planning looks at.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/settings/setting.h"
#include "machine/netlink/napi_netlink.h"

namespace tw::host {

struct IdleState {
  std::uint32_t cpu = 0, state = 0;
  std::string name;
  std::uint32_t latency_us = 0;  ///< until the CPU runs again
};

struct MachineFacts {
  std::string release;  ///< "6.18.44"
  std::uint32_t major = 0, minor = 0;
  std::vector<std::uint32_t> online, isolated;
  std::vector<IdleState> idle_states;
  std::optional<std::string> busy_poll, busy_read;  ///< µs; empty: not in this network namespace
  std::optional<std::string> real_time_runtime_us;  ///< "-1": real-time threads have no bound
  bool at_least(std::uint32_t wanted_major, std::uint32_t wanted_minor) const noexcept {
    return major != wanted_major ? major > wanted_major : minor >= wanted_minor;
  }
};

/// The other end of a veth.
struct PeerFacts {
  std::string name;
  std::string where;  ///< the file of its network namespace; "" if it is the same one
};

enum class DeviceType : std::uint8_t { nic, veth, wireguard, loopback, bridge, other };

struct DeviceFacts {
  std::string name;
  std::uint32_t index = 0;
  std::string where;  ///< the file of its network namespace; "" of our own
  std::string driver;
  DeviceType type = DeviceType::nic;
  bool up = false;
  bool has_netlink = false;  ///< NAPIs can be listed
  std::vector<NapiState> napis;
  std::uint32_t receive_queues = 0;
  std::optional<PeerFacts> peer;
  std::vector<std::string> xps;  ///< masks of the transmit queues
};

/// Everything that the plan for one device depends on.
struct Facts {
  MachineFacts machine;
  DeviceFacts device;
  std::map<SettingKey, std::string> values;  ///< of the settings that are there

  std::optional<std::string> value(Kind kind, std::uint32_t at = 0, std::uint32_t sub = 0) const {
    const auto found = values.find({kind, at, sub});
    if (found == values.end()) return {};
    return found->second;
  }
};

}  // namespace tw::host
