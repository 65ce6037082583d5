// The policies side by side: whose flows stay where they are.
#include "steer/policy/policy.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/random.h"
#include "steer/policy/flow_table.h"
#include "steer/policy/indirection.h"
#include "steer/policy/modulo.h"

namespace tw {
namespace {

std::vector<std::uint32_t> some_flows(std::size_t count) {
  SeededRandom random{3};
  std::vector<std::uint32_t> hashes(count);
  for (std::uint32_t& hash : hashes) hash = static_cast<std::uint32_t>(random.next());
  return hashes;
}

double share_moved(SteeringPolicy& policy, std::size_t from, std::size_t to) {
  const std::vector<std::uint32_t> flows = some_flows(50'000);
  policy.set_active(CoreSet::first(from), Instant{});
  std::vector<std::uint8_t> before;
  before.reserve(flows.size());
  for (const std::uint32_t flow : flows) before.push_back(policy.steer(flow).core);
  policy.set_active(CoreSet::first(to), Instant{});
  std::size_t moved = 0;
  for (std::size_t n = 0; n < flows.size(); ++n) {
    if (policy.steer(flows[n]).core != before[n]) ++moved;
  }
  return static_cast<double>(moved) / static_cast<double>(flows.size());
}

TEST(SteeringPolicies, MoveWhatTheyMust) {
  ModuloPolicy modulo{CoreSet::first(4)};
  EXPECT_NEAR(share_moved(modulo, 4, 5), 0.8, 0.01);
  IndirectionPolicy indirection{10, CoreSet::first(4), 1};
  EXPECT_NEAR(share_moved(indirection, 4, 5), 0.2, 0.01);
  FlowTablePolicy table{10, CoreSet::first(4)};
  EXPECT_EQ(share_moved(table, 4, 5), 0);
}

TEST(FlowTable, GivesEachNewFlowTheNextOfAllCores) {
  FlowTablePolicy table{3, CoreSet::first(1)};
  EXPECT_TRUE(table.activates_cores());
  for (const int core : {0, 1, 2, 0, 1}) {
    const std::uint32_t flow = static_cast<std::uint32_t>(table.size()) * 7919 + 1;
    const Steered first = table.steer(flow), second = table.steer(flow);
    EXPECT_EQ(first.core, core);
    EXPECT_EQ(first.steps.insertions, 1);
    EXPECT_EQ(second.core, core);
    EXPECT_EQ(second.steps.insertions, 0);
  }
}

TEST(FlowTable, AsPublishedLeavesOutCore0) {
  FlowTablePolicy table{3, CoreSet::first(3), {.as_published = true}};
  std::vector<int> cores;
  for (std::uint32_t flow = 0; flow < 6; ++flow) cores.push_back(table.steer(flow).core);
  EXPECT_EQ(cores, (std::vector<int>{0, 1, 2, 1, 2, 1}));
}

TEST(FlowTable, SpraysWhenItIsFull) {
  FlowTablePolicy table{4, CoreSet::first(4), {.entries = 10}};
  for (std::uint32_t flow = 0; flow < 10; ++flow) table.steer(flow);
  EXPECT_EQ(table.size(), 10U);
  const std::uint8_t first = table.steer(99).core;
  EXPECT_EQ(table.steer(99).core, (first + 1) % 4);
  EXPECT_EQ(table.size(), 10U);
  EXPECT_EQ(table.steer(3).core, 3) << "who is in it stays";
}

TEST(FlowTable, MixedInsertsEveryOtherMiss) {
  FlowTablePolicy table{4, CoreSet::first(2), {.misses = FlowTableSettings::Misses::mixed}};
  for (std::uint32_t flow = 0; flow < 100; ++flow) table.steer(flow * 2'654'435'761U);
  EXPECT_EQ(table.size(), 50U);
}

TEST(FlowTable, PrefilledHasNoMisses) {
  const std::vector<std::uint32_t> flows = some_flows(1000);
  PrefilledFlowTable table{4, CoreSet::first(4)};
  EXPECT_EQ(table.prefill(flows), 1000U);
  EXPECT_EQ(table.prefill(flows), 0U);
  std::array<int, 4> has{};
  for (const std::uint32_t flow : flows) {
    const Steered steered = table.steer(flow);
    EXPECT_EQ(steered.steps.insertions, 0);
    ++has[steered.core];
  }
  EXPECT_EQ(has, (std::array<int, 4>{250, 250, 250, 250}));
}

// Two flows of a tenth of everything each, in one bucket, beside many: no core has room for both,
// so one gets a slot of its own.
TEST(IndirectionPolicy, FindsTheElephant) {
  IndirectionPolicy policy{10, CoreSet::first(10), 1};
  std::vector<std::uint32_t> flows = some_flows(10'000);
  flows[1] = flows[0] ^ 1U;
  SeededRandom random{9};
  Instant now{1s};
  for (int turn = 0; turn < 30; ++turn) {
    for (int packet = 0; packet < 5000; ++packet) {
      const std::uint64_t draw = random.next() % 100;
      const std::uint32_t hash = flows[draw < 20 ? draw / 10 : random.next() % flows.size()];
      policy.add_load(hash, policy.steer(hash).slot, 1us);
    }
    now = now + 100ms;
    const auto moves = policy.rebalance(now);
    const std::vector<SlotMove> copy{moves.begin(), moves.end()};
    for (const SlotMove& move : copy) EXPECT_EQ(policy.settle(move.slot, now), std::nullopt);
  }
  const Steered one = policy.steer(flows[0]), other = policy.steer(flows[1]);
  EXPECT_NE(one.slot, other.slot);
  EXPECT_NE(one.core, other.core);
  EXPECT_LE(policy.table().elephants().size(), 2U) << "and the mice do not";
}

}  // namespace
}  // namespace tw
