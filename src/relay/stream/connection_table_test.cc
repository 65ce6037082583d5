#include "relay/stream/connection_table.h"

#include <gtest/gtest.h>

#include <vector>

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};

Connection empty() { return Connection::leg(UniqueFd{}, {}, nullptr, start); }

TEST(ConnectionTable, ANameOfTheDeadMeansNobody) {
  ConnectionTable table{2};
  const ConnectionId first = table.add(empty());
  table.make_runnable(first);
  table.watch(first, start);
  table.remove(first);
  EXPECT_EQ(table.find(first), nullptr);
  const ConnectionId second = table.add(empty());
  EXPECT_EQ(second.index, first.index);  // the place is used again
  EXPECT_NE(second, first);
  EXPECT_EQ(table.find(first), nullptr);
  EXPECT_EQ(table.next_runnable(), std::nullopt);
  table.take_due(start + 1min, [](ConnectionId) { FAIL() << "its timer has outlived it"; });
  EXPECT_EQ(table.size(), 1U);
}

TEST(ConnectionTable, FullAtItsCapacity) {
  ConnectionTable table{2};
  const ConnectionId first = table.add(empty());
  table.add(empty());
  EXPECT_TRUE(table.full());
  table.remove(first);
  EXPECT_FALSE(table.full());
  table.remove(first);  // twice is once
  EXPECT_EQ(table.size(), 1U);
}

TEST(ConnectionTable, TurnsGoRound) {
  ConnectionTable table{3};
  const std::vector ids{table.add(empty()), table.add(empty()), table.add(empty())};
  for (const ConnectionId id : ids) table.make_runnable(id);
  table.make_runnable(ids[0]);  // in the queue already
  for (const ConnectionId id : ids) EXPECT_EQ(table.next_runnable(), id);
  EXPECT_EQ(table.next_runnable(), std::nullopt);
  table.make_runnable(ids[1]);
  EXPECT_EQ(table.next_runnable(), ids[1]);
}

TEST(ConnectionTable, WhoIsSetApartIsPassedOver) {
  ConnectionTable table{3};
  const ConnectionId first = table.add(empty()), second = table.add(empty());
  table.set_apart(first);
  table.make_runnable(first);
  table.make_runnable(second);
  EXPECT_EQ(table.next_runnable(), second);
  EXPECT_EQ(table.next_runnable(), std::nullopt);
  EXPECT_TRUE(table.has_apart());
  table.take_all_back();
  EXPECT_FALSE(table.has_apart());
  EXPECT_EQ(table.next_runnable(), first);
  EXPECT_EQ(table.next_runnable(), std::nullopt);
}

TEST(ConnectionTable, WhoComesAfterOneThatWasSetApartIsNot) {
  ConnectionTable table{1};
  const ConnectionId first = table.add(empty());
  table.set_apart(first);
  table.remove(first);
  const ConnectionId second = table.add(empty());
  table.make_runnable(second);
  EXPECT_EQ(table.next_runnable(), second);
  table.take_all_back();
  EXPECT_EQ(table.next_runnable(), std::nullopt);
}

TEST(ConnectionTable, NamesWhoeverIsDueAndNotLater) {
  ConnectionTable table{2};
  const ConnectionId soon = table.add(empty()), late = table.add(empty());
  table.watch(late, start + 1h);
  table.watch(soon, start + 1h);
  table.watch(soon, start + 10s);  // nearer: counts
  table.watch(soon, start + 2h);   // further away: looked at early all the same
  std::vector<ConnectionId> due;
  const auto note = [&](ConnectionId id) { due.push_back(id); };
  table.take_due(start + 9s, note);
  EXPECT_TRUE(due.empty());
  table.take_due(start + 11s, note);
  EXPECT_EQ(due, std::vector{soon});
}

TEST(ConnectionTable, AnotherCapacityKeepsWhoIsThere) {
  ConnectionTable table{2};
  const ConnectionId first = table.add(empty());
  table.add(empty());
  table.watch(first, start + 10s);
  table.set_capacity(1);
  EXPECT_TRUE(table.full());
  EXPECT_NE(table.find(first), nullptr);
  table.set_capacity(100);
  for (int i = 0; i < 98; ++i) table.watch(table.add(empty()), start + 1h);
  EXPECT_TRUE(table.full());
  std::vector<ConnectionId> due;
  table.take_due(start + 11s, [&](ConnectionId id) { due.push_back(id); });
  EXPECT_EQ(due, std::vector{first});
}

}  // namespace
}  // namespace tw::relay
