#include "relay/sockets/event_queue.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <vector>

namespace tw::relay {
namespace {

using Source = EventQueue::Source;

UniqueFd ringing() { return UniqueFd{::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)}; }

class EventQueueTest : public testing::Test {
 protected:
  std::vector<EventQueue::Event> take() {
    std::vector<EventQueue::Event> taken;
    queue.take([&](const EventQueue::Event& event) { taken.push_back(event); });
    return taken;
  }
  EventQueue queue = EventQueue::open().value();
};

TEST_F(EventQueueTest, NamesTheConnectionAndItsSide) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()), 0);
  const UniqueFd front{pair[0]}, back{pair[1]};
  const ConnectionId last{0xffff'fffe, 0x7fff'ffff};  // the greatest that there are
  ASSERT_TRUE(queue.watch_connection(front.get(), {0, 1}, Side::front));
  ASSERT_TRUE(queue.watch_connection(back.get(), last, Side::back));
  const auto events = take();
  ASSERT_EQ(events.size(), 2U);
  for (const EventQueue::Event& event : events) {
    EXPECT_EQ(event.source, Source::connection);
    EXPECT_EQ(event.id, event.side == Side::front ? (ConnectionId{0, 1}) : last);
    EXPECT_NE(event.epoll_events & EPOLLOUT, 0U);
  }
  EXPECT_NE(events[0].side, events[1].side);
  EXPECT_TRUE(take().empty()) << "edge-triggered";
}

TEST_F(EventQueueTest, ADeafSideReportsWhatHasComeWhenItListensAgain) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()), 0);
  const UniqueFd ours{pair[0]};
  UniqueFd theirs{pair[1]};
  const ConnectionId id{4, 2};
  ASSERT_TRUE(queue.watch_connection(ours.get(), id, Side::back));
  queue.set_deaf(ours.get(), id, Side::back, true);
  static_cast<void>(take());  // that it has room
  ASSERT_EQ(::send(theirs.get(), "x", 1, 0), 1);
  EXPECT_TRUE(take().empty());
  queue.set_deaf(ours.get(), id, Side::back, false);
  auto events = take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].id, id);
  EXPECT_EQ(events[0].side, Side::back);
  EXPECT_NE(events[0].epoll_events & EPOLLIN, 0U);

  queue.set_deaf(ours.get(), id, Side::back, true);
  static_cast<void>(take());
  theirs.reset();
  events = take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_NE(events[0].epoll_events & EPOLLRDHUP, 0U) << "an end is no byte that may wait";
}

TEST_F(EventQueueTest, TellsDoorsPoolsAndSynsApart) {
  const UniqueFd door = ringing(), pool = ringing(), syns = ringing();
  ASSERT_TRUE(queue.watch_door(door.get(), 7));
  auto events = take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].source, Source::door);
  EXPECT_EQ(events[0].door, 7U);
  ASSERT_TRUE(queue.watch_legs(pool.get()));
  events = take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].source, Source::legs);
  ASSERT_TRUE(queue.watch_syns(syns.get()));
  events = take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].source, Source::syns);
}

TEST_F(EventQueueTest, ADoorThatGetsAnotherNumberIsReportedByIt) {
  const UniqueFd door = ringing();
  ASSERT_TRUE(queue.watch_door(door.get(), 3));
  EXPECT_EQ(take().size(), 1U);
  ASSERT_TRUE(queue.watch_door(door.get(), 0));
  const auto events = take();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].source, Source::door);
  EXPECT_EQ(events[0].door, 0U);
}

TEST_F(EventQueueTest, WhatIsForgottenOrNoDescriptorIsNotReported) {
  const UniqueFd syns = ringing();
  ASSERT_TRUE(queue.watch_syns(syns.get()));
  queue.forget(syns.get());
  EXPECT_TRUE(take().empty());
  EXPECT_FALSE(queue.watch_legs(-1));
}

}  // namespace
}  // namespace tw::relay
