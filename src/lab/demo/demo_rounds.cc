#include "lab/demo/demo_rounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "lab/bed/testbed.h"
#include "lab/report/units.h"

namespace tw::lab {
namespace {

TopologyShape shape_of(const DemoOptions& options, std::uint64_t seed) {
  TopologyShape shape;
  for (LinkShape* link : {&shape.client_rc, &shape.rc_rs, &shape.rs_server}) {
    link->rate_bps = options.rate_bps;
    link->seed = seed++;
  }
  shape.client_rc.loss = options.client_loss;
  return shape;
}

/// Slow start from ten segments, twice as many each round trip; for the time left.
Duration expected_time(std::uint64_t bytes, std::uint64_t rate_bps) {
  constexpr double round_trip_s = 0.274, window_bytes = 14'480;
  const double rounds = 2 + std::log2(1 + static_cast<double>(bytes) / window_bytes);
  const double line_s = static_cast<double>(bytes) * 8 / static_cast<double>(rate_bps);
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>{rounds * round_trip_s + line_s});
}

}  // namespace

DemoRounds::DemoRounds(const DemoOptions& options, DemoReport& report, Testbed bed)
    : options_(options), report_(report), bed_(std::move(bed)) {
  for (const std::uint64_t bytes : options.sizes) {
    for (const Path path : options.paths) kinds_.push_back({bytes, path});
  }
}

Result<std::unique_ptr<Rounds>> DemoRounds::start(const DemoOptions& options, DemoReport& report,
                                                  Run& run) {
  const auto ready = check_machine("the demonstration", {"wg", "wireguard-go"});
  if (!ready) return std::unexpected(ready.error());
  const TopologyShape shape = shape_of(options, run.settings.seed);
  auto bed = build_testbed(shape, run.progress, run.interrupt);
  if (!bed) return std::unexpected(bed.error());
  std::unique_ptr<DemoRounds> rounds{new DemoRounds{options, report, std::move(*bed)}};
  run.progress.show("measuring the links");
  auto done = rounds->describe(shape, run);
  if (done) {
    run.progress.show("starting the server, the PoPs and the client");
    done = rounds->start_programs(run);
  }
  for (const Path path : options.paths) {
    if (done) done = rounds->await_path(path, run);
  }
  if (!done) return std::unexpected(done.error());
  return rounds;
}

Result<void> DemoRounds::check() {
  if (!server_->process().running()) {
    return make_error(Error::Kind::unavailable,
                      "nginx ended by itself: " + last_lines(server_->process().err(), 6));
  }
  return overlay_ ? overlay_->check() : Result<void>{};
}

Result<void> DemoRounds::describe(const TopologyShape& shape, Run& run) {
  auto figures = measure_links(shape, bed_.topology, run.interrupt);
  if (!figures) return std::unexpected(figures.error());
  report_.links = std::move(figures->links);
  report_.end_to_end_rtt_ms = figures->end_to_end_rtt_ms;
  const std::string links =
      fmt::format("{:g} Mbps each way, 50 ms of queue; {:g} % lost between client and R_C",
                  static_cast<double>(options_.rate_bps) / 1e6, options_.client_loss * 100);
  auto facts = describe_testbed(bed_.topology, links, WebServer::settings(), run.interrupt);
  if (!facts) return std::unexpected(facts.error());
  report_.environment = std::move(*facts);
  return {};
}

Result<void> DemoRounds::start_programs(Run& run) {
  const std::vector<std::string> addresses{address::service_direct, address::service_tunnelled,
                                           address::service_relayed};
  auto server = WebServer::start(bed_.topology.server(), bed_.scratch, options_.sizes,
                                 run.settings.seed, addresses, run.interrupt);
  if (!server) return std::unexpected(server.error());
  server_.emplace(std::move(*server));
  report_.commands.push_back(server_->command().text());
  if (std::ranges::any_of(options_.paths, [](Path path) { return path != Path::end_to_end; })) {
    auto overlay = Overlay::start(bed_.topology, OverlayShape{}, bed_.scratch, run.interrupt);
    if (!overlay) return std::unexpected(overlay.error());
    overlay_.emplace(std::move(*overlay));
    report_.commands.insert(report_.commands.end(), overlay_->commands().begin(),
                            overlay_->commands().end());
  }
  // The downloads as they are run, for the report.
  for (const Path path : options_.paths) {
    const Request request = request_for({options_.sizes.back(), path});
    report_.commands.push_back(download_command(bed_.topology.client(), request).text());
  }
  return {};
}

Request DemoRounds::request_for(const Kind& kind) const {
  return {.authority = service_address(kind.path),
          .bytes = kind.bytes,
          .sha256 = server_->sha256(kind.bytes),
          .file = (bed_.scratch.path() / "downloaded").string(),
          .limit = limit_for(kind.bytes, options_.rate_bps)};
}

Result<void> DemoRounds::await_path(Path path, Run& run) {
  auto up = await_service(
      bed_.topology.client(), request_for({std::ranges::min(options_.sizes), path}),
      [&] { return check(); }, run.interrupt);
  if (up || run.interrupt.fired()) return up;
  return in_context(fmt::format("the path {} does not come up", name_of(path)), up.error());
}

Plan DemoRounds::plan() {
  Plan plan;
  for (const auto& [bytes, path] : kinds_) {
    const std::string name{name_of(path)};
    plan.levels.push_back({.title = size_text(bytes) + " " + name,
                           .labels = {{"bytes", bytes}, {"path", name}},
                           .expected = expected_time(bytes, options_.rate_bps)});
  }
  return plan;
}

Result<Measured> DemoRounds::measure(std::size_t level, const Round& round, Run& run) {
  const Kind& kind = kinds_[level];
  const auto fetched = fetch(bed_.topology.client(), request_for(kind), run.interrupt);
  if (!fetched) {
    if (auto running = check(); !running) return std::unexpected(running.error());
    return std::unexpected(fetched.error());
  }
  const Timing& timing = fetched->timing;
  if (round.counted) {
    report_.downloads.push_back({.bytes = kind.bytes,
                                 .path = kind.path,
                                 .repetition = round.number,
                                 .ttfb_ms = timing.ttfb_ms,
                                 .total_ms = timing.total_ms,
                                 .sha256_ok = fetched->sha256_ok});
  }
  return Measured{.figures = {{"ttfb_ms", timing.ttfb_ms}, {"total_ms", timing.total_ms}}};
}

}  // namespace tw::lab
