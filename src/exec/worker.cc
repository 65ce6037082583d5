#include "exec/worker.h"

#include <fmt/core.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

#include "base/assert.h"
#include "exec/epoll_set.h"
#include "exec/mailbox.h"
#include "exec/poller_list.h"

namespace tw {
namespace {

constexpr std::size_t messages_per_turn = 64;  // so that a flood of them cannot stop the packets
constexpr std::size_t thread_name_bytes = 15;
constexpr unsigned long timer_slack_ns = 1000;

// 0, or why the settings cannot be had; the rest shows when the thread is made.
int set_attributes(pthread_attr_t& attributes, const WorkerSettings& settings) noexcept {
  if (settings.cpu >= CPU_SETSIZE) return EINVAL;
  if (settings.cpu >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<unsigned>(settings.cpu), &cpus);
    pthread_attr_setaffinity_np(&attributes, sizeof cpus, &cpus);
  }
  if (settings.fifo_priority == 0) return 0;
  const sched_param priority{.sched_priority = settings.fifo_priority};
  pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
  pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
  return pthread_attr_setschedparam(&attributes, &priority);
}

/// struct sched_attr, version 0: glibc has neither it nor the call (sched_setattr(2)).
struct SchedulerAttributes {
  std::uint32_t size = 48;
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0, deadline = 0, period = 0;
};
static_assert(sizeof(SchedulerAttributes) == 48);

/// Sets the calling thread's share. If the kernel refuses, it is asked without the nice value, and
/// a kernel that knows no slices ignores them: a thread in a worse place still works.
void set_ordinary_share(const WorkerSettings& settings) noexcept {
  if (settings.fifo_priority != 0 || (settings.nice == 0 && settings.slice == Duration::zero())) {
    return;
  }
  SchedulerAttributes attributes;
  attributes.nice = settings.nice;
  attributes.runtime = static_cast<std::uint64_t>(settings.slice.count());
  if (::syscall(SYS_sched_setattr, 0, &attributes, 0U) == 0) return;
  attributes.nice = 0;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0U);
}

}  // namespace

struct Worker::Loop {
  Loop(WorkerSettings settings_given, const Clock& clock_given, EpollSet set)
      : settings(std::move(settings_given)),
        clock(clock_given),
        governor(settings.governor),
        mailbox(settings.mailbox_capacity),
        epoll(std::move(set)) {
    now_ns.store(clock.now().since_origin().count(), std::memory_order_relaxed);
  }

  void run() noexcept;
  std::size_t run_messages(std::size_t limit) noexcept;
  void sleep(Instant now) noexcept;
  void sleep_deaf(Instant until) noexcept;
  void wake() noexcept;

  const WorkerSettings settings;
  const Clock& clock;
  Governor governor;
  Mailbox mailbox;
  EpollSet epoll;
  PollerList pollers;
  ContextCounters counters;
  std::atomic<Duration::rep> now_ns{0};
  // The handshake of sleeper and waker: each writes its own flag, then reads the other's. All four
  // accesses are sequentially consistent, so they cannot both miss.
  alignas(64) std::atomic<bool> woken{false};
  std::atomic<bool> parked{false};
  std::atomic<bool> stopping{false};
  pthread_t thread{};
  std::atomic<bool> running{false};
  bool started = false;
};

std::size_t Worker::Loop::run_messages(std::size_t limit) noexcept {
  std::size_t done = 0;
  Message message;
  for (; done < limit && mailbox.pop(message); ++done) {
    message();
    message = nullptr;  // its captures go now, not at the next message
  }
  return done;
}

void Worker::Loop::run() noexcept {
  while (!stopping.load(std::memory_order_acquire)) {
    // Before the look at the mailbox and the pollers: what is announced later shows up in sleep().
    woken.exchange(false, std::memory_order_seq_cst);
    const Instant now = clock.now();
    now_ns.store(now.since_origin().count(), std::memory_order_relaxed);
    const std::size_t messages = run_messages(messages_per_turn);
    const Work work = pollers.poll_all(now, settings.budget);
    counters.add(messages, work);
    const bool park = governor.may_park(now, messages + work.packets > 0);
    if (work.more || !mailbox.empty()) continue;
    if (const Instant until = pollers.coalescing_until(); until > now && governor.may_coalesce()) {
      sleep_deaf(std::min(until, pollers.next_deadline()));
    } else if (park) {
      sleep(now);
    }
  }
  mailbox.close();
  run_messages(settings.mailbox_capacity);
}

