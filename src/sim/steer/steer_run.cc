#include "sim/steer/steer_run.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "base/latency_histogram.h"
#include "steer/policy/flow_table.h"
#include "steer/policy/indirection.h"
#include "steer/policy/modulo.h"

namespace tw::sim {
namespace {

constexpr std::uint8_t nowhere = 0xff;
/// The share of a step before anything is recorded; the first is recorded from its beginning.
constexpr double settling = 0.1;
constexpr std::size_t input_queue = 8192;  // as a NIC's ring
constexpr std::size_t cores_at_first = 1;

std::unique_ptr<SteeringPolicy> make_policy(PolicyKind kind, const SteerLoad& load,
                                            const CoreSet& active, std::uint64_t seed) {
  FlowTableSettings table{.as_published = load.as_published};
  switch (kind) {
    case PolicyKind::indirection:
      return std::make_unique<IndirectionPolicy>(load.cores, active, seed);
    case PolicyKind::modulo:
      return std::make_unique<ModuloPolicy>(active);
    case PolicyKind::flow_table:
      return std::make_unique<FlowTablePolicy>(load.cores, active, table);
    case PolicyKind::prefill:
      return std::make_unique<PrefilledFlowTable>(load.cores, active, table);
    case PolicyKind::mixed:
      table.misses = FlowTableSettings::Misses::mixed;
      return std::make_unique<FlowTablePolicy>(load.cores, active, table);
  }
  return nullptr;
}

class SteerRun final : public RequestSource, public WorkerCores, public WorkerEvents {
 public:
  SteerRun(PolicyKind kind, const SteerLoad& load, const SteerCosts& costs, std::uint64_t seed)
      : load_(load),
        random_(seed * 2 + 1),
        flows_(load.flows, load.popularity, seed),
        policy_(make_policy(kind, load, CoreSet::first(cores_at_first), seed)),
        front_(simulation_, ContextId{static_cast<std::uint16_t>(load.cores)}, costs.core),
        last_core_(load.flows, nowhere),
        sequence_(load.flows, 0),
        latest_(load.flows, 0) {
    if (kind == PolicyKind::prefill) policy_->prefill(flows_.hashes());
    std::vector<ServiceWorker*> workers;
    for (std::size_t core = 0; core < load.cores; ++core) {
      cores_.push_back(std::make_unique<Core>(
          simulation_, ContextId{static_cast<std::uint16_t>(core)}, costs.core));
      cores_.back()->set_parks(core >= cores_at_first);
      workers_.push_back(std::make_unique<ServiceWorker>(
          ServiceWorker::Settings{.core = static_cast<std::uint8_t>(core), .cores = load.cores},
          *cores_.back(), *this));
      workers.push_back(workers_.back().get());
    }
    for (const auto& worker : workers_) worker->meet(workers);
    dispatcher_ = std::make_unique<Dispatcher>(
        Dispatcher::Settings{.allocator = {.least = 1, .most = load.cores},
                             .costs = costs.dispatch},
        *policy_, workers, CoreSet::first(cores_at_first), *this, *this, front_);
    for (std::size_t core = 0; core < load.cores; ++core) cores_[core]->attach(*workers_[core]);
    front_.attach(*dispatcher_);
  }

  std::vector<SteerStep> run() {
    std::vector<SteerStep> steps;
    for (const double load : load_.loads) steps.push_back(step(load, steps.empty()));
    return steps;
  }

 private:
  struct Mark {
    std::vector<Duration> busy, parked;
    DispatchCounters counters{};
    std::uint64_t lost = 0;
  };

  Mark mark() const {
    Mark mark;
    mark.counters = dispatcher_->counters();
    mark.lost = input_drops_;
    for (const auto& core : cores_) {
      mark.busy.push_back(core->busy());
      mark.parked.push_back(core->parked());
    }
    for (const auto& worker : workers_) mark.lost += worker->hold_drops();
    return mark;
  }

  SteerStep step(double load, bool is_first) {
    const double capacity =
        static_cast<double>(load_.cores) / std::chrono::duration<double>(load_.service).count();
    SteerStep result{.load = load, .offered = load * capacity};
    gap_ns_ = 1e9 / result.offered;
    if (is_first) plan_arrival();
    const Instant begin = simulation_.now();
    if (!is_first) {
      simulation_.run_until(begin + Duration{static_cast<std::int64_t>(
                                        static_cast<double>(load_.step.count()) * settling)});
    }
    latencies_ = LatencyHistogram{};
    moved_ = reordered_ = 0;
    const Mark before = mark();
    const Instant recorded_from = simulation_.now();
    simulation_.run_until(begin + load_.step);
    describe(result, before, simulation_.now() - recorded_from);
    return result;
  }

