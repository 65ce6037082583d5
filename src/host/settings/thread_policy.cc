#include "host/settings/thread_policy.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "base/cpu_list.h"

namespace tw::host {
namespace {

struct ClassName {
  std::string_view name;
  int number;
};
// In the order of ThreadPolicy::Class.
constexpr std::array classes{ClassName{"other", SCHED_OTHER}, ClassName{"batch", SCHED_BATCH},
                             ClassName{"idle", SCHED_IDLE}, ClassName{"fifo", SCHED_FIFO},
                             ClassName{"rr", SCHED_RR}};
constexpr int lowest_nice = -20, highest_nice = 19, highest_priority = 99;

using CpuBits = std::array<std::uint64_t, most_cpus / 64>;

bool is_real_time(ThreadPolicy::Class scheduling) noexcept {
  return scheduling == ThreadPolicy::Class::fifo || scheduling == ThreadPolicy::Class::rr;
}

std::string_view take_word(std::string_view& text) {
  const std::size_t space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  return word;
}

std::optional<int> take_number(std::string_view& text, int low, int high) {
  const std::string_view word = take_word(text);
  int number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size()) return {};
  if (number < low || number > high) return {};
  return number;
}

}  // namespace

std::string to_text(const ThreadPolicy& policy) {
  return fmt::format("{} {} nice {} cpus {}",
                     classes.at(static_cast<std::size_t>(policy.scheduling)).name, policy.priority,
                     policy.nice, cpu_list(policy.cpus));
}

std::optional<ThreadPolicy> thread_policy_of(std::string_view text) {
  ThreadPolicy policy;
  const std::string_view name = take_word(text);
  std::size_t i = 0;
  while (i < classes.size() && classes[i].name != name) ++i;
  if (i == classes.size()) return {};
  policy.scheduling = static_cast<ThreadPolicy::Class>(i);
  const bool real_time = is_real_time(policy.scheduling);
  const auto priority = take_number(text, real_time ? 1 : 0, real_time ? highest_priority : 0);
  if (!priority || take_word(text) != "nice") return {};
  const auto nice = take_number(text, lowest_nice, highest_nice);
  if (!nice || take_word(text) != "cpus") return {};
  auto cpus = cpus_of(text);
  if (!cpus || cpus->empty()) return {};
  policy.priority = *priority;
  policy.nice = *nice;
  policy.cpus = std::move(*cpus);
  return policy;
}

Result<ThreadPolicy> read_policy(pid_t thread) {
  const std::string doing = fmt::format("read the scheduling of thread {}", thread);
  const int number = ::sched_getscheduler(thread);
  sched_param parameters{};
  if (number < 0 || ::sched_getparam(thread, &parameters) != 0) return system_error(doing);
  ThreadPolicy policy{.priority = parameters.sched_priority};
  std::size_t i = 0;
  while (i < classes.size() && classes[i].number != (number & ~SCHED_RESET_ON_FORK)) ++i;
  if (i == classes.size()) {
    return make_error(Error::Kind::unavailable, doing + ": a class that Thalweg does not know");
  }
  policy.scheduling = static_cast<ThreadPolicy::Class>(i);
  errno = 0;
  policy.nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread));
  if (errno != 0) return system_error(doing);
  CpuBits bits{};
  if (::sched_getaffinity(thread, sizeof bits, reinterpret_cast<cpu_set_t*>(bits.data())) != 0) {
    return system_error(doing);
  }
  for (std::uint32_t cpu = 0; cpu < most_cpus; ++cpu) {
    if ((bits[cpu / 64] >> (cpu % 64) & 1U) != 0) policy.cpus.push_back(cpu);
  }
  return policy;
}

Result<void> write_policy(pid_t thread, const ThreadPolicy& policy) {
  const std::string doing = fmt::format("give thread {} \"{}\"", thread, to_text(policy));
  CpuBits bits{};
  for (const std::uint32_t cpu : policy.cpus) bits[cpu / 64] |= std::uint64_t{1} << (cpu % 64);
  if (::sched_setaffinity(thread, sizeof bits, reinterpret_cast<const cpu_set_t*>(bits.data())) !=
      0) {
    return system_error(doing);
  }
  const int number = classes.at(static_cast<std::size_t>(policy.scheduling)).number;
  const sched_param parameters{.sched_priority = policy.priority};
  if (::sched_setscheduler(thread, number, &parameters) != 0 ||
      ::setpriority(PRIO_PROCESS, static_cast<id_t>(thread), policy.nice) != 0) {
    return system_error(doing);
  }
  return {};
}

}  // namespace tw::host
