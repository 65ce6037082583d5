#include "lab/demo.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <thread>

#include "lab/overlay.h"
#include "lab/round_trip.h"
#include "lab/scratch.h"
#include "lab/tcp_probe.h"
#include "lab/topology.h"
#include "lab/web_server.h"

namespace tw::lab {
namespace {

/// What is up while the demonstration runs, destroyed in reverse order.
struct Stage {
  ScratchFolder scratch;
  Topology topology;
  std::optional<WebServer> server;
  std::optional<Overlay> overlay;

  /// An error if one of its programs has ended by itself.
  Result<void> check() {
    if (!server->process().running()) {
      return make_error(Error::Kind::unavailable,
                        "nginx ended by itself: " + last_lines(server->process().err(), 6));
    }
    return overlay ? overlay->check() : Result<void>{};
  }
};

Result<void> check_machine() {
  if (geteuid() != 0) {
    return make_error(Error::Kind::unavailable,
                      "the demonstration makes network namespaces, which needs root: run it with "
                      "sudo");
  }
  if (access("/dev/net/tun", R_OK | W_OK) != 0) {
    return system_error("/dev/net/tun, which the emulated links need");
  }
  std::string missing;
  for (const char* name : {"ip", "curl", "nginx", "wg", "wireguard-go", "sha256sum"}) {
    if (find_program(name).empty()) missing += std::string{missing.empty() ? "" : ", "} + name;
  }
  if (missing.empty()) return {};
  return make_error(Error::Kind::unavailable, "not installed: " + missing + " — run scripts/deps");
}

TopologyShape shape_of(const DemoOptions& options) {
  TopologyShape shape;
  std::uint64_t seed = options.seed;
  for (LinkShape* link : {&shape.client_rc, &shape.rc_rs, &shape.rs_server}) {
    link->rate_bps = options.rate_bps;
    link->seed = seed++;
  }
  shape.client_rc.loss = options.client_loss;
  return shape;
}

double to_ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

Result<void> measure_links(const DemoOptions& options, const Topology& topology, Report& report,
                           Interrupt& interrupt) {
  const TopologyShape shape = shape_of(options);
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
  report.links = {link(0, "client_rc", "client – R_C", shape.client_rc),
                  link(1, "rc_rs", "R_C – R_S", shape.rc_rs),
                  link(2, "rs_server", "R_S – server", shape.rs_server)};
  report.end_to_end_rtt_ms = summarise((*round_trips)[3]);
  return {};
}

/// The first line that a program prints about its version, on whichever stream.
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

Result<void> describe(const DemoOptions& options, const Topology& topology, Report& report,
                      Interrupt& interrupt) {
  utsname kernel{};
  uname(&kernel);
  const auto add = [&](const char* name, std::string value) {
    report.environment.emplace_back(name, std::move(value));
  };
  add("machine", fmt::format("{} {}, {} CPUs", kernel.sysname, kernel.release,
                             std::thread::hardware_concurrency()));
  add("programs", fmt::format("{}; {}; {}", version_of({"curl", "--version"}, interrupt),
                              version_of({"nginx", "-v"}, interrupt),
                              version_of({"wireguard-go", "--version"}, interrupt)));
  add("links", fmt::format("{:g} Mbps each way, 50 ms of queue; {:g} % lost between client and R_C",
                           static_cast<double>(options.rate_bps) / 1e6, options.client_loss * 100));
  const auto facts =
      probe_tcp(topology.client(), topology.server(), address::service_direct, interrupt);
  if (!facts) return std::unexpected(facts.error());
  add("congestion control", fmt::format("server {}, client {} (read from a connection's sockets)",
                                        facts->server_congestion, facts->client_congestion));
  for (const char* key : {"tcp_rmem", "tcp_wmem"}) {
    const auto server = topology.server().sysctl(std::string{"net/ipv4/"} + key);
    const auto client = topology.client().sysctl(std::string{"net/ipv4/"} + key);
    if (!server || !client) return std::unexpected((server ? client : server).error());
    add(key, fmt::format("server {}, client {}", *server, *client));
  }
  add("nginx", WebServer::settings());
  return {};
}

bool uses_overlay(const DemoOptions& options) {
  return std::ranges::any_of(options.paths, [](Path path) { return path != Path::end_to_end; });
}

Result<void> start_programs(const DemoOptions& options, Stage& stage, Report& report,
                            Interrupt& interrupt) {
  const std::vector<std::string> addresses{address::service_direct, address::service_tunnelled,
                                           address::service_relayed};
  auto server = WebServer::start(stage.topology.server(), stage.scratch, options.sizes,
                                 options.seed, addresses, interrupt);
  if (!server) return std::unexpected(server.error());
  stage.server.emplace(std::move(*server));
  report.commands.push_back(stage.server->command().text());
  if (!uses_overlay(options)) return {};
  auto overlay = Overlay::start(stage.topology, stage.scratch, interrupt);
  if (!overlay) return std::unexpected(overlay.error());
  stage.overlay.emplace(std::move(*overlay));
  report.commands.insert(report.commands.end(), stage.overlay->commands().begin(),
                         stage.overlay->commands().end());
  return {};
}

Request request_for(const Stage& stage, Path path, std::uint64_t bytes) {
  return {.path = path,
          .bytes = bytes,
          .sha256 = stage.server->sha256(bytes),
          .file = (stage.scratch.path() / "downloaded").string()};
}

/// One download that is not counted: until it succeeds, the path is not up. Handshakes of the
/// tunnels and a PoP's first legs are of the start, which no measurement is about.
Result<void> await_path(const DemoOptions& options, Stage& stage, Path path, Interrupt& interrupt) {
  Request request = request_for(stage, path, std::ranges::min(options.sizes));
  request.limit = std::chrono::seconds{4};
  const SystemClock clock;
  const Instant give_up = clock.now() + std::chrono::seconds{20};
  for (;;) {
    auto done = fetch(stage.topology.client(), request, interrupt);
    if (done) return {};
    if (auto running = stage.check(); !running) return running;
    if (interrupt.fired()) return interrupted();
    if (clock.now() > give_up) {
      return in_context(fmt::format("the path {} does not come up", name_of(path)), done.error());
    }
    if (!interrupt.pause(std::chrono::milliseconds{100})) return interrupted();
  }
}

Result<void> measure_downloads(const DemoOptions& options, Stage& stage, Report& report,
                               Interrupt& interrupt, Progress& progress) {
  const std::size_t count = options.runs * options.sizes.size() * options.paths.size();
  // Paths in turns, so that whatever changes on the machine meanwhile meets all of them.
  for (std::uint32_t repetition = 0; repetition < options.runs; ++repetition) {
    for (const std::uint64_t bytes : options.sizes) {
      for (const Path path : options.paths) {
        progress.show(fmt::format("[{}/{}] run {} of {}: {} {}", report.downloads.size() + 1, count,
                                  repetition + 1, options.runs, size_text(bytes), name_of(path)));
        auto download = fetch(stage.topology.client(), request_for(stage, path, bytes), interrupt);
        if (!download) {
          if (auto running = stage.check(); !running) return running;
          return std::unexpected(download.error());
        }
        download->repetition = repetition;
        report.downloads.push_back(*download);
      }
    }
  }
  return {};
}

/// The commands of the downloads, as they were run, for the report.
void list_downloads(const DemoOptions& options, const Stage& stage, Report& report) {
  for (const Path path : options.paths) {
    report.commands.push_back(
        download_command(stage.topology.client(), request_for(stage, path, options.sizes.back()))
            .text());
  }
}

}  // namespace

Result<Report> run_demo(const DemoOptions& options, Interrupt& interrupt, Progress& progress) {
  if (auto ready = check_machine(); !ready) return std::unexpected(ready.error());
  for (const std::string& name : remove_stale_runs()) {
    progress.note("removed what a killed run had left: " + name);
  }
  progress.show("building hosts and links");
  auto scratch = ScratchFolder::create();
  if (!scratch) return std::unexpected(scratch.error());
  auto topology = Topology::create(shape_of(options), interrupt);
  if (!topology) return std::unexpected(topology.error());
  Stage stage{std::move(*scratch), std::move(*topology), {}, {}};

  Report report{.version = options.version,
                .command = options.command,
                .seed = options.seed,
                .client_loss = options.client_loss,
                .rate_bps = options.rate_bps};
  progress.show("measuring the links");
  auto done = measure_links(options, stage.topology, report, interrupt);
  if (done) done = describe(options, stage.topology, report, interrupt);
  if (done) {
    progress.show("starting the server, the PoPs and the client");
    done = start_programs(options, stage, report, interrupt);
  }
  for (const Path path : options.paths) {
    if (done) done = await_path(options, stage, path, interrupt);
  }
  if (done) done = measure_downloads(options, stage, report, interrupt, progress);
  if (!done) return std::unexpected(done.error());
  list_downloads(options, stage, report);
  progress.show("taking it down");
  return report;
}

}  // namespace tw::lab
