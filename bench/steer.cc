// The steps of steering alone: look-ups by policy, an insertion, an allocator's check, a move, and
// the bucket of a receiver index.
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/random.h"
#include "limit.h"
#include "steer/core_allocator.h"
#include "steer/dispatch/dispatcher.h"
#include "steer/policy/flow_table.h"
#include "steer/policy/indirection.h"
#include "steer/policy/modulo.h"
#include "steer/receiver_index.h"

namespace tw::bench {
namespace {

constexpr std::size_t cores = 10, flow_count = 700'000, looked_up = 4096;

std::vector<std::uint32_t> some_flows(std::size_t count) {
  SeededRandom random{1};
  std::vector<std::uint32_t> hashes(count);
  for (std::uint32_t& hash : hashes) hash = static_cast<std::uint32_t>(random.next());
  return hashes;
}

/// All flows in turn, some thousand at a time: a table of 700,000 does not stay in a cache.
double look_up_ns(SteeringPolicy& policy, const std::vector<std::uint32_t>& flows) {
  std::size_t at = 0;
  std::uint64_t sum = 0;
  const double ns = ns_per_operation(looked_up, [&] {
    for (std::size_t n = 0; n < looked_up; ++n) {
      sum += policy.steer(flows[at]).core;
      at = at + 1 == flows.size() ? 0 : at + 1;
    }
  });
  TW_ASSERT(sum > 0);
  return ns;
}

/// The array read by itself, as the kernel's programs and a worker make it.
double bucket_ns(const IndirectionTable& table, const std::vector<std::uint32_t>& flows) {
  std::size_t at = 0;
  std::uint64_t sum = 0;
  const double ns = ns_per_operation(looked_up, [&] {
    for (std::size_t n = 0; n < looked_up; ++n) {
      sum += table.target(Slot::of(bucket_of_hash(flows[at])));
      at = at + 1 == flows.size() ? 0 : at + 1;
    }
  });
  TW_ASSERT(sum > 0);
  return ns;
}

double insertion_ns(const std::vector<std::uint32_t>& flows) {
  std::array<double, 5> results{};
  for (double& result : results) {
    FlowTablePolicy table{cores, CoreSet::first(cores)};
    const double begin = thread_ns();
    for (const std::uint32_t flow : flows) table.steer(flow);
    result = (thread_ns() - begin) / static_cast<double>(flows.size());
  }
  std::nth_element(results.begin(), results.begin() + 2, results.end());
  return results[2];
}

double check_ns() {
  CoreAllocator allocator{{.most = cores}};
  std::array<QueueView, cores> queues{};
  Instant now{1s};
  return ns_per_operation(100, [&] {
    for (int n = 0; n < 100; ++n) {
      queues[0].taken += 1;
      now = now + 5us;
      const auto decision = allocator.check(queues, CoreSet::first(cores), now);
      TW_ASSERT(!decision.grant);
    }
  });
}

/// Returns the time that moving a slot takes, when the fifth core comes and goes.
double move_ns() {
  IndirectionTable table{RendezvousOrder{cores, 1}, CoreSet::first(4)};
  std::size_t moved = 0;
  double spent = 0;
  for (int turn = 0; turn < 2000; ++turn) {
    const CoreSet active = CoreSet::first(turn % 2 == 0 ? 5 : 4);
    const double begin = thread_ns();
    const auto moves = table.set_active(active, Instant{1s});
    spent += thread_ns() - begin;
    moved += moves.size();
    const std::vector<SlotMove> copy{moves.begin(), moves.end()};
    for (const SlotMove& move : copy) table.settle(move.slot, Instant{1s});
  }
  return spent / static_cast<double>(moved);
}

double index_ns(bool alike) {
  const ReceiverIndex permutation{0x0123456789abcdef};
  const std::vector<std::uint32_t> indices = some_flows(looked_up);
  std::uint64_t sum = 0;
  const double ns = ns_per_operation(looked_up, [&] {
    std::uint32_t last = 0;
    Bucket bucket{};
    for (std::size_t n = 0; n < looked_up; ++n) {
      const std::uint32_t index = indices[alike ? n / 45 : n];
      if (index != last || n == 0) bucket = permutation.bucket_of(index);
      last = index;
      sum += bucket.value;
    }
  });
  TW_ASSERT(sum > 0);
  return ns;
}

/// A source that always has a request, and cores that nothing has to be told.
class Always final : public RequestSource,
                     public WorkerCores,
                     public WorkerEvents,
                     public WorkClock {
 public:
  explicit Always(const std::vector<std::uint32_t>& flows) : flows_(flows) {}
  bool next(ServiceRequest& request) noexcept override {
    request = {.hash = flows_[at_], .flow = static_cast<std::uint32_t>(at_)};
    at_ = at_ + 1 == flows_.size() ? 0 : at_ + 1;
    return true;
  }
  void grant(std::uint8_t) noexcept override {}
  void reclaim(std::uint8_t) noexcept override {}
  void notify(std::uint8_t) noexcept override {}
  void served(const ServiceRequest&, std::uint8_t, Instant) noexcept override {}
  void released(std::uint8_t, std::uint8_t) noexcept override {}
  Instant now() const noexcept override { return {}; }
  void serve(Duration) noexcept override {}
  void charge(Duration) noexcept override {}

 private:
  const std::vector<std::uint32_t>& flows_;
  std::size_t at_ = 0;
};

/// Returns the time of a request from the source to its worker's ring, without the policy's
/// look-up.
double dispatch_ns(const std::vector<std::uint32_t>& flows) {
  Always all{flows};
  ModuloPolicy policy{CoreSet::first(cores)};
  std::vector<std::unique_ptr<ServiceWorker>> workers;
  std::vector<ServiceWorker*> pointers;
  for (std::size_t core = 0; core < cores; ++core) {
    workers.push_back(std::make_unique<ServiceWorker>(
        ServiceWorker::Settings{.core = static_cast<std::uint8_t>(core), .cores = cores}, all,
        all));
    pointers.push_back(workers.back().get());
  }
  for (const auto& worker : workers) worker->meet(pointers);
  Dispatcher dispatcher{
      {.allocator = {.most = cores}}, policy, pointers, CoreSet::first(cores), all, all, all};
  constexpr std::size_t batch = 8192;
  std::array<double, 41> results{};
  for (double& result : results) {
    const double begin = thread_ns();
    const std::size_t handled = dispatcher.poll(Instant{}, batch).packets;
    result = (thread_ns() - begin) / static_cast<double>(handled);
    for (const auto& worker : workers) worker->poll(Instant{}, batch);
  }
  std::nth_element(results.begin(), results.begin() + 20, results.end());
  return results[20] - look_up_ns(policy, flows);
}

}  // namespace

std::string steer_limits() {
  const std::vector<std::uint32_t> flows = some_flows(flow_count);
  IndirectionPolicy indirection{cores, CoreSet::first(cores), 1};
  ModuloPolicy modulo{CoreSet::first(cores)};
  FlowTablePolicy table{cores, CoreSet::first(cores)};
  table.prefill(flows);
  return fmt::format(
      R"({{"bucket_ns": {:.2f}, "indirection_ns": {:.2f}, "modulo_ns": {:.2f}, )"
      R"("flow_table_ns": {:.2f}, )"
      R"("insertion_ns": {:.2f}, "dispatch_ns": {:.2f}, "check_ns": {:.1f}, "move_ns": {:.2f}, )"
      R"("index_in_a_run_ns": {:.2f}, "index_ns": {:.2f}}})",
      bucket_ns(indirection.table(), flows), look_up_ns(indirection, flows),
      look_up_ns(modulo, flows), look_up_ns(table, flows), insertion_ns(flows), dispatch_ns(flows),
      check_ns(), move_ns(), index_ns(true), index_ns(false));
}

}  // namespace tw::bench
