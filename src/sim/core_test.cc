#include "sim/core.h"

#include <gtest/gtest.h>

#include <vector>

namespace tw::sim {
namespace {

constexpr CoreCosts costs{.notice = 100ns, .wake_up = 30us, .wake_other = 10us, .empty_turn = 10ns};

/// Has some work, each of 1 us, and notes when it was done.
class Work final : public Poller {
 public:
  explicit Work(Core& core) : core_(core) {}
  tw::Work poll(Instant, std::size_t budget) noexcept override {
    std::size_t done = 0;
    for (; done < budget && left > 0; ++done, --left) {
      core_.serve(1us);
      at.push_back(core_.now().since_origin());
    }
    return tw::Work::counted(done, budget);
  }
  Instant next_deadline() const noexcept override { return deadline; }
  bool arm() noexcept override { return left == 0; }

  int left = 0;
  Instant deadline = Instant::max();
  std::vector<Duration> at;

 private:
  Core& core_;
};

struct Bench {
  Simulation simulation;
  Core core{simulation, ContextId{0}, costs}, other{simulation, ContextId{1}, costs};
  Work work{core};
  Bench() {
    core.attach(work);
    simulation.run_until(Instant{1ms});
  }
};

TEST(SimulatedCore, ATurnTakesWhatItsWorkTook) {
  Bench bench;
  bench.work.left = 3;
  bench.core.wake();
  bench.simulation.run_until(Instant{2ms});
  const Duration began = 1ms + 100ns;
  EXPECT_EQ(bench.work.at, (std::vector<Duration>{began + 1us, began + 2us, began + 3us}));
  EXPECT_EQ(bench.core.busy(), 3us);
  EXPECT_EQ(bench.core.parked(), Duration::zero());
}

TEST(SimulatedCore, AParkedOneIsWokenAtAPrice) {
  Bench bench;
  bench.core.set_parks(true);
  bench.simulation.run_until(Instant{2ms});
  EXPECT_TRUE(bench.core.is_parked());
  EXPECT_EQ(bench.core.parked(), 1ms);
  bench.work.left = 1;
  bench.simulation.at(Instant{3ms}, [&] { bench.core.wake_by(bench.other); });
  bench.simulation.run_until(Instant{4ms});
  ASSERT_EQ(bench.work.at.size(), 1U);
  EXPECT_GE(bench.work.at.front(), 3ms + costs.wake_up + 1us);
  EXPECT_TRUE(bench.core.is_parked()) << "again";
}

TEST(SimulatedCore, ADeadlineWakesIt) {
  Bench bench;
  bench.work.deadline = Instant{3ms};
  bench.core.wake();  // to look at its deadlines anew
  bench.simulation.at(Instant{3ms - 1ns}, [&] {
    bench.work.left = 1;  // nobody tells it
    bench.work.deadline = Instant::max();
  });
  bench.simulation.run_until(Instant{4ms});
  EXPECT_EQ(bench.work.at, (std::vector<Duration>{3ms + 1us}));
}

TEST(SimulatedCore, MessagesRunOnIt) {
  Bench bench;
  Instant ran{};
  EXPECT_TRUE(bench.core.post([&]() noexcept { ran = bench.core.now(); }));
  bench.simulation.run_until(Instant{2ms});
  EXPECT_EQ(ran, Instant{1ms + 100ns});
}

TEST(Simulation, EventsOfOneMomentKeepTheirOrder) {
  Simulation simulation;
  std::vector<int> order;
  simulation.at(Instant{2us}, [&] { order.push_back(3); });
  simulation.at(Instant{1us}, [&] { order.push_back(1); });
  simulation.at(Instant{1us}, [&] {
    order.push_back(2);
    simulation.at(Instant{}, [&] { order.push_back(4); });  // the past is now
  });
  simulation.run_until(Instant{2us});
  EXPECT_EQ(order, (std::vector<int>{1, 2, 4}));
  simulation.run_until(Instant{3us});
  EXPECT_EQ(order.back(), 3);
}

}  // namespace
}  // namespace tw::sim
