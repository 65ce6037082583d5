#include "lab/wan/wan.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/bed/scratch.h"
#include "lab/bed/testbed.h"
#include "lab/probe/download.h"
#include "lab/probe/web_server.h"
#include "lab/report/units.h"
#include "lab/wan/contest.h"
#include "port/kernel/syscall_counter.h"

namespace tw::lab {
namespace {

/// What is up while it runs, destroyed in reverse order.
struct Stage {
  const WanOptions& options;
  WanReport& report;
  Interrupt& interrupt;
  Progress& progress;
  ScratchFolder scratch;
  Topology topology;
  std::optional<WebServer> server{};
  std::vector<Contestant> contestants{};
  std::optional<SyscallCounter> calls{};

  /// An error if one of its programs has ended by itself.
  Result<void> check() {
    if (!server->process().running()) {
      return make_error(Error::Kind::unavailable,
                        "nginx ended by itself: " + last_lines(server->process().err(), 6));
    }
    for (Contestant& contestant : contestants) {
      if (auto running = contestant.check(); !running) {
        return in_context(std::string{name_of(contestant.configuration())}, running.error());
      }
    }
    return {};
  }
};

std::string service_of(std::size_t contestant) {
  return fmt::format("198.19.0.{}", 10 + contestant);
}

/// Those that were asked for and can run. One that was named and cannot is an error.
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

Result<void> describe(Stage& stage, const std::vector<Configuration>& configurations) {
  const TopologyShape shape = shape_of(stage.options);
  auto figures = measure_links(shape, stage.topology, stage.interrupt);
  if (!figures) return std::unexpected(figures.error());
  stage.report.links = std::move(figures->links);
  stage.report.end_to_end_rtt_ms = figures->end_to_end_rtt_ms;
  auto facts = describe_testbed(stage.topology, links_description(shape),
                                WebServer::settings(stage.options.server_nopush), stage.interrupt);
  if (!facts) return std::unexpected(facts.error());
  facts->emplace_back("PoPs",
                      fmt::format("{} towards client and server, {} on the relay's legs",
                                  stage.options.congestion.pops, stage.options.congestion.legs));
  const auto add_version = [&](Carrier carrier, std::vector<std::string> argv) {
    const auto carries = [&](Configuration c) { return traits_of(c).carrier == carrier; };
    if (std::ranges::none_of(configurations, carries)) return;
    facts->emplace_back(argv.front(), version_of(argv, stage.interrupt));
  };
  add_version(Carrier::haproxy, {"haproxy", "-v"});
  add_version(Carrier::ssh, {"ssh", "-V"});
  stage.report.environment = std::move(*facts);
  return {};
}

Result<void> start_server(Stage& stage, const std::vector<Configuration>& configurations) {
  const Namespace& host = stage.topology.server();
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
  if (auto added = host.ip(commands, stage.interrupt); !added) return added;
  auto server = WebServer::start(host, stage.scratch, stage.options.sizes, stage.options.seed,
                                 services, stage.interrupt, stage.options.server_nopush, fast_open);
  if (!server) return std::unexpected(server.error());
  stage.server.emplace(std::move(*server));
  stage.report.commands.push_back(stage.server->command().text());
  return {};
}

Request request_for(const Stage& stage, const Contestant& contestant, std::uint64_t bytes) {
  return {.authority = contestant.authority(),
          .bytes = bytes,
          .sha256 = stage.server->sha256(bytes),
          .file = (stage.scratch.path() / "downloaded").string(),
          .fast_open = traits_of(contestant.configuration()).fast_open,
          .limit = limit_for(bytes, std::ranges::min(stage.options.rate_bps))};
}

Result<void> start_contestants(Stage& stage, const std::vector<Configuration>& configurations) {
  stage.contestants.reserve(configurations.size());
  for (const Configuration configuration : configurations) {
    const std::size_t nth = stage.contestants.size();
    stage.progress.show(fmt::format("starting {}", name_of(configuration)));
    auto contestant =
        Contestant::start(configuration, static_cast<std::uint16_t>(nth), service_of(nth),
                          stage.options.congestion, stage.topology, stage.scratch, stage.interrupt);
    if (!contestant) {
      return in_context(std::string{name_of(configuration)}, contestant.error());
    }
    stage.contestants.push_back(std::move(*contestant));
  }
  const std::uint64_t smallest = std::ranges::min(stage.options.sizes);
  for (const Contestant& contestant : stage.contestants) {
    const std::string name{name_of(contestant.configuration())};
    const Request request = request_for(stage, contestant, smallest);
    auto up = await_service(
        stage.topology.client(), request, [&] { return stage.check(); }, stage.interrupt);
    // The client has a cookie of its server now; the last PoP asks for its own with the next.
    if (up && request.fast_open) {
      if (auto next = fetch(stage.topology.client(), request, stage.interrupt); !next) {
        up = std::unexpected(next.error());
      }
    }
    if (!up) return in_context(name + " does not come up", up.error());
    for (std::string& command : contestant.commands()) {
      stage.report.commands.push_back(name + ": " + std::move(command));
    }
    stage.report.commands.push_back(name + ": " +
                                    download_command(stage.topology.client(), request).text());
  }
  return {};
}

/// Without it everything else is measured all the same, and the report says why.
void start_counting(Stage& stage) {
  auto counter = SyscallCounter::start();
  if (counter) {
    stage.calls.emplace(std::move(*counter));
  } else {
    stage.report.environment.emplace_back("system calls", "not counted: " + counter.error().text());
  }
}

/// System calls that these have made since they are counted, which is from now on at the latest;
/// nothing if one of them cannot be.
std::optional<std::uint64_t> calls_of(std::optional<SyscallCounter>& counter,
                                      const std::vector<pid_t>& pids) {
  std::uint64_t sum = 0;
  for (const pid_t pid : pids) {
    if (!counter || !counter->watch(pid)) return {};
    const auto calls = counter->calls_of(pid);
    if (!calls) return {};
    sum += *calls;
  }
  return sum;
}

/// One download with what it cost meanwhile. That it fails is a result; that a program has ended
/// is an error.
Result<void> download(Stage& stage, const Contestant& contestant, WanDownload entry) {
  const Namespace& sender = contestant.middle_sender(stage.topology);
  const std::vector<pid_t> pids = contestant.pids();
  const auto counts = tcp_counts_of(sender);
  if (!counts) return std::unexpected(counts.error());
  const auto calls = calls_of(stage.calls, pids);
  const ProcessCost cost = cost_of(pids);
  const auto fetched =
      fetch(stage.topology.client(), request_for(stage, contestant, entry.bytes), stage.interrupt);
  if (stage.interrupt.fired()) return interrupted();
  const auto counts_after = tcp_counts_of(sender);
  if (!counts_after) return std::unexpected(counts_after.error());
  entry.cost = cost_of(pids).since(cost);
  if (const auto calls_after = calls_of(stage.calls, pids); calls && calls_after) {
    entry.calls = *calls_after - *calls;
  }
  entry.middle = counts_after->since(*counts);
  if (fetched) {
    entry.completed = true;
    entry.sha256_ok = fetched->sha256_ok;
    entry.ttfb_ms = fetched->timing.ttfb_ms;
    entry.total_ms = fetched->timing.total_ms;
  } else {
    if (auto running = stage.check(); !running) return running;
    stage.progress.note(
        fmt::format("{}: {}", name_of(entry.configuration), fetched.error().text()));
  }
  stage.report.downloads.push_back(entry);
  return {};
}

Result<void> measure(Stage& stage) {
  const WanOptions& options = stage.options;
  const std::size_t rounds = std::size_t{options.warmups} + options.runs;
  const std::size_t count = stage.contestants.size();
  const std::size_t all = rounds * options.sizes.size() * count;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const bool counted = round >= options.warmups;
    const std::uint32_t number = counted ? round - options.warmups : round;
    const std::string kind = counted ? fmt::format("run {} of {}", number + 1, options.runs)
                                     : fmt::format("warm-up {} of {}", number + 1, options.warmups);
    for (const std::uint64_t bytes : options.sizes) {
      // In turns, and each round begins with another, so that whatever changes on the machine
      // meanwhile, or what one leaves for the next, meets all of them.
      for (std::size_t turn = 0; turn < count; ++turn) {
        const Contestant& contestant = stage.contestants[(turn + round) % count];
        stage.progress.show(fmt::format("[{}/{}] {}: {} {}", stage.report.downloads.size() + 1, all,
                                        kind, size_text(bytes),
                                        name_of(contestant.configuration())));
        auto done = download(stage, contestant,
                             {.bytes = bytes,
                              .configuration = contestant.configuration(),
                              .round = number,
                              .counted = counted});
        if (!done) return done;
      }
    }
  }
  return {};
}

}  // namespace

