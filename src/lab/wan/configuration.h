// The ways that the experiment compares: the paper's ladder, each step with everything the one
// before it has, and what it is measured against. A new step is one more row in configuration.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lab/wan/model.h"

namespace tw::lab {

enum class Configuration : std::uint8_t {
  end_to_end,  ///< routed over the links; R_C and R_S merely forward
  /// The same, with Fast Open at client and server: what is to be had without any PoP.
  end_to_end_fast_open,
  routed,   ///< through the client's tunnel and the PoPs' own, not split
  ssh,      ///< `ssh -L` on R_C, sshd on R_S: the paper's baseline
  haproxy,  ///< two in series, TCP mode
  split,    ///< the relay, with every improvement off that can be
  early_syn,
  warm_legs,
  turbo,             ///< the relay as it is by default, for a client that does without Fast Open
  fast_open,         ///< the same relay, and a client that sends its request in the SYN
  fast_open_server,  ///< and a server that takes it so
};
inline constexpr std::size_t configuration_count = 11;
inline constexpr std::array all_configurations{
    Configuration::end_to_end,      Configuration::end_to_end_fast_open,
    Configuration::routed,          Configuration::ssh,
    Configuration::haproxy,         Configuration::split,
    Configuration::early_syn,       Configuration::warm_legs,
    Configuration::turbo,           Configuration::fast_open,
    Configuration::fast_open_server};

/// The program that carries the bytes on R_C and R_S.
enum class Carrier : std::uint8_t { kernel, tunnel, ssh, haproxy, relay };

struct Traits {
  std::string_view name;     ///< "+early-syn"
  std::string_view meaning;  ///< for people, a line
  Carrier carrier = Carrier::kernel;
  Way way = Way::unsplit;
  bool early_syn = false, warm_legs = false, turbo = false;
  bool fast_open = false, server_fast_open = false;  ///< of client and server (RFC 7413)
};

/// Congestion control, by the names of net.ipv4.tcp_available_congestion_control.
struct CongestionControls {
  std::string ends = "cubic";  ///< of client and server
  std::string pops = "cubic";  ///< of the PoPs, towards them
  std::string legs = "cubic";  ///< of the relay's legs
};

const Traits& traits_of(Configuration configuration) noexcept;
std::string_view name_of(Configuration configuration) noexcept;
std::optional<Configuration> parse_configuration(std::string_view name) noexcept;

/// The settings of this step's relays, as lines and tables of [relay]; "" unless its carrier is
/// the relay. `leg_congestion` is that of the legs; "": the system's.
std::string relay_switches(Configuration configuration, const std::string& leg_congestion);

}  // namespace tw::lab
