#include "exec/contexts/staged_pipeline.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <thread>

#include "base/random.h"
#include "exec/contexts/receive_item.h"
#include "exec/contexts/stage_queue.h"

namespace tw {
namespace {

constexpr std::array all_contexts{Context::affine, Context::softirq, Context::thread,
                                  Context::thread_pinned, Context::workqueue};
constexpr std::size_t cores = 3, flows = 7;

struct Numbered : StagedPacket {
  std::uint32_t sequence = 0;
  bool was_opened = false;
};

/// Queues without threads: the test says who runs next.
class Queues : public StageContexts {
 public:
  Queues() {
    for (std::size_t core = 0; core < cores; ++core) {
      workers.push_back(std::make_unique<StageQueue>(flows + 2));
      above.push_back(std::make_unique<StageQueue>(flows + 2));
      workers[core]->run_on(core);
      above[core]->run_on(core);
    }
    for (std::size_t flow = 0; flow < flows; ++flow) {
      own.push_back(std::make_unique<StageQueue>(1));
      own[flow]->run_on(flow % cores);
    }
  }
  void on_worker(std::size_t core, StageItem& item, const StageTurn&) noexcept override {
    workers[core]->push(item);
  }
  void above_worker(std::size_t core, StageItem& item, const StageTurn&) noexcept override {
    above[core]->push(item);
  }
  void on_thread(std::uint32_t flow, StageItem& item, const StageTurn&) noexcept override {
    own[flow]->push(item);
  }

  std::vector<std::unique_ptr<StageQueue>> workers, above, own;
};

/// Checks what must hold of every packet, on any thread.
class Checks : public StageWork {
 public:
  void open(StagedPacket& packet, const StageTurn&) noexcept override {
    static_cast<Numbered&>(packet).was_opened = true;
  }
  void opened(const StageTurn&) noexcept override {}
  void call_begins(std::uint32_t flow, const StageTurn&) noexcept override {
    if (in_call[flow].exchange(true)) ++together;
  }
  void deliver(StagedPacket& packet, std::size_t place, const StageTurn&) noexcept override {
    const auto& numbered = static_cast<Numbered&>(packet);
    if (numbered.sequence <= last[packet.flow] || !numbered.was_opened) ++disordered;
    last[packet.flow] = numbered.sequence;
    most_in_call = std::max<std::size_t>(most_in_call, place + 1);
    ++delivered;
  }
  void discard(StagedPacket& packet, const StageTurn&) noexcept override {
    if (static_cast<Numbered&>(packet).sequence <= last[packet.flow]) ++disordered;
    ++discarded;
  }
  void call_ends(std::uint32_t flow, std::size_t, const StageTurn&) noexcept override {
    in_call[flow] = false;
  }

  std::array<std::atomic<bool>, flows> in_call{};
  std::array<std::uint32_t, flows> last{};
  std::atomic<std::size_t> delivered{0}, discarded{0}, together{0}, disordered{0};
  std::atomic<std::size_t> most_in_call{0};
};

StagedPipeline::Settings settings_of(Context context) {
  return {.place = deliver_place_of(context),
          .shares_ring = context != Context::affine,
          .cores = cores,
          .flows = flows,
          .ring = 16,
          .flow_queue = 8,
          .deliver_call = 4};
}

/// Receives for some flows, a packet at a time, as long as there are any.
class Source : public StageSource {
 public:
  Source(std::size_t first, std::size_t packets) : flow_(first), left_(packets) {
    packets_.reserve(packets);
  }
  void call_begins(const StageTurn&) noexcept override {}
  bool receive(const StageTurn& turn) noexcept override {
    if (left_ == 0) return false;
    --left_;
    packets_.push_back(std::make_unique<Numbered>());
    Numbered& packet = *packets_.back();
    packet.flow = static_cast<std::uint32_t>(flow_);
    packet.sequence = ++sequence_[flow_];
    if (pipeline->receive(packet, turn) == StagedPipeline::Arrival::flow_full) ++refused;
    flow_ = flow_ + cores < flows ? flow_ + cores : flow_ % cores;
    return left_ > 0;
  }

  std::size_t left() const { return left_; }

  StagedPipeline* pipeline = nullptr;
  std::atomic<std::size_t> refused{0};

