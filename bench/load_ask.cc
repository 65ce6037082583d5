#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/latency_histogram.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "exchange.h"
#include "limit.h"
#include "load.h"
#include "percentiles.h"

namespace tw::bench {
namespace {

constexpr std::size_t most_parallel = 10'000;
constexpr Duration warmup = 200ms;  // connections that begin in it count for nothing but `all`
constexpr Duration patience = 1s;   // one that takes longer when the loop ends has failed
constexpr std::size_t failures_at_most = 1000;

std::string fail(const char* what) {
  std::perror(what);
  return "";
}

std::string reason(int error) {
  std::array<char, 128> text{};
  return error == 0 ? "closed too early" : ::strerror_r(error, text.data(), text.size());
}

class Loop {
 public:
  Loop(const sockaddr_in& target, int epoll, std::size_t parallel)
      : target_(target), epoll_(epoll), slots_(parallel) {}

  /// False if epoll has failed, or most connections do.
  bool run(Duration duration) {
    const Instant begin = clock_.now();
    from_ = begin + warmup;
    end_ = from_ + duration;
    for (std::size_t at = 0; at < slots_.size(); ++at) start(at);
    std::array<epoll_event, 256> events;
    while (clock_.now() < end_ && failed_ < failures_at_most) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - clock_.now());
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                     std::max(0, static_cast<int>(left.count())));
      if (count < 0 && errno != EINTR) return false;
      for (int i = 0; i < count; ++i) advance(events[static_cast<std::size_t>(i)].data.u64);
    }
    for (const Slot& slot : slots_) {
      if (!slot.is_answered && end_ - slot.begun > patience) note_failure(ETIMEDOUT);
    }
    return failed_ < failures_at_most;
  }

  std::string report(Duration duration, double cpu_ns) const {
    const double seconds = static_cast<double>(duration.count()) / 1e9;
    return fmt::format(
        R"({{"all": {}, "measured": {}, "failed": {}, "error": "{}", "seconds": {:.3f}, )"
        R"("per_second": {:.1f}, "cpu_s": {:.4f}, "latency_us": {}, "connect_us": {}}})",
        all_, answered_.count(), failed_, error_, seconds,
        static_cast<double>(answered_.count()) / seconds, cpu_ns / 1e9, percentiles(answered_),
        percentiles(connected_));
  }
  const std::string& error() const noexcept { return error_; }

 private:
  struct Slot {
    Exchange exchange;
    Instant begun;
    bool is_connected = false, is_answered = false;
  };

  void start(std::size_t at) {
    Slot& slot = slots_[at];
    slot.is_connected = slot.is_answered = false;
    slot.begun = clock_.now();
    while (!slot.exchange.open(target_, epoll_, at, Request{})) {
      note_failure(errno);
      if (failed_ >= failures_at_most) return;
    }
  }

  void advance(std::size_t at) {
    Slot& slot = slots_[at];
    while (slot.exchange.is_open()) {
      const Instant now = clock_.now();  // the call below may run the other end's part as well
      const Exchange::Step step = slot.exchange.advance();
      if (!slot.is_connected && slot.exchange.is_asked()) {
        slot.is_connected = true;
        record(connected_, slot, now);
      }
      if (step == Exchange::Step::waiting) return;
      if (step == Exchange::Step::answered) {
        slot.is_answered = true;
        ++all_;
        record(answered_, slot, clock_.now());
        continue;
      }
      if (step == Exchange::Step::failed) {
        note_failure(errno);
        if (failed_ >= failures_at_most) return;
      }
      slot.exchange.close();
    }
    start(at);
  }

  void record(LatencyHistogram& histogram, const Slot& slot, Instant now) {
    if (slot.begun >= from_) histogram.record(now - slot.begun);
  }

  void note_failure(int error) {
    if (failed_++ == 0) error_ = reason(error);
  }

  sockaddr_in target_;
  int epoll_;
  std::vector<Slot> slots_;
  SystemClock clock_;
  Instant from_, end_;
  LatencyHistogram answered_, connected_;
  std::size_t all_ = 0, failed_ = 0;
  std::string error_;
};

}  // namespace

std::string ask_in_a_loop(const std::string& address, const std::string& port,
                          const std::string& seconds, const std::string& parallel) {
  raise_file_limit();
  const auto target = parse_target(address, port);
  const auto slots = parse_count(parallel, most_parallel);
  const auto duration = parse_seconds(seconds);
  errno = EINVAL;
  if (!target || !slots || !duration) return fail("loop");
  const UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  if (!epoll) return fail("epoll");
  Loop loop{*target, epoll.get(), *slots};
  const double begin_ns = thread_ns();
  if (!loop.run(*duration)) {
    fmt::print(stderr, "bench_load: connections fail: {}\n", loop.error());
    return "";
  }
  return loop.report(*duration, thread_ns() - begin_ns);
}

std::string ask_once(const std::string& address, const std::string& port) {
  const auto target = parse_target(address, port);
  errno = EINVAL;
  const UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  Exchange exchange;
  if (!target || !exchange.open(*target, epoll.get(), 0, Request{})) return fail("connect");
  constexpr int patience_ms = 2000;
  while (true) {
    epoll_event event{};
    if (::epoll_wait(epoll.get(), &event, 1, patience_ms) != 1) {
      std::fputs("bench_load: no answer\n", stderr);
      return "";
    }
    const Exchange::Step step = exchange.advance();
    if (step == Exchange::Step::failed) return fail("ask");
    if (step != Exchange::Step::waiting) return exchange.seen_as();
  }
}

}  // namespace tw::bench
