#include "lab/clients/arrivals.h"

#include <gtest/gtest.h>

namespace tw::lab {
namespace {

Stamp stamp(std::uint32_t peer, std::uint64_t sequence, bool measured = true) {
  return {.peer = peer, .measured = measured, .sequence = sequence, .due_ns = 0};
}

TEST(Arrivals, CountOncePerPacketAndPeer) {
  Arrivals arrivals{2};
  for (std::uint64_t i = 0; i < 10; ++i) arrivals.note(Reading::intact, stamp(0, i));
  for (std::uint64_t i = 0; i < 5; ++i) arrivals.note(Reading::intact, stamp(1, 2 * i));
  EXPECT_EQ(arrivals.received(), 15U);
  EXPECT_EQ(arrivals.peers()[0].received, 10U);
  EXPECT_EQ(arrivals.peers()[1].received, 5U);  // gaps are the sender's to know
  EXPECT_EQ(arrivals.reordered(), 0U);
  EXPECT_EQ(arrivals.repeated(), 0U);
}

TEST(Arrivals, SeeWhatCameAfterALaterOne) {
  Arrivals arrivals{2};
  for (const std::uint64_t sequence : {0U, 3U, 1U, 2U, 4U}) {
    arrivals.note(Reading::intact, stamp(1, sequence));
  }
  EXPECT_EQ(arrivals.peers()[1].reordered, 2U);
  EXPECT_EQ(arrivals.peers()[0].reordered, 0U);
  EXPECT_EQ(arrivals.received(), 5U);
}

TEST(Arrivals, DoNotCountACopy) {
  Arrivals arrivals{1};
  arrivals.note(Reading::intact, stamp(0, 5));
  arrivals.note(Reading::intact, stamp(0, 5));
  EXPECT_EQ(arrivals.received(), 1U);
  EXPECT_EQ(arrivals.repeated(), 1U);
}

// The warm-up is not counted, but what was sent in it keeps its place in the order.
TEST(Arrivals, LeaveTheWarmUpOut) {
  Arrivals arrivals{1};
  arrivals.note(Reading::intact, stamp(0, 0, false));
  arrivals.note(Reading::intact, stamp(0, 2));
  arrivals.note(Reading::intact, stamp(0, 1, false));
  EXPECT_EQ(arrivals.received(), 1U);
  EXPECT_EQ(arrivals.reordered(), 0U);
  EXPECT_EQ(arrivals.datagrams(), 3U);
}

TEST(Arrivals, KeepWhatIsNotOursOutOfTheCounts) {
  Arrivals arrivals{1};
  arrivals.note(Reading::foreign, {});
  arrivals.note(Reading::corrupt, {});
  arrivals.note(Reading::intact, stamp(1, 0));  // a peer that there is not
  EXPECT_EQ(arrivals.received(), 0U);
  EXPECT_EQ(arrivals.foreign(), 1U);
  EXPECT_EQ(arrivals.corrupt(), 2U);
  EXPECT_EQ(arrivals.datagrams(), 3U);
}

}  // namespace
}  // namespace tw::lab