 private:
  std::size_t flow_, left_;
  std::array<std::uint32_t, flows> sequence_{};
  std::vector<std::unique_ptr<Numbered>> packets_;
};

/// A pipeline, and a receive stage on each core.
struct Machine {
  Machine(Context context, std::size_t packets) : pipeline(settings_of(context), checks, queues) {
    for (std::size_t core = 0; core < cores; ++core) {
      sources.push_back(std::make_unique<Source>(core, packets));
      sources[core]->pipeline = &pipeline;
    }
  }
  /// Lets cores receive by themselves, above their workers.
  void start() {
    for (std::size_t core = 0; core < cores; ++core) {
      receive.push_back(std::make_unique<ReceiveItem>(*sources[core], 5));
      TW_ASSERT(receive[core]->schedule());
      queues.above[core]->push(*receive[core]);
    }
  }
  bool receive_one(std::size_t core, Instant now) {
    const std::size_t before = sources[core]->left();
    sources[core]->receive({now, core});
    return before > 0;
  }
  /// A step of the core: what is above its worker first. False if it has nothing to do.
  bool step(std::size_t core, Instant now) {
    if (queues.above[core]->poll(now, 1).packets > 0) return true;
    for (std::size_t flow = core; flow < flows; flow += cores) {
      if (queues.own[flow]->poll(now, 1).packets > 0) return true;
    }
    return queues.workers[core]->poll(now, 1).packets > 0;
  }
  std::size_t refused() const {
    std::size_t sum = 0;
    for (const auto& source : sources) sum += source->refused;
    return sum;
  }

  std::size_t finished() const { return checks.delivered + checks.discarded + refused(); }