  void describe(SteerStep& step, const Mark& before, Duration time) const {
    const Mark now = mark();
    const auto us = [this](double share) {
      return static_cast<double>(latencies_.percentile(share).count()) / 1e3;
    };
    step.p50_us = us(0.5);
    step.p99_us = us(0.99);
    step.p999_us = us(0.999);
    const auto seconds = static_cast<double>(time.count());
    for (std::size_t core = 0; core < cores_.size(); ++core) {
      const auto share = [&](Duration spent) {
        return static_cast<double>(spent.count()) / seconds;
      };
      const double busy = share(now.busy[core] - before.busy[core]);
      step.busiest_core = std::max(step.busiest_core, busy);
      step.mean_core += busy / static_cast<double>(cores_.size());
      step.batch_work += share(now.parked[core] - before.parked[core]);
    }
    step.active_cores = static_cast<double>(cores_.size()) - step.batch_work;
    step.served = latencies_.count();
    step.dropped = now.counters.dropped - before.counters.dropped + now.lost - before.lost;
    step.moved = moved_;
    step.reordered = reordered_;
    step.grants = now.counters.grants - before.counters.grants;
    step.reclaims = now.counters.reclaims - before.counters.reclaims;
    step.slots_moved = now.counters.slots_moved - before.counters.slots_moved;
  }

  void plan_arrival() {
    next_ns_ += exponential(random_, gap_ns_);
    simulation_.at(Instant{Duration{static_cast<std::int64_t>(next_ns_)}}, [this] { arrive(); });
  }

  void arrive() {
    const std::uint32_t flow = flows_.draw(random_);
    if (input_.size() < input_queue) {
      input_.push_back({.hash = flows_.hash(flow),
                        .flow = flow,
                        .sequence = ++sequence_[flow],
                        .sent = simulation_.now(),
                        .service = Duration{static_cast<std::int64_t>(
                            exponential(random_, static_cast<double>(load_.service.count())))}});
      front_.wake();
    } else {
      ++input_drops_;
    }
    plan_arrival();
  }

  bool next(ServiceRequest& request) noexcept override {
    if (input_.empty()) return false;
    request = input_.front();
    input_.pop_front();
    return true;
  }

  void grant(std::uint8_t core) noexcept override {
    cores_[core]->set_parks(false);
    cores_[core]->wake_by(front_);
  }
  void reclaim(std::uint8_t core) noexcept override { cores_[core]->set_parks(true); }
  void notify(std::uint8_t core) noexcept override { cores_[core]->wake_by(front_); }

  void served(const ServiceRequest& request, std::uint8_t core, Instant at) noexcept override {
    latencies_.record(at - request.sent);
    std::uint8_t& last = last_core_[request.flow];
    if (last != nowhere && last != core) ++moved_;
    last = core;
    std::uint32_t& latest = latest_[request.flow];
    if (request.sequence < latest) ++reordered_;
    latest = std::max(latest, request.sequence);
  }
  void released(std::uint8_t from, std::uint8_t to) noexcept override {
    cores_[to]->wake_by(*cores_[from]);
  }

  const SteerLoad load_;
  Simulation simulation_;
  SeededRandom random_;
  const Flows flows_;
  const std::unique_ptr<SteeringPolicy> policy_;
  Core front_;  // the dispatcher's
  std::vector<std::unique_ptr<Core>> cores_;
  std::vector<std::unique_ptr<ServiceWorker>> workers_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::deque<ServiceRequest> input_;
  double gap_ns_ = 0, next_ns_ = 0;
  std::uint64_t input_drops_ = 0, moved_ = 0, reordered_ = 0;
  LatencyHistogram latencies_;
  std::vector<std::uint8_t> last_core_;
  std::vector<std::uint32_t> sequence_, latest_;  // by flow
};

}  // namespace

std::string_view name_of(PolicyKind kind) noexcept {
  switch (kind) {
    case PolicyKind::indirection:
      return "indirection";
    case PolicyKind::modulo:
      return "modulo";
    case PolicyKind::flow_table:
      return "flow-table";
    case PolicyKind::prefill:
      return "prefill";
    case PolicyKind::mixed:
      return "mixed";
  }
  return "";
}

SteerCosts own_costs() noexcept {
  return {.core = {.notice = 140ns, .wake_up = 28us, .wake_other = 9us, .empty_turn = 50ns},
          .dispatch = {.request = 12ns,
                       .array_read = 5ns,
                       .table_lookup = 7ns,
                       .insertion = 8ns,
                       .check = 35ns,
                       .slot_move = 12ns}};
}

std::vector<SteerStep> run_steer(PolicyKind policy, const SteerLoad& load, const SteerCosts& costs,
                                 std::uint64_t seed) {
  return SteerRun{policy, load, costs, seed}.run();
}

}  // namespace tw::sim
