#include "lab/bed/testbed.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <thread>

#include "lab/bed/process.h"
#include "lab/bed/scratch.h"
#include "lab/probe/round_trip.h"
#include "lab/probe/tcp_probe.h"

namespace tw::lab {
namespace {

double to_ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

Result<void> check_machine(const std::string& what, std::initializer_list<const char*> programs) {
  if (geteuid() != 0) {
    return make_error(Error::Kind::unavailable,
                      what + " makes network namespaces, which needs root: run it with sudo");
  }
  if (access("/dev/net/tun", R_OK | W_OK) != 0) {
    return system_error("/dev/net/tun, which the emulated links need");
  }
  std::vector<const char*> names{"ip", "curl", "nginx", "sha256sum"};
  names.insert(names.end(), programs);
  std::string missing;
  for (const char* name : names) {
    if (find_program(name).empty()) missing += std::string{missing.empty() ? "" : ", "} + name;
  }
  if (missing.empty()) return {};
  return make_error(Error::Kind::unavailable, "not installed: " + missing + " — run scripts/deps");
}

Result<Testbed> build_testbed(const TopologyShape& shape, Progress& progress,
                              Interrupt& interrupt) {
  auto lock = RunLock::hold();
  if (!lock) return std::unexpected(lock.error());
  for (const std::string& name : remove_stale_runs()) {
    progress.note("removed what a killed run had left: " + name);
  }
  progress.show("building hosts and links");
  auto scratch = ScratchFolder::create();
  if (!scratch) return std::unexpected(scratch.error());
  auto topology = Topology::create(shape, interrupt);
  if (!topology) return std::unexpected(topology.error());
  return Testbed{std::move(*lock), std::move(*scratch), std::move(*topology)};
}

Result<LinkFigures> measure_links(const TopologyShape& shape, const Topology& topology,
                                  Interrupt& interrupt) {
  auto round_trips = measure_round_trips({{topology.client(), address::rc_access},
                                          {topology.rc(), address::rs},
                                          {topology.rs(), address::server},
                                          {topology.client(), address::service_direct}},
                                         interrupt);
  if (!round_trips) return std::unexpected(round_trips.error());
  const auto link = [&](std::size_t index, const char* key, const char* title,
                        const LinkShape& asked) {
    const std::vector<double>& values = (*round_trips)[index];
    return LinkReport{key, title, to_ms(asked.rtt), summarise(values), percentile(values, 0.99)};
  };
  return LinkFigures{.links = {link(0, "client_rc", "client – R_C", shape.client_rc),
                               link(1, "rc_rs", "R_C – R_S", shape.rc_rs),
                               link(2, "rs_server", "R_S – server", shape.rs_server)},
                     .end_to_end_rtt_ms = summarise((*round_trips)[3])};
}

std::string version_of(std::vector<std::string> argv, Interrupt& interrupt) {
  const auto outcome = run({.argv = std::move(argv)}, interrupt);
  if (!outcome) return "?";
  const std::string& text = outcome->out.empty() ? outcome->err : outcome->out;
  std::string line = text.substr(0, text.find('\n'));
  // curl goes on with its libraries.
  if (const std::size_t libraries = line.find(" (x86"); libraries != std::string::npos) {
    line.resize(libraries);
  }
  return line;
}

Result<Facts> describe_testbed(const Topology& topology, const std::string& links,
                               const std::string& settings, Interrupt& interrupt) {
  utsname kernel{};
  uname(&kernel);
  Facts facts;
  const auto add = [&](const char* name, std::string value) {
    facts.emplace_back(name, std::move(value));
  };
  add("machine", fmt::format("{} {}, {} CPUs", kernel.sysname, kernel.release,
                             std::thread::hardware_concurrency()));
  add("programs", fmt::format("{}; {}; {}", version_of({"curl", "--version"}, interrupt),
                              version_of({"nginx", "-v"}, interrupt),
                              version_of({"wireguard-go", "--version"}, interrupt)));
  add("links", links);
  const auto tcp =
      probe_tcp(topology.client(), topology.server(), address::service_direct, interrupt);
  if (!tcp) return std::unexpected(tcp.error());
  add("congestion control", fmt::format("server {}, client {} (read from a connection's sockets)",
                                        tcp->server_congestion, tcp->client_congestion));
  for (const char* key : {"tcp_rmem", "tcp_wmem"}) {
    const auto server = topology.server().sysctl(std::string{"net/ipv4/"} + key);
    const auto client = topology.client().sysctl(std::string{"net/ipv4/"} + key);
    if (!server || !client) return std::unexpected((server ? client : server).error());
    add(key, fmt::format("server {}, client {}", *server, *client));
  }
  add("nginx", settings);
  return facts;
}

}  // namespace tw::lab