  Queues queues;
  Checks checks;
  StagedPipeline pipeline;
  std::vector<std::unique_ptr<Source>> sources;
  std::vector<std::unique_ptr<ReceiveItem>> receive;
};

// A packet comes for every six steps: less than all cores can do, and more than one that is
// unlucky.
void run_in_any_order(Machine& machine, std::uint64_t seed) {
  SeededRandom random{seed};
  std::int64_t now = 0;
  for (std::size_t idle = 0; idle < 100;) {
    const std::uint64_t drawn = random.next();
    const std::size_t core = drawn % cores;
    const bool worked = drawn / cores % 6 == 0 ? machine.receive_one(core, Instant{Duration{now}})
                                               : machine.step(core, Instant{Duration{++now}});
    idle = worked ? 0 : idle + 1;
  }
}

// Whoever runs next: a flow keeps its order, has one deliver call at a time, and nothing is lost.
TEST(StagedPipeline, KeepsTheOrderOfAFlowInEveryContext) {
  constexpr std::size_t packets = 200;
  for (const Context context : all_contexts) {
    std::size_t delivered = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      SCOPED_TRACE(testing::Message() << name_of(context) << " seed " << seed);
      Machine machine{context, packets};
      run_in_any_order(machine, seed);
      const Checks& checks = machine.checks;
      ASSERT_EQ(checks.disordered, 0U);
      ASSERT_EQ(checks.together, 0U);
      ASSERT_EQ(machine.finished(), packets * cores);
      delivered += checks.delivered;
      ASSERT_LE(checks.most_in_call, 4U);
    }
    EXPECT_GT(delivered, 60 * packets * cores / 2) << name_of(context);
  }
}

// In `softirq`, and only there, deliver comes between two steps of the worker that asked for it.
TEST(StagedPipeline, DeliverPreemptsOpenInSoftirqOnly) {
  for (const Context context : all_contexts) {
    Machine machine{context, 300};
    run_in_any_order(machine, 9);
    std::size_t preempted = 0;
    for (std::size_t core = 0; core < cores; ++core) {
      preempted += machine.pipeline.counters(core).preempted.value();
    }
    SCOPED_TRACE(name_of(context));
    EXPECT_EQ(preempted > 0, context == Context::softirq);
  }
}

// A packet that one core has opened and not published holds back those that others have: their
// deliver calls find nothing, and the last one finds all.
TEST(StagedPipeline, APacketInACoresHandsHoldsBackItsFlow) {
  Queues queues;
  Checks checks;
  StagedPipeline pipeline{settings_of(Context::softirq), checks, queues};
  std::array<Numbered, 3> packets;
  for (std::uint32_t i = 0; i < 3; ++i) {
    packets[i].sequence = i + 1;
    ASSERT_EQ(pipeline.receive(packets[i], {Instant{}, 0}), StagedPipeline::Arrival::queued);
  }
  queues.workers[0]->poll(Instant{}, 1);  // has the first in its hands
  queues.workers[1]->poll(Instant{}, 2);  // opens and publishes the second
  queues.above[1]->poll(Instant{}, 10);
  EXPECT_EQ(checks.delivered, 0U);
  EXPECT_EQ(pipeline.counters(1).deliver_empty.value(), 1U);
  queues.workers[2]->poll(Instant{}, 2);
  queues.above[2]->poll(Instant{}, 10);
  EXPECT_EQ(checks.delivered, 0U);
  queues.workers[0]->poll(Instant{}, 1);
  queues.above[0]->poll(Instant{}, 10);
  EXPECT_EQ(checks.delivered, 3U);
  EXPECT_EQ(pipeline.counters(0).call_sizes.of(CallSizes::bucket_of(3)), 1U);
}

// A flow that is asked for while it is queued or runs stays where that is.
TEST(StagedPipeline, AFlowStaysOnTheCoreThatIsBehind) {
  Queues queues;
  Checks checks;
  StagedPipeline pipeline{settings_of(Context::softirq), checks, queues};
  std::array<Numbered, 2> packets;
  for (std::uint32_t i = 0; i < 2; ++i) {
    packets[i].sequence = i + 1;
    pipeline.receive(packets[i], {Instant{}, 0});
  }
  queues.workers[0]->poll(Instant{}, 2);
  queues.workers[1]->poll(Instant{}, 2);  // published by core 1, and yet
  EXPECT_TRUE(queues.above[1]->empty());
  queues.above[0]->poll(Instant{}, 10);
  EXPECT_EQ(checks.delivered, 2U);
  EXPECT_EQ(pipeline.counters(0).delivered.value(), 2U);
}

/// Finds nothing, and is asked for by somebody else in just that moment, a few times.
class AskedForMeanwhile final : public StageItem {
 public:
  AskedForMeanwhile() : StageItem(no_limit) {}
  bool step(const StageTurn&) noexcept override {
    ++steps;
    if (steps < 3) must_queue |= schedule();
    return false;
  }
  int steps = 0;
  bool must_queue = false;  // by whoever asked
};

// Work that is published when a stage has just looked for it must not wait for the next.
TEST(StageQueue, AnItemThatIsAskedForWhileItRunsRunsOnceMore) {
  StageQueue queue{1};
  AskedForMeanwhile item;
  ASSERT_TRUE(item.schedule());
  EXPECT_FALSE(item.schedule());  // is queued already
  queue.push(item);
  while (queue.poll(Instant{}, 1).packets > 0) {
  }
  EXPECT_EQ(item.steps, 3);
  EXPECT_FALSE(item.must_queue);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(item.schedule());  // is idle again
}

TEST(StagedPipeline, AFullRingAndAFullFlowLoseNothingSilently) {
  Queues queues;
  Checks checks;
  StagedPipeline pipeline{settings_of(Context::workqueue), checks, queues};
  std::deque<Numbered> packets(9 + 8 + 8);
  std::size_t full = 0, ring_full = 0;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    packets[i].flow = static_cast<std::uint32_t>(i < 9 ? 0 : i < 17 ? 1 : 2);
    packets[i].sequence = static_cast<std::uint32_t>(i + 1);
    const auto arrival = pipeline.receive(packets[i], {Instant{}, 0});
    full += arrival == StagedPipeline::Arrival::flow_full ? 1 : 0;
    ring_full += arrival == StagedPipeline::Arrival::ring_full ? 1 : 0;
  }
  EXPECT_EQ(full, 1U);       // of the first flow's nine
  EXPECT_EQ(ring_full, 8U);  // 16 are in the ring
  while (queues.workers[0]->poll(Instant{}, 1).packets > 0) {
  }
  EXPECT_EQ(checks.delivered, 16U);
  EXPECT_EQ(checks.discarded, 8U);
}

// The same objects on threads: `tsan` sees what the other tests cannot.
TEST(StagedPipeline, RunsOnThreads) {
  constexpr std::size_t packets = 2000;
  for (const Context context : all_contexts) {
    Machine machine{context, packets};
    machine.start();
    std::array<std::thread, cores> threads;
    for (std::size_t core = 0; core < cores; ++core) {
      threads[core] = std::thread{[&, core] {
        while (machine.finished() < packets * cores) {
          if (!machine.step(core, Instant{})) std::this_thread::yield();
        }
      }};
    }
    for (std::thread& thread : threads) thread.join();
    SCOPED_TRACE(name_of(context));
    EXPECT_EQ(machine.checks.disordered, 0U);
    EXPECT_EQ(machine.checks.together, 0U);
  }
}

}  // namespace
}  // namespace tw
