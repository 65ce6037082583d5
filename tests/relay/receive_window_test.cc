// Windows of real connections on loopback. What a held one takes depends on the kernel's
// bookkeeping: the bounds are those that others rely on. Opening needs CAP_NET_ADMIN, and skips
// without root.
#include "relay/stream/receive_window.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "relay/sockets/sockets.h"
#include "relay/sockets/test_loopback.h"
#include "relay/stream/receive_budget.h"
#include "relay/stream/source_window.h"

namespace tw::relay {
namespace {

constexpr std::uint64_t kb = 1024, mb = 1U << 20U;

class ReceiveWindowTest : public testing::TestWithParam<Family> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  // Sends until the other side takes no more.
  static std::uint64_t push(int socket) {
    const std::string piece(64 * kb, 'x');
    std::uint64_t sent = 0;
    for (int quiet = 0; quiet < 20;) {
      const auto count = ::send(socket, piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      quiet = count > 0 ? 0 : quiet + 1;
      sent += count > 0 ? static_cast<std::uint64_t>(count) : 0;
    }
    return sent;
  }
  static LoopbackPair connect_by(Family family) {
    const Endpoint any{
        family == Family::v4 ? IpAddress::v4({127, 0, 0, 1}) : IpAddress::parse("::1").value(), 0,
        0};
    const UniqueFd listener{open_listener({.address = any}).value()};
    UniqueFd ours = open_onward({.target = local_endpoint(listener.get())}).value();
    pollfd ready{.fd = listener.get(), .events = POLLIN, .revents = 0};
    TW_ASSERT(::poll(&ready, 1, 5000) == 1);
    UniqueFd theirs{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    return {std::move(ours), std::move(theirs)};
  }
  LoopbackPair pair = connect_by(GetParam());
};

TEST_P(ReceiveWindowTest, AHeldSourceHoldsLittle) {
  hold_window(pair.ours.get());
  push(pair.theirs.get());
  EXPECT_LE(memory_used(pair.ours.get()), 4 * held_memory) << "one train of loopback's more";
}

TEST_P(ReceiveWindowTest, AnOpenedOneOffersAllAtOnce) {
  hold_window(pair.ours.get());
  open_window(pair.ours.get(), 8 * mb);
  ASSERT_EQ(::send(pair.ours.get(), "x", 1, 0), 1);
  EXPECT_GE(peer_window(pair.theirs.get()), 2 * mb) << "half of it, as far as the scale reaches";
}

TEST_P(ReceiveWindowTest, WhatIsShrunkOffersLittleWithTheNextBytes) {
  open_window(pair.ours.get(), 8 * mb);
  ASSERT_EQ(::send(pair.ours.get(), "x", 1, 0), 1);
  shrink_window(pair.ours.get(), held_memory);
  ASSERT_EQ(::send(pair.ours.get(), "x", 1, 0), 1);
  EXPECT_LE(peer_window(pair.theirs.get()), held_window_most);
  push(pair.theirs.get());
  EXPECT_LE(memory_used(pair.ours.get()), 4 * held_memory);
}

TEST_P(ReceiveWindowTest, MemoryThatWasBoundIsTunedAgainAfterwards) {
  const std::uint32_t before = bound_memory(pair.ours.get(), unclaimed_memory);
  EXPECT_GT(before, unclaimed_memory);
  EXPECT_EQ(memory_of(pair.ours.get()), unclaimed_memory);
  free_memory(pair.ours.get(), before);
  EXPECT_EQ(memory_of(pair.ours.get()), before);
  std::uint64_t moved = 0;
  std::string taken(mb, '\0');
  for (int i = 0; i < 2000 && memory_of(pair.ours.get()) <= before; ++i) {
    moved += push(pair.theirs.get());
    while (::recv(pair.ours.get(), taken.data(), taken.size(), MSG_DONTWAIT) > 0) {
    }
  }
  EXPECT_GT(memory_of(pair.ours.get()), before) << moved << " bytes";
}

// A source with a budget, as a connection uses it.
class SourceWindowTest : public ReceiveWindowTest {
 protected:
  void SetUp() override {
    ReceiveWindowTest::SetUp();
    budget.set_limits(192 * mb, 128 * mb);
  }
  // The source's bytes go on to a reader, as many as `bytes`.
  void drain(SourceWindow& window, std::uint64_t bytes) {
    drained += bytes;
    window.on_taken(drained, now);
  }
  const IpAddress client = IpAddress::v4({10, 0, 0, 1});
  ReceiveBudget budget;
  Instant now{1s};
  std::uint64_t drained = 0;
};

TEST_P(SourceWindowTest, ALegGrowsWithWhatIsDrained) {
  SourceWindow window{budget,      client,     pair.ours.get(), SourceWindow::Kind::leg,
                      held_memory, 128U << 20U};
  EXPECT_TRUE(window.is_resting());
  EXPECT_EQ(budget.state().promised_bytes, 0U);
  window.open();
  EXPECT_EQ(window.memory(), 24 * mb);
  drain(window, 1 * mb);
  EXPECT_EQ(window.memory(), 24 * mb);
  drain(window, 2 * mb);
  EXPECT_EQ(window.memory(), 48 * mb);
  for (int i = 0; i < 20; ++i) drain(window, 40 * mb);
  EXPECT_GT(window.memory(), 110 * mb) << "2 Gbps over 215 ms are 54 MB, and the kernel's books";
  EXPECT_LE(window.memory(), 128 * mb);
  EXPECT_EQ(budget.state().promised_bytes, window.memory());
}

TEST_P(SourceWindowTest, OneThatRestsGivesItBack) {
  SourceWindow window{budget,      client,     pair.ours.get(), SourceWindow::Kind::leg,
                      held_memory, 128U << 20U};
  window.open();
  drain(window, 10);
  ASSERT_EQ(window.deadline(), now + SourceWindow::review_interval);
  now = window.deadline();
  window.review(now);
  now = window.deadline();
  window.review(now);
  EXPECT_TRUE(window.is_resting());
  EXPECT_EQ(budget.state().promised_bytes, 0U);
  EXPECT_EQ(window.deadline(), Instant::max());
  EXPECT_EQ(memory_of(pair.ours.get()), held_memory);
}

TEST_P(SourceWindowTest, AReaderThatStopsKeepsWhatIsThereAndNoMore) {
  SourceWindow window{budget,      client,     pair.ours.get(), SourceWindow::Kind::leg,
                      held_memory, 128U << 20U};
  window.open();
  ASSERT_EQ(::send(pair.ours.get(), "x", 1, 0), 1);
  push(pair.theirs.get());
  const std::uint64_t there = memory_used(pair.ours.get());
  ASSERT_GT(there, mb);
  for (int i = 0; i < 3; ++i) {
    window.on_taken(drained, now);
    now = now + SourceWindow::review_interval;
    window.review(now);
  }
  EXPECT_FALSE(window.is_resting()) << "what comes later does not open it";
  EXPECT_LE(budget.state().promised_bytes, there + mb);
  EXPECT_LE(window.memory(), there + mb);
  const std::uint64_t before = window.memory();
  drain(window, before);
  EXPECT_GT(window.memory(), before) << "it drains again";
}

TEST_P(SourceWindowTest, TheKernelsTuningEndsWhereTheBudgetDoes) {
  budget.set_limits(1 * mb, 1 * mb);
  bound_memory(pair.ours.get(), 4U << 20U);
  {
    SourceWindow window{
        budget, client, pair.ours.get(), SourceWindow::Kind::system, SourceWindow::system_memory,
        0};
    drain(window, 2 * mb);
    EXPECT_LE(memory_of(pair.ours.get()), SourceWindow::system_memory + mb);
    EXPECT_GT(budget.state().promised_bytes, 0U);
    now = window.deadline();
    window.review(now);  // it was used
    now = window.deadline();
    window.review(now);
    EXPECT_EQ(memory_of(pair.ours.get()), SourceWindow::system_memory);
  }
  EXPECT_EQ(budget.state().promised_bytes, 0U);
}

INSTANTIATE_TEST_SUITE_P(Families, ReceiveWindowTest, testing::Values(Family::v4, Family::v6));
INSTANTIATE_TEST_SUITE_P(Families, SourceWindowTest, testing::Values(Family::v4, Family::v6));

}  // namespace
}  // namespace tw::relay
