#include "lane/receive/age_limit.h"

#include <gtest/gtest.h>

#include "lane/test_machines.h"

namespace tw::lane {
namespace {

constexpr Duration target = 2ms;
constexpr std::size_t packet_bytes = 1'452;
constexpr std::size_t some = 3, other = 4;  // peers

// Polls at the times it is told to; a train is ten packets.
class AgeLimitTest : public testing::Test {
 protected:
  AgeLimitTest() { poll_after(1s); }
  void poll_after(Duration time) {
    now_ = now_ + time;
    ages_.begin(now_);
  }
  // The number of a train's packets that are dropped.
  int train(Duration age, Duration unpolled = {}, std::size_t whose = some) {
    ages_.next_train(age, unpolled);
    int dropped = 0;
    for (int i = 0; i < 10; ++i) dropped += ages_.overdue(whose, packet_bytes) ? 1 : 0;
    return dropped;
  }
  // A train in each of so many polls, 1 ms apart.
  int trains(int polls, Duration age) {
    int dropped = 0;
    for (int i = 0; i < polls; ++i) {
      poll_after(1ms);
      dropped += train(age);
    }
    return dropped;
  }
  AgeLimit ages_{target};
  Instant now_{1h};
};

TEST_F(AgeLimitTest, AQueueThatStandsLosesAPacketNotATrain) {
  EXPECT_EQ(trains(100, 10ms), 0);
  EXPECT_EQ(trains(2, 10ms), 1);
  EXPECT_EQ(trains(99, 10ms), 1);
}

TEST_F(AgeLimitTest, AQueueOnTargetLosesNothing) {
  EXPECT_EQ(trains(5'000, target + 1ms), 0);  // polls are 1 ms apart: so much is excused
}

TEST_F(AgeLimitTest, NorDoesOneThatIsShortNowAndThen) {
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(trains(90, 20ms), 0);
    EXPECT_EQ(trains(1, 1ms), 0);
  }
}

TEST_F(AgeLimitTest, WhatCameWhileTheWorkerWasAwayIsExcused) {
  for (int i = 0; i < 100; ++i) {
    poll_after(30ms);
    EXPECT_EQ(train(30ms), 0);
    poll_after(500us);  // still reading what came then
    EXPECT_EQ(train(30ms), 0);
  }
}

TEST_F(AgeLimitTest, SoIsWhatCameWhileItWasSentAwayInTheMiddleOfAPoll) {
  for (int i = 0; i < 500; ++i) {
    poll_after(1ms);
    EXPECT_EQ(train(4ms, 5ms), 0);
  }
}

TEST_F(AgeLimitTest, TheExcuseWearsOffWithTime) {
  poll_after(300ms);
  EXPECT_EQ(train(300ms), 0);
  EXPECT_EQ(trains(350, 20ms), 0);  // until 17 ms of excuse are left, and an interval
  EXPECT_GT(trains(100, 20ms), 0);
}

TEST_F(AgeLimitTest, ALoadThatDoesNotYieldIsCut) {
  trains(1'500, 20ms);
  EXPECT_EQ(trains(100, 20ms), 1'000);
  EXPECT_EQ(trains(1, target), 0);
}

TEST_F(AgeLimitTest, TheCutIsForgottenOnceTheQueueIsShort) {
  trains(1'500, 20ms);
  trains(600, 1ms);
  EXPECT_EQ(trains(90, 20ms), 0);
}

TEST_F(AgeLimitTest, WhoSendsLittleLosesNothingHoweverManyTheyAre) {
  int dropped = 0, dropped_of_little = 0;
  for (int poll = 0; poll < 3'000; ++poll) {
    poll_after(1ms);
    for (int i = 0; i < 4; ++i) dropped += train(20ms);
    // 200 others send as much as the one, all together.
    ages_.next_train(20ms);
    for (int i = 0; i < 40; ++i) {
      const std::size_t whose = other + static_cast<std::size_t>(poll * 40 + i) % 200;
      dropped_of_little += ages_.overdue(whose, packet_bytes) ? 1 : 0;
    }
  }
  EXPECT_GT(dropped, 50'000);
  EXPECT_EQ(dropped_of_little, 0);
}

TEST_F(AgeLimitTest, EqualsLoseAlike) {
  int of_some = 0, of_other = 0;
  for (int poll = 0; poll < 3'000; ++poll) {
    poll_after(1ms);
    of_some += train(20ms);
    of_other += train(20ms, {}, other);
  }
  EXPECT_GT(of_some, 10'000);
  EXPECT_NEAR(of_some, of_other, of_some / 20.0);
}

TEST_F(AgeLimitTest, AFloodOfStrangersTakesTheDropsUponItself) {
  int dropped = 0;
  for (int poll = 0; poll < 3'000; ++poll) {
    poll_after(1ms);
    for (int i = 0; i < 5; ++i) train(20ms, {}, ByteShares::strangers);
    dropped += train(20ms);
  }
  EXPECT_EQ(dropped, 0);
}

TEST_F(AgeLimitTest, AnIdleWorkerWasNotAway) {
  poll_after(1min);
  EXPECT_EQ(train(50us), 0);  // it was woken by this
  EXPECT_EQ(trains(100, 20ms), 0);
  EXPECT_EQ(trains(2, 20ms), 1);
}

TEST_F(AgeLimitTest, ZeroIsNoLimit) {
  AgeLimit none;
  none.begin(now_);
  none.next_train(1h);
  EXPECT_FALSE(none.overdue(some, packet_bytes));
}

class OverdueTest : public test::TwoMachinesTest {
 protected:
  void SetUp() override {
    right_.lane().set_queue_limit(target);
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

TEST_F(OverdueTest, DataOfAQueueThatStandsIsDroppedAndCounted) {
  constexpr std::uint64_t polls = 1'000;
  std::uint64_t delivered = 0;
  for (std::uint64_t poll = 0; poll < polls; ++poll) {
    send();
    age_what_waits(right_, 4 * target);
    advance(1ms);
    delivered += right_.to_host().size();
  }
  EXPECT_GT(overdue(), 10U);
  EXPECT_EQ(delivered + overdue(), polls);
  expect_conserved();
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
  left_.lane().set_queue_limit(target);
  right_.lane().set_queue_limit(target);
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
