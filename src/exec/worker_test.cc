#include "exec/worker.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "base/spsc_ring.h"
#include "base/unique_fd.h"

namespace tw {
namespace {

using Mode = GovernorSettings::Mode;

std::unique_ptr<Worker> make_worker(const Clock& clock, GovernorSettings governor = {},
                                    std::size_t mailbox = 1024) {
  auto worker = Worker::create(
      {.name = "test", .governor = governor, .budget = 4, .mailbox_capacity = mailbox}, clock);
  EXPECT_TRUE(worker.has_value());
  return std::move(*worker);
}

struct RingPoller final : Poller {
  Work poll(Instant, std::size_t budget) noexcept override {
    std::size_t handled = 0;
    for (int value = 0; handled < budget && ring.pop(value); ++handled) {
      if (++count == expected) done.count_down();
    }
    return Work::counted(handled, budget);
  }
  Instant next_deadline() const noexcept override { return Instant::max(); }
  bool arm() noexcept override { return ring.empty(); }

  explicit RingPoller(int expected_given) : expected(expected_given) {}
  SpscRing<int> ring{64};
  const int expected;
  int count = 0;
  std::latch done{1};
};

// The race that loses wake-ups: the worker parks in the very moment in which something is
// published.
void publish_and_wake(GovernorSettings governor) {
  const SystemClock clock;
  const auto worker = make_worker(clock, governor);
  RingPoller poller{5000};
  worker->attach(poller);
  ASSERT_TRUE(worker->start());
  for (int i = 0; i < poller.expected; ++i) {
    while (!poller.ring.push(int{i})) std::this_thread::yield();
    worker->wake();
    if (i % 3 == 0) std::this_thread::yield();  // lets it park, so that the next one must wake it
  }
  poller.done.wait();  // a lost wake-up hangs here
  worker->stop();
}

TEST(Worker, LosesNoWakeUpWhileParking) { publish_and_wake({}); }
TEST(Worker, LosesNoWakeUpWhileSpinning) {
  publish_and_wake({.mode = Mode::adaptive, .spin = 20us});
}

TEST(Worker, RunsMessagesInOrderOnItsOwnNamedThread) {
  const SystemClock clock;
  const auto worker = make_worker(clock);
  ASSERT_TRUE(worker->start());
  std::vector<int> ran;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(worker->post([&ran, i]() noexcept { ran.push_back(i); }));
  }
  std::array<char, 16> name{};
  std::thread::id thread;
  int slack = 0;
  ASSERT_TRUE(worker->call([&]() noexcept {
    pthread_getname_np(pthread_self(), name.data(), name.size());
    thread = std::this_thread::get_id();
    slack = ::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
  }));
  EXPECT_EQ(ran.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(ran));
  EXPECT_STREQ(name.data(), "test");
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_EQ(slack, 1000);
}

TEST(Worker, ReadableDescriptorWakesItsPollerOnly) {
  struct FdPoller final : Poller {
    Work poll(Instant, std::size_t) noexcept override {
      std::uint64_t value = 0;
      if (::read(fds[0], &value, sizeof value) < 0) return {};
      came.count_down();
      return {.packets = 1};
    }
    Instant next_deadline() const noexcept override { return Instant::max(); }
    std::span<const int> wait_fds() const noexcept override { return fds; }
    const UniqueFd fd{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    const std::array<int, 1> fds{fd.get()};
    std::latch came{1};
  };
  const SystemClock clock;
  const auto worker = make_worker(clock);
  FdPoller first, second;
  ASSERT_TRUE(worker->start());
  ASSERT_TRUE(worker->call([&]() noexcept {
    worker->attach(first);
    worker->attach(second);
  }));
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(first.fd.get(), &one, sizeof one), 8);
  first.came.wait();
  EXPECT_FALSE(second.came.try_wait());
  ASSERT_TRUE(worker->call([&]() noexcept {
    worker->detach(first);
    worker->detach(second);
  }));
  ASSERT_EQ(::write(second.fd.get(), &one, sizeof one), 8);
  ASSERT_TRUE(worker->call([]() noexcept {}));
  EXPECT_FALSE(second.came.try_wait());
}

// Has a descriptor that is always ready, and is polled twice.
struct CoalescingPoller final : Poller {
  explicit CoalescingPoller(Duration pause_given) : pause(pause_given) {}
  Work poll(Instant now, std::size_t) noexcept override {
    if (++polls == 1) until = now + pause;
    if (polls == 2) {
      heard_early = now < until;
      until = {};
      again.count_down();
    }
    return {};
  }
  Instant next_deadline() const noexcept override { return Instant::max(); }
  std::span<const int> wait_fds() const noexcept override { return fds; }
  Instant coalescing_until() const noexcept override { return until; }
  const Duration pause;
  const UniqueFd fd{::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)};
  const std::array<int, 1> fds{fd.get()};
  Instant until{};
  int polls = 0;
  bool heard_early = false;
  std::latch again{1};
};

