#include "sim/contexts/contexts_run.h"

#include <gtest/gtest.h>

#include <array>
#include <map>

namespace tw::sim {
namespace {

constexpr std::array all_contexts{Context::affine, Context::softirq, Context::thread,
                                  Context::thread_pinned, Context::workqueue};
constexpr std::array both_directions{Direction::receive, Direction::transmit};

/// Four cores with twice what they can do: every queue is full at some time.
ContextsLoad overload(Context context, Direction direction) {
  return {.context = context,
          .direction = direction,
          .cores = 4,
          .clients = 40,
          .rate_bps = 200e6,
          .settling = 3ms,
          .recorded = 3ms};
}

/// A third of the paper's machine, with as many clients to a core as its 1,000 are.
ContextsFigures a_third(Context context, Direction direction, std::uint64_t seed) {
  return run_contexts({.context = context,
                       .direction = direction,
                       .cores = 6,
                       .clients = 333,
                       .settling = 40ms,
                       .recorded = 40ms},
                      paper_costs(), seed);
}

// Whatever the context, the direction and the seed: no packet overtakes another of its flow, none
// is lost without being counted, a flow has one deliver call at a time, and nothing is delivered
// but by the stages that threads run, too.
TEST(ContextsRun, KeepsWhatMustHold) {
  std::uint64_t dropped = 0;
  for (const Context context : all_contexts) {
    for (const Direction direction : both_directions) {
      for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        SCOPED_TRACE(testing::Message() << name_of(context) << " seed " << seed);
        for (const StageCosts& costs : {paper_costs(), own_stage_costs()}) {
          const auto figures = run_contexts(overload(context, direction), costs, seed);
          EXPECT_EQ(figures.disordered, 0U);
          EXPECT_TRUE(figures.conserved);
          EXPECT_TRUE(figures.through_stages);
          EXPECT_EQ(figures.overlapping_calls, 0U);
          EXPECT_GT(figures.gbps, 0.5);
          EXPECT_LE(figures.busiest_core, 1.05);
          dropped += figures.dropped;
        }
      }
    }
  }
  EXPECT_GT(dropped, 0U);
}

TEST(ContextsRun, ASeedPlaysTheSame) {
  const ContextsLoad load = overload(Context::thread, Direction::receive);
  const auto first = run_contexts(load, paper_costs(), 3);
  const auto again = run_contexts(load, paper_costs(), 3);
  const auto other = run_contexts(load, paper_costs(), 4);
  EXPECT_EQ(first.gbps, again.gbps);
  EXPECT_EQ(first.p99_us, again.p99_us);
  EXPECT_EQ(first.deliver_calls, again.deliver_calls);
  EXPECT_NE(first.deliver_calls, other.deliver_calls);
}

// A load that all can carry comes through whole, in all.
TEST(ContextsRun, CarriesWhatIsOffered) {
  for (const Context context : all_contexts) {
    for (const Direction direction : both_directions) {
      SCOPED_TRACE(name_of(context));
      const auto figures = run_contexts({.context = context,
                                         .direction = direction,
                                         .cores = 4,
                                         .clients = 60,
                                         .settling = 5ms,
                                         .recorded = 20ms},
                                        paper_costs(), 1);
      EXPECT_NEAR(figures.gbps, 1.5, 0.05);
      EXPECT_EQ(figures.dropped, 0U);
      EXPECT_LT(figures.p99_us, 1000);
      EXPECT_GT(figures.p50_us, 220);  // four ways and two pauses
      EXPECT_EQ(figures.delivered > 0, true);
    }
  }
}

TEST(ContextsRun, CountsByCoreAreThoseOfTheWhole) {
  const auto figures =
      run_contexts(overload(Context::softirq, Direction::receive), paper_costs(), 1);
  std::uint64_t calls = 0, packets = 0, sizes = 0;
  for (const DeliverOnCore& core : figures.cores) {
    calls += core.calls;
    packets += core.packets;
    for (const std::uint64_t count : core.call_sizes) sizes += count;
  }
  EXPECT_EQ(calls, figures.deliver_calls);
  EXPECT_EQ(packets, figures.delivered);
  EXPECT_NEAR(static_cast<double>(sizes), static_cast<double>(calls), 10);  // calls under way
  EXPECT_GT(figures.preempted_share, 0.05);
  EXPECT_GT(figures.deliver_empty, 0U);
}

// The shapes of the paper that come out (docs/contexts.md has those that do not): under load,
// deliver on a core's high-priority thread is worst, and a peer's packets on one core are best.
TEST(ContextsRun, UnderLoadSoftirqIsWorstAndAffineBest) {
  std::map<Context, double> gbps, cpu_of_a_gbps, packets;
  constexpr std::uint64_t seeds = 3;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    for (const Context context : all_contexts) {
      const auto figures = a_third(context, Direction::receive, seed);
      gbps[context] += figures.gbps / seeds;
      cpu_of_a_gbps[context] += figures.cpu_percent / figures.gbps / seeds;
      packets[context] += figures.packets_per_deliver() / seeds;
    }
  }
  EXPECT_LT(gbps[Context::softirq], gbps[Context::thread]);
  EXPECT_LT(gbps[Context::softirq], gbps[Context::thread_pinned]);
  EXPECT_LT(gbps[Context::thread], gbps[Context::affine]);
  EXPECT_LT(gbps[Context::thread_pinned], gbps[Context::affine]);
  EXPECT_LT(gbps[Context::workqueue], gbps[Context::affine]);
  for (const Context context : {Context::thread, Context::thread_pinned, Context::workqueue}) {
    EXPECT_LT(packets[Context::softirq] * 3, packets[context]) << name_of(context);
    EXPECT_LT(cpu_of_a_gbps[context], cpu_of_a_gbps[Context::softirq]) << name_of(context);
  }
}

}  // namespace
}  // namespace tw::sim
