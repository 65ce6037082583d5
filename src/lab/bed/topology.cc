#include "lab/bed/topology.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace tw::lab {
namespace {

enum Host : std::size_t { client_host, rc_host, wan_host, rs_host, server_host };
constexpr std::array<std::string_view, 5> host_names{"client", "rc", "wan", "rs", "server"};

std::string with_length(const char* address, int length) {
  return fmt::format("{}/{}", address, length);
}

/// The end of a route whose connections shall speak `congestion`.
std::string speaking(const std::string& congestion) {
  return congestion.empty() ? "" : " congctl " + congestion;
}

}  // namespace

Result<Topology> Topology::create(const TopologyShape& shape, Interrupt& interrupt) {
  Topology topology;
  Result<void> done = topology.add_hosts(interrupt);
  if (done) done = topology.set_sysctls();
  if (done) done = topology.add_links(shape, interrupt);
  if (done) done = topology.add_routes(shape, interrupt);
  if (!done) return std::unexpected(done.error());
  return topology;
}

Result<void> Topology::add_hosts(Interrupt& interrupt) {
  hosts_.reserve(host_names.size());
  for (const std::string_view name : host_names) {
    Result<Namespace> host = Namespace::create(run_prefix() + std::string{name}, interrupt);
    if (!host) return std::unexpected(host.error());
    hosts_.push_back(std::move(*host));
  }
  return {};
}

Result<void> Topology::set_sysctls() {
  struct Setting {
    Host host;
    const char* key;
    const char* value;
  };
  std::vector<Setting> settings;
  for (const Host router : {rc_host, wan_host, rs_host}) {
    settings.push_back({router, "net/ipv4/ip_forward", "1"});
  }
  for (const Host end : {client_host, server_host}) {
    // Defaults of the kernel on any machine of today, whatever this one is tuned to.
    settings.push_back({end, "net/ipv4/tcp_rmem", "4096 131072 6291456"});
    settings.push_back({end, "net/ipv4/tcp_wmem", "4096 16384 4194304"});
  }
  for (std::size_t host = 0; host < host_names.size(); ++host) {
    // Otherwise a download's slow start would begin with what the one before it has learned.
    settings.push_back({static_cast<Host>(host), "net/ipv4/tcp_no_metrics_save", "1"});
  }
  for (const Setting& setting : settings) {
    auto done = hosts_[setting.host].set_sysctl(setting.key, setting.value);
    if (!done) return done;
  }
  return {};
}

Result<void> Topology::add_links(const TopologyShape& shape, Interrupt& interrupt) {
  struct Span {
    Host near, far;
    const char* near_address;
    const char* far_address;
    const LinkShape& shape;
  };
  const std::array spans{
      Span{client_host, rc_host, address::client, address::rc_access, shape.client_rc},
      Span{rc_host, wan_host, address::rc, address::wan_west, shape.rc_rs},
      Span{rs_host, server_host, address::rs_access, address::server, shape.rs_server}};
  for (const Span& span : spans) {
    Result<EmulatedLink> link =
        EmulatedLink::create({hosts_[span.near], "far", with_length(span.near_address, 30)},
                             {hosts_[span.far], "near", with_length(span.far_address, 30)},
                             directions_of(span.shape), interrupt);
    if (!link) return std::unexpected(link.error());
    links_.push_back(std::move(*link));
  }
  auto done = hosts_[wan_host].ip(fmt::format("link add east type veth peer name near netns {}\n"
                                              "address add {}/30 dev east\nlink set east up\n",
                                              hosts_[rs_host].name(), address::wan_east),
                                  interrupt);
  if (!done) return done;
  return hosts_[rs_host].ip(
      fmt::format("address add {}/30 dev near\nlink set near up\n", address::rs), interrupt);
}

Result<void> Topology::add_routes(const TopologyShape& shape, Interrupt& interrupt) {
  const std::string services = "198.19.0.0/24";
  const std::string end = speaking(shape.congestion);
  const std::string pop = speaking(shape.pop_congestion);
  const std::array<std::string, 5> commands{
      // The link has a route of its own, since the kernel's has no congestion control.
      fmt::format("route add default via {0}{1}\nroute add {0}/32 dev far{1}\n", address::rc_access,
                  end),
      fmt::format("route add default via {}{}\nroute add {}/32 dev near src {}{}\n",
                  address::wan_west, pop, address::client, address::rc_access, pop),
      fmt::format("route add 198.18.1.0/24 via {0}\nroute add {1} via {0}\n"
                  "route add {2} via {3}\nroute add 198.18.4.0/24 via {3}\n",
                  address::rc, with_length(address::client_overlay, 32), services, address::rs),
      fmt::format("route add default via {}{}\nroute add {} via {}{}\n", address::wan_east, pop,
                  services, address::server, pop),
      fmt::format("route add default via {}{}\n"
                  "address add {}/32 dev lo\naddress add {}/32 dev lo\naddress add {}/32 dev lo\n",
                  address::rs_access, end, address::service_direct, address::service_tunnelled,
                  address::service_relayed)};
  for (std::size_t host = 0; host < commands.size(); ++host) {
    if (auto done = hosts_[host].ip(commands[host], interrupt); !done) return done;
  }
  return {};
}

}  // namespace tw::lab