TEST(Worker, ListensToNobodyWhileWorkIsToGather) {
  const SystemClock clock;
  for (const Mode mode : {Mode::interrupt, Mode::adaptive}) {
    const auto worker = make_worker(clock, {.mode = mode});
    CoalescingPoller poller{5ms};
    worker->attach(poller);
    ASSERT_TRUE(worker->start());
    poller.again.wait();
    worker->stop();
    EXPECT_FALSE(poller.heard_early);
  }
}

TEST(Worker, ListensWhileAnotherPollerWants) {
  const SystemClock clock;
  const auto worker = make_worker(clock);
  CoalescingPoller poller{1h};
  RingPoller other{1};
  worker->attach(poller);
  worker->attach(other);
  ASSERT_TRUE(worker->start());
  poller.again.wait();
  worker->stop();
  EXPECT_TRUE(poller.heard_early);
}

TEST(Worker, DeadlineIsReachedWithoutAnyDescriptor) {
  struct TimerPoller final : Poller {
    Work poll(Instant now, std::size_t) noexcept override {
      if (now < deadline) return {};
      late = now - deadline;
      deadline = Instant::max();
      fired.count_down();
      return {.packets = 1};
    }
    Instant next_deadline() const noexcept override { return deadline; }
    Instant deadline{};
    Duration late{-1};
    std::latch fired{1};
  };
  const SystemClock clock;
  for (const GovernorSettings governor :
       {GovernorSettings{}, GovernorSettings{.before_deadline = 100us}}) {
    const auto worker = make_worker(clock, governor);
    TimerPoller poller;
    poller.deadline = clock.now() + 2ms;
    worker->attach(poller);
    ASSERT_TRUE(worker->start());
    poller.fired.wait();
    worker->stop();
    EXPECT_GE(poller.late, Duration::zero());
    EXPECT_EQ(poller.next_deadline(), Instant::max());
  }
}

// A poller that always has work must not keep messages waiting.
TEST(Worker, MessagesGetThroughBesideABusyPoller) {
  struct EndlessPoller final : Poller {
    Work poll(Instant, std::size_t budget) noexcept override {
      return Work::counted(budget, budget);
    }
    Instant next_deadline() const noexcept override { return Instant::max(); }
  };
  const SystemClock clock;
  const auto worker = make_worker(clock);
  EndlessPoller poller;
  worker->attach(poller);
  ASSERT_TRUE(worker->start());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(worker->call([]() noexcept {}));
  ASSERT_TRUE(worker->call([&]() noexcept { worker->detach(poller); }));
}

TEST(Worker, StopRunsWhatItAcceptedAndRefusesTheRest) {
  const SystemClock clock;
  const auto worker = make_worker(clock);
  int ran = 0;
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(worker->post([&ran]() noexcept { ++ran; }));
  EXPECT_FALSE(worker->call([]() noexcept {}));  // not running yet: it would wait for ever
  ASSERT_TRUE(worker->start());
  worker->stop();
  EXPECT_EQ(ran, 200);
  EXPECT_FALSE(worker->post([]() noexcept {}));
  EXPECT_FALSE(worker->call([]() noexcept {}));
}

TEST(Worker, FullMailboxIsToldToThePoster) {
  const SystemClock clock;
  const auto worker = make_worker(clock, {}, 2);
  EXPECT_TRUE(worker->post([]() noexcept {}));
  EXPECT_TRUE(worker->post([]() noexcept {}));
  EXPECT_FALSE(worker->post([]() noexcept {}));
}

TEST(Worker, RefusesAnImpossibleCpuPriorityOrName) {
  const SystemClock clock;
  EXPECT_FALSE(Worker::create({.name = "a name of 16 byt"}, clock));
  for (const WorkerSettings& settings :
       {WorkerSettings{.cpu = CPU_SETSIZE - 1}, WorkerSettings{.cpu = CPU_SETSIZE + 5},
        WorkerSettings{.fifo_priority = 1000}}) {
    auto worker = Worker::create(settings, clock);
    ASSERT_TRUE(worker);
    const auto started = (*worker)->start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().os_errno, EINVAL);
  }
}

}  // namespace
}  // namespace tw
