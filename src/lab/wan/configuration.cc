#include "lab/wan/configuration.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tw::lab {
namespace {

constexpr std::array<Traits, configuration_count> table{{
    {.name = "end-to-end", .meaning = "routed over the links, one TCP connection"},
    {.name = "end-to-end+fast-open",
     .meaning = "the same, the request in the SYN",
     .fast_open = true,
     .server_fast_open = true},
    {.name = "routed",
     .meaning = "routed, in the client's tunnel and the PoPs' own",
     .carrier = Carrier::tunnel},
    {.name = "ssh",
     .meaning = "ssh -L on R_C, sshd on R_S, one connection between them",
     .carrier = Carrier::ssh,
     .way = Way::channel},
    {.name = "haproxy",
     .meaning = "two HAProxies in series, TCP mode",
     .carrier = Carrier::haproxy,
     .way = Way::split},
    {.name = "split",
     .meaning = "the relay without early SYN, warm legs and turbo start",
     .carrier = Carrier::relay,
     .way = Way::split},
    {.name = "+early-syn",
     .meaning = "the onward half begins at the client's SYN",
     .carrier = Carrier::relay,
     .way = Way::split,
     .early_syn = true},
    {.name = "+warm-legs",
     .meaning = "and finds a connection to the other PoP that is there already",
     .carrier = Carrier::relay,
     .way = Way::split,
     .early_syn = true,
     .warm_legs = true},
    {.name = "+turbo",
     .meaning = "which starts with a large window, paced: the relay as it is by default",
     .carrier = Carrier::relay,
     .way = Way::split,
     .early_syn = true,
     .warm_legs = true,
     .turbo = true},
    {.name = "+fast-open",
     .meaning = "and a client that sends its request in the SYN",
     .carrier = Carrier::relay,
     .way = Way::split,
     .early_syn = true,
     .warm_legs = true,
     .turbo = true,
     .fast_open = true},
    {.name = "+fast-open-server",
     .meaning = "and a server that takes it in the last PoP's",
     .carrier = Carrier::relay,
     .way = Way::split,
     .early_syn = true,
     .warm_legs = true,
     .turbo = true,
     .fast_open = true,
     .server_fast_open = true},
}};

/// The kernel doubles what it is asked for: 6 MB, what its own tcp_rmem lets a socket grow to.
constexpr std::uint32_t stock_buffer_bytes = 3U << 20U;
constexpr std::uint32_t stock_initcwnd = 10;  // RFC 6928

}  // namespace

const Traits& traits_of(Configuration configuration) noexcept {
  return table[std::to_underlying(configuration)];
}

std::string_view name_of(Configuration configuration) noexcept {
  return traits_of(configuration).name;
}

std::optional<Configuration> parse_configuration(std::string_view name) noexcept {
  const auto found =
      std::ranges::find_if(all_configurations, [&](Configuration c) { return name_of(c) == name; });
  if (found == all_configurations.end()) return {};
  return *found;
}

std::string relay_switches(Configuration configuration, const std::string& leg_congestion) {
  const Traits& traits = traits_of(configuration);
  if (traits.carrier != Carrier::relay) return "";
  std::string turbo;
  if (!leg_congestion.empty()) {
    turbo += fmt::format("congestion_control = \"{}\"\n", leg_congestion);
  }
  if (!traits.turbo) {
    turbo += fmt::format("initcwnd = {}\nsocket_buffer_bytes = {}\npacing = false\n",
                         stock_initcwnd, stock_buffer_bytes);
  }
  return fmt::format(
      "\n[relay.early_syn]\nenabled = {}\n\n[relay.pool]\nenabled = {}\n\n[relay.turbo]\n{}",
      traits.early_syn, traits.warm_legs, turbo);
}

}  // namespace tw::lab
