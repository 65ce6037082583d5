// The cost of waking a thread that sleeps on another CPU, and how soon a spinning one notices.
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include "base/time.h"
#include "base/unique_fd.h"
#include "limit.h"

namespace tw::bench {
namespace {

constexpr std::size_t rounds = 2001;

std::int64_t now_ns() {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

double median(std::array<double, rounds>& values) {
  std::nth_element(values.begin(), values.begin() + rounds / 2, values.end());
  return values[rounds / 2];
}

/// The other thread: each time it is told, it says when it noticed.
struct Sleeper {
  UniqueFd wake_event{::eventfd(0, EFD_CLOEXEC)};
  std::atomic<std::uint64_t> told{0};
  std::atomic<std::int64_t> noticed_ns{0};
  std::atomic<bool> pinned{true};

  void run(int cpu, bool spins) {
    pinned = pin(cpu);
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      if (spins) {
        while (told.load(std::memory_order_acquire) < round) {
        }
      } else {
        pollfd wait{wake_event.get(), POLLIN, 0};
        std::uint64_t count = 0;
        TW_ASSERT(::poll(&wait, 1, -1) == 1);
        TW_ASSERT(::read(wake_event.get(), &count, sizeof count) == sizeof count);
      }
      noticed_ns.store(now_ns(), std::memory_order_release);
    }
  }
};

struct Wake {
  double latency_us = 0, waker_us = 0;
  bool pinned = false;
};

Wake measure(int waker_cpu, int sleeper_cpu, bool spins) {
  Sleeper sleeper;
  std::thread thread{[&] { sleeper.run(sleeper_cpu, spins); }};
  const bool pinned = pin(waker_cpu);
  static std::array<double, rounds> latency, waker;
  for (std::size_t round = 0; round < rounds; ++round) {
    // Long enough for it to be asleep; other rounds may find it late, which the median leaves out.
    const std::int64_t rest_until = now_ns() + 200'000;
    while (now_ns() < rest_until) {
      if (sleeper_cpu == waker_cpu) ::sched_yield();
    }
    sleeper.noticed_ns = 0;
    const std::int64_t begin = now_ns();
    sleeper.told.fetch_add(1, std::memory_order_release);
    const std::uint64_t one = 1;
    if (!spins) TW_ASSERT(::write(sleeper.wake_event.get(), &one, sizeof one) == sizeof one);
    const std::int64_t told = now_ns();
    while (sleeper.noticed_ns.load(std::memory_order_acquire) == 0) {
      if (sleeper_cpu == waker_cpu) ::sched_yield();
    }
    latency[round] = static_cast<double>(sleeper.noticed_ns - begin) / 1e3;
    waker[round] = static_cast<double>(told - begin) / 1e3;
  }
  thread.join();
  return {median(latency), median(waker), pinned && sleeper.pinned};
}

}  // namespace

std::string wake_limits() {
  const Wake other = measure(0, 1, false), same = measure(0, 0, false), spin = measure(0, 1, true);
  return fmt::format(
      R"({{"other_cpu_us": {:.2f}, "other_cpu_waker_us": {:.2f}, "same_cpu_us": {:.2f}, )"
      R"("spinning_us": {:.2f}, "pinned": {}}})",
      other.latency_us, other.waker_us, same.latency_us, spin.latency_us,
      other.pinned && same.pinned && spin.pinned);
}

}  // namespace tw::bench