void Worker::Loop::sleep(Instant now) noexcept {
  const Instant until = governor.wake_at(pollers.next_deadline());
  if (until <= now) return;
  parked.store(true, std::memory_order_seq_cst);
  if (pollers.arm_all() && !woken.load(std::memory_order_seq_cst)) {
    epoll.wait(until == Instant::max() ? Duration::max() : until - clock.now());
  }
  parked.store(false, std::memory_order_relaxed);
}

// Not in epoll: there every segment that is to be gathered would end the sleep.
void Worker::Loop::sleep_deaf(Instant until) noexcept {
  std::this_thread::sleep_for(until - clock.now());
}

void Worker::Loop::wake() noexcept {
  // Whoever finds `woken` set leaves the rest to the one that set it.
  if (woken.exchange(true, std::memory_order_seq_cst)) return;
  if (parked.exchange(false, std::memory_order_seq_cst)) epoll.ring();
}

Worker::Worker(std::unique_ptr<Loop> loop) noexcept : loop_(std::move(loop)) {}
Worker::~Worker() { stop(); }

Result<std::unique_ptr<Worker>> Worker::create(WorkerSettings settings, const Clock& clock) {
  if (settings.name.size() > thread_name_bytes) {
    return make_error(Error::Kind::config,
                      "name of a thread longer than 15 bytes: " + settings.name);
  }
  Result<EpollSet> epoll = EpollSet::open();
  if (!epoll) return in_context("worker " + settings.name, epoll.error());
  return std::unique_ptr<Worker>{
      new Worker{std::make_unique<Loop>(std::move(settings), clock, std::move(*epoll))}};
}

Result<void> Worker::start() {
  TW_ASSERT(!loop_->started);
  const WorkerSettings& settings = loop_->settings;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  int failure = set_attributes(attributes, settings);
  if (failure == 0) {
    // The thread inherits the mask: signals belong to the main thread. All but SIGSYS, by which the
    // kernel tells a thread itself of a system call that its process may not make.
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSYS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const auto body = [](void* loop) -> void* {
      const WorkerSettings& own = static_cast<Loop*>(loop)->settings;
      // By itself: from outside it takes a file of /proc, which a confined process may not write.
      ::prctl(PR_SET_NAME, own.name.c_str(), 0, 0, 0);
      ::prctl(PR_SET_TIMERSLACK, timer_slack_ns, 0, 0, 0);
      set_ordinary_share(own);
      static_cast<Loop*>(loop)->run();
      return nullptr;
    };
    loop_->running.store(true, std::memory_order_release);
    failure = pthread_create(&loop_->thread, &attributes, body, loop_.get());
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  pthread_attr_destroy(&attributes);
  if (failure != 0) {
    loop_->running.store(false, std::memory_order_release);
    return system_error(failure, fmt::format("start worker {} (CPU {}, FIFO priority {})",
                                             settings.name, settings.cpu, settings.fifo_priority));
  }
  loop_->started = true;
  return {};
}

void Worker::stop() noexcept {
  if (!loop_->running.exchange(false)) {
    loop_->mailbox.close();
    return;
  }
  loop_->stopping.store(true, std::memory_order_release);
  loop_->wake();
  pthread_join(loop_->thread, nullptr);
}

bool Worker::call(Message&& message) noexcept {
  if (!loop_->running.load(std::memory_order_acquire)) return false;
  struct Done {
    std::mutex mutex;
    std::condition_variable changed;
    bool flag = false;
  } done;
  const bool posted = post([&message, &done]() noexcept {
    message();
    const std::lock_guard lock{done.mutex};  // held while notifying: `done` is gone right after
    done.flag = true;
    done.changed.notify_one();
  });
  if (!posted) return false;
  std::unique_lock lock{done.mutex};
  done.changed.wait(lock, [&done] { return done.flag; });
  return true;
}

ContextId Worker::id() const noexcept { return loop_->settings.id; }
const Clock& Worker::clock() const noexcept { return loop_->clock; }
Instant Worker::now() const noexcept {
  return Instant{Duration{loop_->now_ns.load(std::memory_order_relaxed)}};
}
const ContextCounters& Worker::counters() const noexcept { return loop_->counters; }

void Worker::attach(Poller& poller) {
  loop_->pollers.attach(poller);
  loop_->epoll.add(poller.wait_fds());
}

void Worker::detach(Poller& poller) noexcept {
  loop_->pollers.detach(poller);
  loop_->epoll.remove(poller.wait_fds());
}

bool Worker::post(Message&& message) noexcept {
  if (!loop_->mailbox.push(std::move(message))) return false;
  loop_->wake();
  return true;
}

void Worker::wake() noexcept { loop_->wake(); }

}  // namespace tw