Result<WanReport> run_wan(const WanOptions& options, Interrupt& interrupt, Progress& progress) {
  WanReport report{.version = options.version,
                   .command = options.command,
                   .seed = options.seed,
                   .rate_bps = options.rate_bps,
                   .server_nopush = options.server_nopush};
  const auto ready = check_machine("the experiment", {"wg", "wireguard-go"});
  if (!ready) return std::unexpected(ready.error());
  auto configurations = chosen(options, report);
  if (!configurations) return std::unexpected(configurations.error());
  for (const auto& [name, why] : report.skipped) {
    progress.note(fmt::format("without {}: {}", name, why));
  }
  const auto lock = begin_run(progress);
  if (!lock) return std::unexpected(lock.error());
  auto scratch = ScratchFolder::create();
  if (!scratch) return std::unexpected(scratch.error());
  auto topology = Topology::create(shape_of(options), interrupt);
  if (!topology) return std::unexpected(topology.error());
  Stage stage{options, report, interrupt, progress, std::move(*scratch), std::move(*topology)};

  progress.show("measuring the links");
  auto done = describe(stage, *configurations);
  if (done) done = start_server(stage, *configurations);
  if (done) done = start_contestants(stage, *configurations);
  if (done) start_counting(stage);
  if (done) done = measure(stage);
  report.interrupted = !done && interrupt.fired();
  const bool some = std::ranges::any_of(report.downloads, &WanDownload::counted);
  if (!done && !(report.interrupted && some)) return std::unexpected(done.error());
  progress.show("taking it down");
  return report;
}

}  // namespace tw::lab
