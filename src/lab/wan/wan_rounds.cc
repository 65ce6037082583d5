#include "lab/wan/wan_rounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "lab/bed/testbed.h"
#include "lab/probe/process_cost.h"
#include "lab/probe/tcp_counts.h"
#include "lab/report/units.h"

namespace tw::lab {
namespace {

std::string service_of(std::size_t contestant) {
  return fmt::format("198.19.0.{}", 10 + contestant);
}

/// Returns those that were asked for and can run. One that was named and cannot is an error.
Result<std::vector<Configuration>> chosen(const WanOptions& options, WanReport& report) {
  const bool named = !options.configurations.empty();
  std::vector<Configuration> result;
  for (const Configuration configuration : all_configurations) {
    if (named &&
        std::ranges::find(options.configurations, configuration) == options.configurations.end()) {
      continue;
    }
    const std::string obstacle = obstacle_of(configuration);
    if (obstacle.empty()) {
      result.push_back(configuration);
    } else if (named) {
      return make_error(Error::Kind::unavailable,
                        fmt::format("--configurations {}: {}", name_of(configuration), obstacle));
    } else {
      report.skipped.emplace_back(name_of(configuration), obstacle);
    }
  }
  return result;
}

std::string links_description(const TopologyShape& shape) {
  std::string text;
  for (const auto& [name, link] : {std::pair{"client – R_C", &shape.client_rc},
                                   {"R_C – R_S", &shape.rc_rs},
                                   {"R_S – server", &shape.rs_server}}) {
    text += fmt::format("{}{}: {:g} Mbps each way, {:g} ms of queue, {:g} % lost",
                        text.empty() ? "" : "; ", name, static_cast<double>(link->rate_bps) / 1e6,
                        std::chrono::duration<double, std::milli>{link->queue}.count(),
                        link->loss * 100);
  }
  return text;
}

}  // namespace

WanRounds::WanRounds(const WanOptions& options, WanReport& report, Testbed bed)
    : options_(options), report_(report), bed_(std::move(bed)) {}

Result<std::unique_ptr<Rounds>> WanRounds::start(const WanOptions& options, WanReport& report,
                                                 Run& run) {
  const auto ready = check_machine("the experiment", {"wg", "wireguard-go"});
  if (!ready) return std::unexpected(ready.error());
  const auto configurations = chosen(options, report);
  if (!configurations) return std::unexpected(configurations.error());
  for (const auto& [name, why] : report.skipped) {
    run.progress.note(fmt::format("without {}: {}", name, why));
  }
  auto bed = build_testbed(shape_of(options), run.progress, run.interrupt);
  if (!bed) return std::unexpected(bed.error());
  std::unique_ptr<WanRounds> rounds{new WanRounds{options, report, std::move(*bed)}};
  run.progress.show("measuring the links");
  auto done = rounds->describe(*configurations, run);
  if (done) done = rounds->start_server(*configurations, run);
  if (done) done = rounds->start_contestants(*configurations, run);
  if (!done) return std::unexpected(done.error());
  rounds->start_counting();
  return rounds;
}

Result<void> WanRounds::check() {
  if (!server_->process().running()) {
    return make_error(Error::Kind::unavailable,
                      "nginx ended by itself: " + last_lines(server_->process().err(), 6));
  }
  for (Contestant& contestant : contestants_) {
    if (auto running = contestant.check(); !running) {
      return in_context(std::string{name_of(contestant.configuration())}, running.error());
    }
  }
  return {};
}

Result<void> WanRounds::describe(const std::vector<Configuration>& configurations, Run& run) {
  const TopologyShape shape = shape_of(options_);
  auto figures = measure_links(shape, bed_.topology, run.interrupt);
  if (!figures) return std::unexpected(figures.error());
  report_.links = std::move(figures->links);
  report_.end_to_end_rtt_ms = figures->end_to_end_rtt_ms;
  auto facts = describe_testbed(bed_.topology, links_description(shape),
                                WebServer::settings(options_.server_nopush), run.interrupt);
  if (!facts) return std::unexpected(facts.error());
  facts->emplace_back("PoPs", fmt::format("{} towards client and server, {} on the relay's legs",
                                          options_.congestion.pops, options_.congestion.legs));
  const auto add_version = [&](Carrier carrier, std::vector<std::string> argv) {
    const auto carries = [&](Configuration c) { return traits_of(c).carrier == carrier; };
    if (std::ranges::none_of(configurations, carries)) return;
    facts->emplace_back(argv.front(), version_of(argv, run.interrupt));
  };
  add_version(Carrier::haproxy, {"haproxy", "-v"});
  add_version(Carrier::ssh, {"ssh", "-V"});
  report_.environment = std::move(*facts);
  return {};
}

Result<void> WanRounds::start_server(const std::vector<Configuration>& configurations, Run& run) {
  const Namespace& host = bed_.topology.server();
  std::vector<std::string> services{address::service_direct};
  std::vector<std::string> fast_open;
  std::string commands;
  for (std::size_t nth = 0; nth < configurations.size(); ++nth) {
    services.push_back(service_of(nth));
    commands += fmt::format("address add {}/32 dev lo\n", services.back());
    if (traits_of(configurations[nth]).server_fast_open) fast_open.push_back(services.back());
  }
  // The sockets that ask for it may; nobody else does by this.
  if (!fast_open.empty()) {
    if (auto set = host.set_sysctl("net/ipv4/tcp_fastopen", "3"); !set) return set;
  }
  if (auto added = host.ip(commands, run.interrupt); !added) return added;
  auto server = WebServer::start(host, bed_.scratch, options_.sizes, options_.seed, services,
                                 run.interrupt, options_.server_nopush, fast_open);
  if (!server) return std::unexpected(server.error());
  server_.emplace(std::move(*server));
  report_.commands.push_back(server_->command().text());
  return {};
}

Request WanRounds::request_for(const Contestant& contestant, std::uint64_t bytes) const {
  return {.authority = contestant.authority(),
          .bytes = bytes,
          .sha256 = server_->sha256(bytes),
          .file = (bed_.scratch.path() / "downloaded").string(),
          .fast_open = traits_of(contestant.configuration()).fast_open,
          .limit = limit_for(bytes, std::ranges::min(options_.rate_bps))};
}

Result<void> WanRounds::start_contestants(const std::vector<Configuration>& configurations,
                                          Run& run) {
  contestants_.reserve(configurations.size());
  for (const Configuration configuration : configurations) {
    const std::size_t nth = contestants_.size();
    run.progress.show(fmt::format("starting {}", name_of(configuration)));
    auto contestant =
        Contestant::start(configuration, static_cast<std::uint16_t>(nth), service_of(nth),
                          options_.congestion, bed_.topology, bed_.scratch, run.interrupt);
    if (!contestant) {
      return in_context(std::string{name_of(configuration)}, contestant.error());
    }
    contestants_.push_back(std::move(*contestant));
  }
  for (const Contestant& contestant : contestants_) {
    if (auto up = await_contestant(contestant, run); !up) return up;
  }
  return {};
}

Result<void> WanRounds::await_contestant(const Contestant& contestant, Run& run) {
  const std::string name{name_of(contestant.configuration())};
  const Request request = request_for(contestant, std::ranges::min(options_.sizes));
  auto up = await_service(bed_.topology.client(), request, [&] { return check(); }, run.interrupt);
  // The client has a cookie of its server now; the last PoP asks for its own with the next.
  if (up && request.fast_open) {
    if (auto next = fetch(bed_.topology.client(), request, run.interrupt); !next) {
      up = std::unexpected(next.error());
    }
  }
  if (!up) return in_context(name + " does not come up", up.error());
  for (std::string& command : contestant.commands()) {
    report_.commands.push_back(name + ": " + std::move(command));
  }
  report_.commands.push_back(name + ": " +
                             download_command(bed_.topology.client(), request).text());
  return {};
}

void WanRounds::start_counting() {
  auto counter = SyscallCounter::start();
  if (counter) {
    calls_.emplace(std::move(*counter));
  } else {
    report_.environment.emplace_back("system calls", "not counted: " + counter.error().text());
  }
}

std::optional<std::uint64_t> WanRounds::calls_of(const std::vector<pid_t>& pids) {
  std::uint64_t sum = 0;
  for (const pid_t pid : pids) {
    if (!calls_ || !calls_->watch(pid)) return {};
    const auto calls = calls_->calls_of(pid);
    if (!calls) return {};
    sum += *calls;
  }
  return sum;
}

Plan WanRounds::plan() {
  Plan plan;
  for (const std::uint64_t bytes : options_.sizes) {
    for (std::size_t nth = 0; nth < contestants_.size(); ++nth) {
      const Configuration configuration = contestants_[nth].configuration();
      const std::string name{name_of(configuration)};
      const double ms = predict(model_input(report_, configuration, bytes)).total_ms;
      plan.levels.push_back({.title = size_text(bytes) + " " + name,
                             .labels = {{"bytes", bytes}, {"configuration", name}},
                             .expected = std::chrono::duration_cast<Duration>(
                                 std::chrono::duration<double, std::milli>{ms})});
      kinds_.push_back({bytes, nth});
    }
  }
  return plan;
}

Result<Measured> WanRounds::measure(std::size_t level, const Round& round, Run& run) {
  const auto& [bytes, nth] = kinds_[level];
  const Contestant& contestant = contestants_[nth];
  WanDownload entry{.bytes = bytes,
                    .configuration = contestant.configuration(),
                    .round = round.number,
                    .counted = round.counted};
  const Namespace& sender = contestant.middle_sender(bed_.topology);
  const std::vector<pid_t> pids = contestant.pids();
  const auto counts = tcp_counts_of(sender);
  if (!counts) return std::unexpected(counts.error());
  const auto calls = calls_of(pids);
  const ProcessCost cost = cost_of(pids);
  const auto fetched = fetch(bed_.topology.client(), request_for(contestant, bytes), run.interrupt);
  if (run.interrupt.fired()) return interrupted();
  const auto counts_after = tcp_counts_of(sender);
  if (!counts_after) return std::unexpected(counts_after.error());
  entry.cost = cost_of(pids).since(cost);
  if (const auto calls_after = calls_of(pids); calls && calls_after) {
    entry.calls = *calls_after - *calls;
  }
  entry.middle = counts_after->since(*counts);
  Measured measured{.failed = !fetched};
  if (fetched) {
    entry.completed = true;
    entry.sha256_ok = fetched->sha256_ok;
    entry.ttfb_ms = fetched->timing.ttfb_ms;
    entry.total_ms = fetched->timing.total_ms;
    measured.figures = {{"ttfb_ms", entry.ttfb_ms}, {"total_ms", entry.total_ms}};
  } else {
    if (auto running = check(); !running) return std::unexpected(running.error());
    run.progress.note(fmt::format("{}: {}", name_of(entry.configuration), fetched.error().text()));
  }
  report_.downloads.push_back(entry);
  return measured;
}

}  // namespace tw::lab
