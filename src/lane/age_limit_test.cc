#include "lane/age_limit.h"

#include <gtest/gtest.h>

#include "lane/test_machines.h"

namespace tw::lane {
namespace {

constexpr Duration limit = 2ms;

// Polls at the times it is told to.
class AgeLimitTest : public testing::Test {
 protected:
  AgeLimitTest() { poll_after(1s); }
  void poll_after(Duration time) {
    now_ = now_ + time;
    ages_.begin(now_);
  }
  AgeLimit ages_{limit};
  Instant now_{1h};
};

TEST_F(AgeLimitTest, WhatWaitedThoughThePollsWereFrequentIsOverdue) {
  poll_after(100us);
  EXPECT_FALSE(ages_.overdue(limit));
  EXPECT_FALSE(ages_.overdue(limit + 100us));
  EXPECT_TRUE(ages_.overdue(limit + 101us));
}

TEST_F(AgeLimitTest, WhatCameWhileTheWorkerWasAwayIsNot) {
  poll_after(30ms);
  EXPECT_FALSE(ages_.overdue(30ms));
  poll_after(500us);  // still reading what came then
  EXPECT_FALSE(ages_.overdue(30ms));
}

TEST_F(AgeLimitTest, NorWhatCameWhileItWasSentAwayInTheMiddleOfAPoll) {
  poll_after(10us);
  EXPECT_FALSE(ages_.overdue(4ms, 5ms));
  poll_after(500us);
  EXPECT_FALSE(ages_.overdue(4ms, 500us));
  EXPECT_TRUE(ages_.overdue(10ms, 500us));
}

TEST_F(AgeLimitTest, TheExcuseWearsOffWithTime) {
  poll_after(30ms);
  EXPECT_FALSE(ages_.overdue(30ms));
  for (int i = 0; i < 20; ++i) poll_after(1ms);  // 10 ms of excuse are left
  EXPECT_FALSE(ages_.overdue(12ms));
  EXPECT_TRUE(ages_.overdue(13ms));
  for (int i = 0; i < 9; ++i) poll_after(1ms);
  EXPECT_TRUE(ages_.overdue(4ms));
}

TEST_F(AgeLimitTest, AnIdleWorkerWasNotAway) {
  poll_after(1min);
  EXPECT_FALSE(ages_.overdue(50us));  // it was woken by this
  for (int i = 0; i < 5; ++i) poll_after(1ms);
  EXPECT_TRUE(ages_.overdue(4ms));
}

TEST_F(AgeLimitTest, ABurstAfterALateWakeUpIsExcused) {
  poll_after(1min);
  EXPECT_FALSE(ages_.overdue(20ms));
  EXPECT_FALSE(ages_.overdue(19ms));
}

TEST_F(AgeLimitTest, ZeroIsNoLimit) {
  AgeLimit none;
  none.begin(now_);
  EXPECT_FALSE(none.overdue(1h));
}

class OverdueTest : public test::TwoMachinesTest {
 protected:
  void SetUp() override {
    right_.lane().set_queue_limit(limit);
    send();
    settle();
    ASSERT_EQ(right_.to_host().size(), 1U);
  }
  void send() {
    left_.from_host(test::ip_packet(1, 2, 100, 7));
    left_.context().run_until_idle();
  }
  void age_what_waits(test::Machine& machine, Duration age) {
    machine.udp().mark_waiting([age](Train& train) { train.age = age; });
  }
  std::uint64_t overdue() { return right_.counters().from_wire.drops.of(Drop::overdue); }
};

TEST_F(OverdueTest, DataThatWaitedTooLongIsDroppedAndCounted) {
  send();
  age_what_waits(right_, limit + 1us);
  settle();
  EXPECT_TRUE(right_.to_host().empty());
  EXPECT_EQ(overdue(), 1U);
  expect_conserved();
  send();
  age_what_waits(right_, limit);
  settle();
  EXPECT_EQ(right_.to_host().size(), 1U);
  EXPECT_EQ(overdue(), 1U);
}

TEST_F(OverdueTest, DataThatCameWhileTheWorkerWasAwayIsDelivered) {
  send();
  clock_.advance(40ms);
  age_what_waits(right_, 40ms);
  settle();
  EXPECT_EQ(right_.to_host().size(), 1U);
  EXPECT_EQ(overdue(), 0U);
}

TEST_F(OverdueTest, WithoutALimitAnyAgeIsDelivered) {
  right_.lane().set_queue_limit(Duration::zero());
  send();
  age_what_waits(right_, 900ms);
  settle();
  EXPECT_EQ(right_.to_host().size(), 1U);
}

class OverdueHandshakeTest : public test::TwoMachinesTest {};

TEST_F(OverdueHandshakeTest, AHandshakeMessageIsNeverTooOld) {
  left_.lane().set_queue_limit(limit);
  right_.lane().set_queue_limit(limit);
  left_.from_host(test::ip_packet(1, 2, 100, 7));
  std::size_t handshakes = 0;
  const auto make_old = [&](Train& train) {
    const bool is_handshake = train.length == 148 || train.length == 92;
    handshakes += is_handshake ? 1 : 0;
    train.age = is_handshake ? 900ms : Duration::zero();
  };
  for (int turn = 0; turn < 20; ++turn) {
    for (test::Machine* machine : {&left_, &right_}) {
      machine->udp().mark_waiting(make_old);
      machine->context().run_until_idle();
    }
  }
  EXPECT_EQ(handshakes, 2U);
  EXPECT_EQ(right_.to_host().size(), 1U);
}

}  // namespace
}  // namespace tw::lane
