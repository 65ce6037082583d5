#include "host/run/supervised_run.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <set>
#include <system_error>

#include "host/run/family.h"
#include "host/run/spin_guard.h"
#include "host/settings/thread_policy.h"

namespace tw::host {
namespace {

constexpr int exit_not_started = 125, exit_not_runnable = 126, exit_not_found = 127;
constexpr int exit_by_signal = 128;
constexpr long look_every_ns = 20'000'000;
constexpr std::array passed_on{SIGTERM, SIGHUP,  SIGINT,   SIGQUIT,
                               SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

sigset_t waited_for() {
  sigset_t signals{};
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGCHLD);
  for (const int number : passed_on) ::sigaddset(&signals, number);
  return signals;
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void say(const std::string& text) { fmt::print(stderr, "thalweg host run: {}\n", text); }

[[noreturn]] void become(const std::vector<std::string>& command, const RunPlace& place,
                         pid_t supervisor, const sigset_t& mask) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != supervisor) ::_exit(exit_not_started);  // it has died already
  const ThreadPolicy policy{
      .scheduling = ThreadPolicy::Class::fifo, .priority = place.priority, .cpus = place.cpus};
  if (const auto written = write_policy(0, policy); !written) {
    say(written.error().text() +
        (written.error().os_errno == EPERM
             ? " (needs root or CAP_SYS_NICE, and a cgroup that allows real-time threads)"
             : ""));
    ::_exit(exit_not_started);
  }
  std::signal(SIGPIPE, SIG_DFL);  // ignored by this program, not by others
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  const int failure = errno;
  // Not to be delayed by what it was to have a priority for.
  say(fmt::format("{}: {}", command[0], std::generic_category().message(failure)));
  ::_exit(failure == ENOENT ? exit_not_found : exit_not_runnable);
}

class Supervisor {
 public:
  Supervisor(pid_t child, RunPlace place) : child_(child), place_(std::move(place)) {}
  int watch(const sigset_t& signals);

 private:
  std::optional<int> reap();
  void look();
  void set_class(ThreadPolicy::Class scheduling, pid_t thread) const;
  void demote_all();
  void promote_demoted();

  pid_t child_;
  RunPlace place_;
  SpinGuard guard_;
  std::set<pid_t> demoted_;
};

/// Returns the program's status once it has ended.
std::optional<int> Supervisor::reap() {
  std::optional<int> ended;
  int status = 0;
  for (pid_t one = 0; (one = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (one != child_) continue;  // an orphan of the program's
    ended = WIFSIGNALED(status) ? exit_by_signal + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return ended;
}

void Supervisor::set_class(ThreadPolicy::Class scheduling, pid_t thread) const {
  const bool real_time = scheduling == ThreadPolicy::Class::fifo;
  const sched_param parameters{.sched_priority = real_time ? place_.priority : 0};
  // It may have ended meanwhile.
  static_cast<void>(
      ::sched_setscheduler(thread, real_time ? SCHED_FIFO : SCHED_OTHER, &parameters));
}

void Supervisor::demote_all() {
  for (const pid_t process : family_of(::getpid())) {
    if (process == ::getpid()) continue;
    for (const pid_t thread : threads_of(process)) {
      if (::sched_getscheduler(thread) != SCHED_FIFO) continue;
      set_class(ThreadPolicy::Class::other, thread);
      demoted_.insert(thread);
    }
  }
}

void Supervisor::promote_demoted() {
  for (const pid_t process : family_of(::getpid())) {
    for (const pid_t thread : threads_of(process)) {
      if (demoted_.contains(thread)) set_class(ThreadPolicy::Class::fifo, thread);
    }
  }
  demoted_.clear();
}

void Supervisor::look() {
  std::int64_t used = 0;
  for (const pid_t process : family_of(::getpid())) used += used_ms(process);
  switch (guard_.look(now_ms(), used, static_cast<std::int64_t>(place_.cpus.size()))) {
    case SpinGuard::Verdict::none:
      return;
    case SpinGuard::Verdict::demote:
      if (demoted_.empty()) {
        say("the program does not wait, and would keep packets from being received: it loses its "
            "priority until it does");
      }
      demote_all();
      return;
    case SpinGuard::Verdict::promote:
      promote_demoted();
      say("the program waits again, and has its priority back");
      return;
  }
}

int Supervisor::watch(const sigset_t& signals) {
  const timespec tick{.tv_sec = 0, .tv_nsec = look_every_ns};
  for (;;) {
    siginfo_t info{};
    const int number = ::sigtimedwait(&signals, &info, &tick);
    // The kernel's come from a terminal, which sends them to the program itself.
    if (number > 0 && number != SIGCHLD && info.si_code != SI_KERNEL) ::kill(child_, number);
    if (const auto ended = reap()) {
      demote_all();
      return *ended;
    }
    look();
  }
}

/// Off the program's CPUs where there are others, and above it in any case.
Result<void> place_supervisor(const RunPlace& place) {
  auto policy = read_policy(0);
  if (!policy) return std::unexpected(policy.error());
  auto others = policy->cpus;
  std::erase_if(others, [&place](std::uint32_t cpu) {
    return std::ranges::find(place.cpus, cpu) != place.cpus.end();
  });
  if (!others.empty()) policy->cpus = others;
  policy->scheduling = ThreadPolicy::Class::fifo;
  policy->priority = place.priority + 1;
  auto written = write_policy(0, *policy);
  if (!written && written.error().os_errno == EPERM) {
    return make_error(Error::Kind::unavailable,
                      "a real-time priority needs root or CAP_SYS_NICE, and a cgroup that allows "
                      "real-time threads");
  }
  return written;
}

}  // namespace

Result<int> run_supervised(const std::vector<std::string>& command, const RunPlace& place) {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return system_error("become a subreaper");
  if (auto placed = place_supervisor(place); !placed) return std::unexpected(placed.error());
  const sigset_t signals = waited_for();
  sigset_t before{};
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t self = ::getpid();
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return system_error("start a process");
  if (child == 0) become(command, place, self, before);
  return Supervisor{child, place}.watch(signals);
}

}  // namespace tw::host
