#include "lab/probe/thread_cpu.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace tw::lab {
namespace {

constexpr int highest_priority = -20;

Duration duration_of(const timeval& time) noexcept {
  return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
}

}  // namespace

CpuTime thread_cpu() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return {duration_of(usage.ru_utime), duration_of(usage.ru_stime)};
}

void raise_priority() noexcept {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), highest_priority);
}

void sharpen_timers() noexcept { ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }

}  // namespace tw::lab
