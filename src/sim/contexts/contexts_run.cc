#include "sim/contexts/contexts_run.h"

#include <algorithm>

#include "sim/contexts/gateway_model.h"

namespace tw::sim {
namespace {

constexpr std::size_t probes = 16;

/// Everything that is counted, at one moment; figures are differences of two.
struct Mark {
  std::vector<Duration> busy;
  std::vector<DeliverOnCore> deliver;
  std::uint64_t payload = 0, dropped = 0, opened = 0, preempted = 0, migrations = 0;
  std::uint64_t open_waits = 0, open_wait_ns = 0, deliver_waits = 0, deliver_wait_ns = 0;
};

Mark mark_of(const GatewayModel& gateway, const TcpLoad& load) {
  Mark mark;
  mark.payload = load.delivered();
  mark.dropped = load.totals().dropped;
  mark.migrations = gateway.cores().migrations();
  for (std::size_t core = 0; core < gateway.cores().size(); ++core) {
    const StageCounters& of = gateway.from_wire().counters(core);
    mark.busy.push_back(gateway.cores().busy(core));
    DeliverOnCore deliver{.calls = of.deliver_calls.value(),
                          .empty = of.deliver_empty.value(),
                          .packets = of.delivered.value()};
    for (std::size_t i = 0; i < CallSizes::buckets; ++i) {
      deliver.call_sizes.push_back(of.call_sizes.of(i));
    }
    mark.deliver.push_back(std::move(deliver));
    mark.opened += of.opened.value();
    mark.preempted += of.preempted.value();
    mark.open_waits += of.open_wait.packets.value();
    mark.open_wait_ns += of.open_wait.total_ns.value();
    mark.deliver_waits += of.deliver_wait.packets.value();
    mark.deliver_wait_ns += of.deliver_wait.total_ns.value();
  }
  return mark;
}

double ratio(std::uint64_t of, std::uint64_t by, double unit = 1) noexcept {
  return by == 0 ? 0 : static_cast<double>(of) / static_cast<double>(by) / unit;
}

void describe_cores(ContextsFigures& figures, const Mark& before, const Mark& now, Duration time) {
  std::vector<double> shares;
  for (std::size_t core = 0; core < now.busy.size(); ++core) {
    DeliverOnCore of = now.deliver[core];
    const DeliverOnCore& was = before.deliver[core];
    of.busy = static_cast<double>((now.busy[core] - before.busy[core]).count()) /
              static_cast<double>(time.count());
    of.calls -= was.calls;
    of.empty -= was.empty;
    of.packets -= was.packets;
    for (std::size_t i = 0; i < of.call_sizes.size(); ++i) of.call_sizes[i] -= was.call_sizes[i];
    figures.deliver_calls += of.calls;
    figures.deliver_empty += of.empty;
    figures.delivered += of.packets;
    figures.cpu_percent += of.busy * 100;
    shares.push_back(of.busy);
    figures.cores.push_back(std::move(of));
  }
  std::ranges::sort(shares);
  figures.busiest_core = shares.back();
  figures.median_core = shares[shares.size() / 2];
  figures.mean_core = figures.cpu_percent / 100 / static_cast<double>(shares.size());
}

}  // namespace

ContextsFigures run_contexts(const ContextsLoad& load, const StageCosts& costs,
                             std::uint64_t seed) {
  Simulation simulation;
  GatewayModel gateway{{.context = load.context,
                        .cores = load.cores,
                        .flows = load.clients + probes,
                        .costs = costs,
                        .seed = seed},
                       simulation};
  TcpLoad tcp{{.direction = load.direction,
               .clients = load.clients,
               .probes = probes,
               .rate_bps = load.rate_bps},
              simulation,
              gateway,
              seed};
  gateway.meet(tcp);
  tcp.start();
  simulation.run_until(Instant{load.settling});
  tcp.reset();
  const Mark before = mark_of(gateway, tcp);
  simulation.run_until(Instant{load.settling + load.recorded});
  const Mark now = mark_of(gateway, tcp);

  ContextsFigures figures;
  const double seconds = std::chrono::duration<double>(load.recorded).count();
  figures.offered_gbps = static_cast<double>(load.clients) * load.rate_bps / 1e9;
  figures.gbps = static_cast<double>(now.payload - before.payload) * TcpLoad::payload_bytes * 8 /
                 seconds / 1e9;
  figures.p50_us = static_cast<double>(tcp.latencies().percentile(0.5).count()) / 1e3;
  figures.p99_us = static_cast<double>(tcp.latencies().percentile(0.99).count()) / 1e3;
  figures.preempted_share = ratio(now.preempted - before.preempted, now.opened - before.opened);
  figures.open_wait_us =
      ratio(now.open_wait_ns - before.open_wait_ns, now.open_waits - before.open_waits, 1e3);
  figures.deliver_wait_us = ratio(now.deliver_wait_ns - before.deliver_wait_ns,
                                  now.deliver_waits - before.deliver_waits, 1e3);
  figures.dropped = now.dropped - before.dropped;
  figures.migrations = now.migrations - before.migrations;
  const TcpLoad::Totals& totals = tcp.totals();
  figures.disordered = totals.disordered;
  figures.conserved = totals.sent == totals.delivered + totals.dropped + totals.in_gateway;
  std::uint64_t staged = 0;
  for (std::size_t core = 0; core < load.cores; ++core) {
    staged += gateway.from_wire().counters(core).delivered.value();
    staged += gateway.to_wire().counters(core).delivered.value();
  }
  figures.through_stages = staged == totals.delivered;
  figures.overlapping_calls = gateway.overlapping_calls();
  describe_cores(figures, before, now, load.recorded);
  return figures;
}

}  // namespace tw::sim
