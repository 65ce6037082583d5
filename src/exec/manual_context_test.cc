#include "exec/manual_context.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace tw {
namespace {

struct FakePoller final : Poller {
  FakePoller(std::string name_given, std::string& log_given)
      : name(std::move(name_given)), log(log_given) {}
  Work poll(Instant now, std::size_t budget) noexcept override {
    seen = now;
    log += name;
    if (action) action();
    const std::size_t handled = std::min(budget, work);
    work -= handled;
    return {.packets = handled, .bytes = 100 * handled, .more = handled == budget};
  }
  Instant next_deadline() const noexcept override { return deadline; }
  bool arm() noexcept override { return armed; }

  std::string name;
  std::string& log;
  std::size_t work = 0;
  Instant deadline = Instant::max();
  bool armed = true;
  Instant seen{};
  std::function<void()> action;
};

class ManualContextTest : public ::testing::Test {
 protected:
  ManualClock clock;
  std::string log;
  ManualContext context{ContextId{3}, clock, 10};
  FakePoller a{"a", log}, b{"b", log};
};

TEST_F(ManualContextTest, PollsInOrderWithTheTimeOfTheTurn) {
  context.attach(a);
  context.attach(b);
  clock.advance(5ms);
  EXPECT_EQ(context.step(), 0U);
  EXPECT_EQ(log, "ab");
  EXPECT_EQ(a.seen, clock.now());
  EXPECT_EQ(context.now(), clock.now());
  EXPECT_EQ(context.id(), ContextId{3});
}

TEST_F(ManualContextTest, BudgetBoundsATurn) {
  context.attach(a);
  a.work = 25;
  EXPECT_EQ(context.step(), 10U);
  EXPECT_TRUE(context.run_until_idle());
  EXPECT_EQ(a.work, 0U);
}

TEST_F(ManualContextTest, AccountsTheWorkOfAllItsPollers) {
  context.attach(a);
  context.attach(b);
  a.work = 25;
  b.work = 3;
  ASSERT_TRUE(context.post([]() noexcept {}));
  ASSERT_TRUE(context.run_until_idle());
  const ContextCounters& counters = context.counters();
  EXPECT_EQ(counters.packets.value(), 28U);
  EXPECT_EQ(counters.bytes.value(), 2800U);
  EXPECT_EQ(counters.messages.value(), 1U);
  EXPECT_EQ(counters.turns.value(), 3U) << "the last, which has found nothing, is none";
}

TEST_F(ManualContextTest, MessagesRunBeforePollersAndNotInTheTurnThatPostsThem) {
  context.attach(a);
  ASSERT_TRUE(context.post([&]() noexcept {
    log += "m";
    context.post([&]() noexcept { log += "n"; });
  }));
  EXPECT_LE(context.next_deadline(), clock.now());
  context.step();
  EXPECT_EQ(log, "ma");
  context.step();
  EXPECT_EQ(log, "mana");
}

TEST_F(ManualContextTest, PollersComeAndGoWhileTheyRun) {
  context.attach(a);
  context.attach(b);
  a.action = [&] {
    a.action = nullptr;
    context.detach(a);
    context.detach(b);
  };
  context.step();
  context.step();
  EXPECT_EQ(log, "a");
  context.attach(b);
  context.step();
  EXPECT_EQ(log, "ab");
}

TEST_F(ManualContextTest, IdleOnlyWhenNobodyHasWorkLeft) {
  context.attach(a);
  a.armed = false;
  EXPECT_FALSE(context.run_until_idle(5));
  a.armed = true;
  a.deadline = clock.now();
  EXPECT_FALSE(context.run_until_idle(5));
  a.deadline = clock.now() + 1s;
  EXPECT_TRUE(context.run_until_idle(5));
  EXPECT_EQ(context.next_deadline(), clock.now() + 1s);
  context.wake();
  EXPECT_LE(context.next_deadline(), clock.now());
}

}  // namespace
}  // namespace tw
