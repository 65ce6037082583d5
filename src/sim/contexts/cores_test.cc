#include "sim/contexts/cores.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace tw::sim {
namespace {

constexpr ThreadCosts no_costs{};

/// Takes some steps of 10 us, and notes when each began.
class Steps final : public StageItem {
 public:
  Steps(Cores& cores, Simulation& simulation, std::string& log, char name, int steps)
      : StageItem(no_limit),
        cores_(cores),
        simulation_(simulation),
        log_(log),
        name_(name),
        left_(steps) {}
  bool step(const StageTurn& turn) noexcept override {
    log_ += name_;
    at = simulation_.now();
    core = turn.core;
    cores_.charge(turn.core, 10us);
    if (after) after();
    return --left_ > 0;
  }

  std::function<void()> after;
  Instant at;
  std::size_t core = 0;

 private:
  Cores& cores_;
  Simulation& simulation_;
  std::string& log_;
  const char name_;
  int left_;
};

class CoresTest : public testing::Test {
 protected:
  void run(Cores& cores, StageThread& thread, StageItem& item) {
    ASSERT_TRUE(item.schedule());
    thread.queue.push(item);
    cores.wake(thread, std::nullopt);
  }
  Simulation simulation_;
  std::string log_;
};

TEST_F(CoresTest, HigherPriorityRunsBetweenTwoSteps) {
  Cores cores{simulation_, 1, no_costs};
  StageThread& worker = cores.add(StageThread::Kind::pinned, 0, 4);
  StageThread& above = cores.add(StageThread::Kind::above, 0, 4);
  Steps low{cores, simulation_, log_, 'w', 4}, high{cores, simulation_, log_, 'A', 2};
  run(cores, worker, low);
  simulation_.at(Instant{15us}, [&] { run(cores, above, high); });
  simulation_.run_until(Instant{1ms});
  EXPECT_EQ(log_, "wwAAww");
  EXPECT_EQ(cores.busy(0), 60us);
}

TEST_F(CoresTest, ThreadsOfOnePriorityTakeTurnsBySlices) {
  Cores cores{simulation_, 1, no_costs};
  StageThread& first = cores.add(StageThread::Kind::pinned, 0, 4);
  StageThread& second = cores.add(StageThread::Kind::pinned, 0, 4);
  Steps a{cores, simulation_, log_, 'a', 500}, b{cores, simulation_, log_, 'b', 500};
  run(cores, first, a);
  run(cores, second, b);
  simulation_.run_until(Instant{20ms});
  EXPECT_EQ(log_.substr(0, 300), std::string(300, 'a'));  // 3 ms
  EXPECT_EQ(log_.substr(300, 300), std::string(300, 'b'));
  EXPECT_EQ(log_.size(), 1000U);
}

TEST_F(CoresTest, SwitchesAndWakingArePaidFor) {
  Cores cores{simulation_,
              2,
              {.switch_thread = 1us,
               .switch_above = 2us,
               .wake_same = 3us,
               .wake_other = 4us,
               .wake_up = 50us,
               .interrupt = 5us}};
  StageThread& waker = cores.add(StageThread::Kind::pinned, 0, 4);
  StageThread& woken = cores.add(StageThread::Kind::pinned, 1, 4);
  Steps a{cores, simulation_, log_, 'a', 1}, b{cores, simulation_, log_, 'b', 1};
  a.after = [&] {
    ASSERT_TRUE(b.schedule());
    woken.queue.push(b);
    cores.wake(woken, 0);
  };
  run(cores, waker, a);
  simulation_.run_until(Instant{1ms});
  EXPECT_EQ(a.at.since_origin(), 5us);
  EXPECT_EQ(cores.busy(0), 10us + 1us + 4us);
  // The waker's step began after 5 us and had taken 15 when it woke the other.
  EXPECT_EQ(b.at.since_origin(), 5us + 15us + 50us);
  EXPECT_EQ(cores.busy(1), 11us);
}

TEST_F(CoresTest, AFreeThreadGoesWhereACoreSleepsAndAPinnedOneDoesNot) {
  for (const bool pinned : {false, true}) {
    Cores cores{simulation_, 2, no_costs};
    StageThread& busy = cores.add(StageThread::Kind::pinned, 0, 4);
    StageThread& other =
        cores.add(pinned ? StageThread::Kind::pinned : StageThread::Kind::free, 0, 4);
    Steps a{cores, simulation_, log_, 'a', 50}, b{cores, simulation_, log_, 'b', 1};
    run(cores, busy, a);
    run(cores, other, b);
    simulation_.run_until(simulation_.now() + 5ms);
    EXPECT_EQ(b.core, pinned ? 0U : 1U);
    EXPECT_EQ(cores.migrations(), pinned ? 0U : 1U);
  }
}

}  // namespace
}  // namespace tw::sim
