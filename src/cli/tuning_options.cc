#include "cli/tuning_options.h"

#include <chrono>
#include <string>
#include <string_view>

#include "node/config/config_values.h"

namespace tw::cli {
namespace {

using node::DeviceOffloads;
using node::DeviceTuning;
using node::DeviceWorkers;

/// An option whose text is read as the TOML file's value is.
template <typename T>
CLI::Option* add_value(CLI::App& command, const char* name, T& out,
                       node::Parsed<T> (*read)(std::string_view), const char* help) {
  return command
      .add_option_function<std::string>(
          name,
          [&out, read](const std::string& text) {
            if (auto parsed = read(text)) out = std::move(*parsed);
          },
          help)
      ->check([read](const std::string& text) {
        const auto parsed = read(text);
        return parsed ? std::string{} : parsed.error().what + ": " + parsed.error().mend;
      });
}

struct NamedOffload {
  const char* name;
  bool DeviceOffloads::* flag;
};
constexpr NamedOffload named_offloads[] = {{"udp_receive", &DeviceOffloads::udp_receive},
                                           {"udp_send", &DeviceOffloads::udp_send},
                                           {"tun_tcp", &DeviceOffloads::tun_tcp},
                                           {"tun_udp", &DeviceOffloads::tun_udp},
                                           {"tun_udp_tunnel", &DeviceOffloads::tun_udp_tunnel}};

bool turn_off(std::string_view name, DeviceOffloads& offloads) noexcept {
  for (const NamedOffload& offload : named_offloads) {
    if (name != offload.name) continue;
    offloads.*offload.flag = false;
    return true;
  }
  return false;
}

}  // namespace

void add_tuning_options(CLI::App& command, DeviceTuning& tuning) {
  constexpr const char* group = "How the device works (as [tunnel] in a node's file)";
  add_value(command, "--cipher", tuning.cipher, node::read_cipher,
            "Engine that seals and opens: automatic (the fastest that is right), ipsec-mb, "
            "boringssl, openssl")
      ->type_name("NAME")
      ->group(group);
  CLI::Option* governor =
      add_value(command, "--governor", tuning.governor.mode, node::read_governor,
                "When the data worker has nothing to do: interrupt (sleep), adaptive (spin for a "
                "while, then sleep), busy (never sleep)");
  governor->type_name("NAME")->group(group);
  command
      .add_option_function<std::uint32_t>(
          "--spin-us",
          [&tuning](std::uint32_t us) { tuning.governor.spin = std::chrono::microseconds{us}; },
          "How long an adaptive governor spins")
      ->needs(governor)
      ->check(CLI::Range(std::uint32_t{1}, node::most_spin_us))
      ->type_name("N")
      ->group(group);
  command
      .add_option_function<std::uint32_t>(
          "--queue-limit-us",
          [&tuning](std::uint32_t us) { tuning.queue_limit = std::chrono::microseconds{us}; },
          "How long a packet may wait in the TUN's queue or in a socket; 0: any time")
      ->check(CLI::Range(std::uint32_t{0}, node::most_queue_limit_us))
      ->type_name("N")
      ->group(group);
  add_value(command, "--dscp", tuning.dscp, node::read_dscp,
            "Class of service of outer packets: clear, inherit, or a number below 64")
      ->type_name("WHAT")
      ->group(group);
  command
      .add_option_function<std::vector<std::string>>(
          "--no-offload",
          [&tuning](const std::vector<std::string>& names) {
            for (const std::string& name : names) turn_off(name, tuning.offloads);
          },
          "Do without udp_receive, udp_send, tun_tcp, tun_udp, or tun_udp_tunnel; several with "
          "commas")
      ->delimiter(',')
      ->allow_extra_args(false)  // the interface may follow
      ->check([](const std::string& name) {
        DeviceOffloads scratch;
        return turn_off(name, scratch) ? std::string{} : name + " is no offload";
      })
      ->type_name("NAMES")
      ->group(group);
}

void add_worker_options(CLI::App& command, DeviceWorkers& workers) {
  constexpr const char* group = "Threads that carry packets (as [workers] in a node's file)";
  command.add_option("--workers", workers.max, "How many; each peer belongs to one (1)")
      ->check(CLI::Range(std::uint16_t{1}, node::most_workers))
      ->type_name("N")
      ->group(group);
  add_value(command, "--cores", workers.cores, node::read_cores,
            "CPUs for them, one each in turn: 0-3,6")
      ->type_name("LIST")
      ->group(group);
  add_value(command, "--steering", workers.steering, node::read_steering,
            "Who puts packets on the queue of their worker: kernel, user")
      ->type_name("WHO")
      ->group(group);
}

}  // namespace tw::cli
