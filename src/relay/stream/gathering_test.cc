#include "relay/stream/gathering.h"

#include <gtest/gtest.h>

#include <vector>

#include "relay/stream/gatherers.h"

namespace tw::relay {
namespace {

constexpr Instant start{1s};

Gathering over(Duration round_trip) {
  Gathering gathering;
  gathering.set_round_trip(round_trip);
  return gathering;
}

TEST(Gathering, ASmallPartOfTheRoundTrip) {
  EXPECT_EQ(Gathering{}.time(200us), 200us);
  EXPECT_EQ(over(640us).time(200us), 200us) << "not less than the shortest";
  EXPECT_EQ(over(0us).time(200us), 200us);
  EXPECT_EQ(over(102'400us).time(200us), 1600us);
  EXPECT_EQ(over(10s).time(200us), Gathering::most);
}

TEST(Gathering, ATransferOverAFarPathMayPauseForLonger) {
  EXPECT_EQ(Gathering{}.pause(), 2ms);
  EXPECT_EQ(over(102'400us).pause(), 2ms + 25'600us);
}

TEST(Gathering, ASideStaysDeafAsLongAsItWaits) {
  Gathering gathering;
  gathering.note(false, true);
  EXPECT_TRUE(gathering.is_wanted(Side::back));
  EXPECT_FALSE(gathering.is_wanted(Side::front));
  EXPECT_FALSE(gathering.is_over()) << "nothing is deaf";
  gathering.set_deaf(Side::back, true);
  EXPECT_TRUE(gathering.begin_wait());
  EXPECT_FALSE(gathering.begin_wait()) << "it waits already";
  EXPECT_FALSE(gathering.is_over());
  gathering.end_wait();
  EXPECT_TRUE(gathering.is_over());
  gathering.set_deaf(Side::back, false);
  EXPECT_FALSE(gathering.is_over());
}

std::vector<std::uint32_t> due(Gatherers& gatherers, Instant now) {
  std::vector<std::uint32_t> indices;
  gatherers.take_due(now, [&](ConnectionId id) { indices.push_back(id.index); });
  return indices;
}

TEST(Gatherers, EachIsNamedOnceWhenItsTimeIsOver) {
  Gatherers gatherers;
  EXPECT_EQ(gatherers.next_deadline(), Instant::max());
  gatherers.add({1, 1}, start + 3ms);
  gatherers.add({2, 1}, start + 1ms);
  gatherers.add({3, 1}, start + 2ms);
  EXPECT_EQ(gatherers.next_deadline(), start + 1ms);
  EXPECT_TRUE(due(gatherers, start).empty());
  EXPECT_EQ(due(gatherers, start + 2ms), (std::vector<std::uint32_t>{2, 3}));
  EXPECT_EQ(gatherers.next_deadline(), start + 3ms);
  EXPECT_EQ(due(gatherers, start + 10ms), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(gatherers.next_deadline(), Instant::max());
}

}  // namespace
}  // namespace tw::relay
