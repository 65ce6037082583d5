#include "lab/demo/demo.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "lab/bed/overlay.h"
#include "lab/bed/scratch.h"
#include "lab/bed/testbed.h"
#include "lab/bed/topology.h"
#include "lab/probe/web_server.h"
#include "lab/report/units.h"

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

Result<void> describe(const DemoOptions& options, const Topology& topology, DemoReport& report,
                      Interrupt& interrupt) {
  auto figures = measure_links(shape_of(options), topology, interrupt);
  if (!figures) return std::unexpected(figures.error());
  report.links = std::move(figures->links);
  report.end_to_end_rtt_ms = figures->end_to_end_rtt_ms;
  const std::string links =
      fmt::format("{:g} Mbps each way, 50 ms of queue; {:g} % lost between client and R_C",
                  static_cast<double>(options.rate_bps) / 1e6, options.client_loss * 100);
  auto facts = describe_testbed(topology, links, WebServer::settings(), interrupt);
  if (!facts) return std::unexpected(facts.error());
  report.environment = std::move(*facts);
  return {};
}

bool uses_overlay(const DemoOptions& options) {
  return std::ranges::any_of(options.paths, [](Path path) { return path != Path::end_to_end; });
}

Result<void> start_programs(const DemoOptions& options, Stage& stage, DemoReport& report,
                            Interrupt& interrupt) {
  const std::vector<std::string> addresses{address::service_direct, address::service_tunnelled,
                                           address::service_relayed};
  auto server = WebServer::start(stage.topology.server(), stage.scratch, options.sizes,
                                 options.seed, addresses, interrupt);
  if (!server) return std::unexpected(server.error());
  stage.server.emplace(std::move(*server));
  report.commands.push_back(stage.server->command().text());
  if (!uses_overlay(options)) return {};
  auto overlay = Overlay::start(stage.topology, OverlayShape{}, stage.scratch, interrupt);
  if (!overlay) return std::unexpected(overlay.error());
  stage.overlay.emplace(std::move(*overlay));
  report.commands.insert(report.commands.end(), stage.overlay->commands().begin(),
                         stage.overlay->commands().end());
  return {};
}

Request request_for(const DemoOptions& options, const Stage& stage, Path path,
                    std::uint64_t bytes) {
  return {.authority = service_address(path),
          .bytes = bytes,
          .sha256 = stage.server->sha256(bytes),
          .file = (stage.scratch.path() / "downloaded").string(),
          .limit = limit_for(bytes, options.rate_bps)};
}

Result<void> await_path(const DemoOptions& options, Stage& stage, Path path, Interrupt& interrupt) {
  auto up = await_service(
      stage.topology.client(), request_for(options, stage, path, std::ranges::min(options.sizes)),
      [&] { return stage.check(); }, interrupt);
  if (up || interrupt.fired()) return up;
  return in_context(fmt::format("the path {} does not come up", name_of(path)), up.error());
}

Result<void> measure_downloads(const DemoOptions& options, Stage& stage, DemoReport& report,
                               Interrupt& interrupt, Progress& progress) {
  const std::size_t count = options.runs * options.sizes.size() * options.paths.size();
  // Paths in turns, so that whatever changes on the machine meanwhile meets all of them.
  for (std::uint32_t repetition = 0; repetition < options.runs; ++repetition) {
    for (const std::uint64_t bytes : options.sizes) {
      for (const Path path : options.paths) {
        progress.show(fmt::format("[{}/{}] run {} of {}: {} {}", report.downloads.size() + 1, count,
                                  repetition + 1, options.runs, size_text(bytes), name_of(path)));
        auto fetched =
            fetch(stage.topology.client(), request_for(options, stage, path, bytes), interrupt);
        if (!fetched) {
          if (auto running = stage.check(); !running) return running;
          return std::unexpected(fetched.error());
        }
        report.downloads.push_back({.bytes = bytes,
                                    .path = path,
                                    .repetition = repetition,
                                    .ttfb_ms = fetched->timing.ttfb_ms,
                                    .total_ms = fetched->timing.total_ms,
                                    .sha256_ok = fetched->sha256_ok});
      }
    }
  }
  return {};
}

/// The commands of the downloads, as they were run, for the report.
void list_downloads(const DemoOptions& options, const Stage& stage, DemoReport& report) {
  for (const Path path : options.paths) {
    report.commands.push_back(
        download_command(stage.topology.client(),
                         request_for(options, stage, path, options.sizes.back()))
            .text());
  }
}

}  // namespace

Result<DemoReport> run_demo(const DemoOptions& options, Interrupt& interrupt, Progress& progress) {
  const auto ready = check_machine("the demonstration", {"wg", "wireguard-go"});
  if (!ready) return std::unexpected(ready.error());
  const auto lock = begin_run(progress);
  if (!lock) return std::unexpected(lock.error());
  auto scratch = ScratchFolder::create();
  if (!scratch) return std::unexpected(scratch.error());
  auto topology = Topology::create(shape_of(options), interrupt);
  if (!topology) return std::unexpected(topology.error());
  Stage stage{std::move(*scratch), std::move(*topology), {}, {}};

  DemoReport report{.version = options.version,
                    .command = options.command,
                    .seed = options.seed,
                    .client_loss = options.client_loss,
                    .rate_bps = options.rate_bps};
  progress.show("measuring the links");
  auto done = describe(options, stage.topology, report, interrupt);
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
