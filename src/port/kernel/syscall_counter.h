// Counts the system calls of other processes: a program in the kernel (bpf/) counts those of the
// processes that are watched, where they enter it. It is for measurements: while there is one,
// every system call of the machine takes some tens of nanoseconds longer.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tw {

class SyscallCounter {
 public:
  /// The kernel counts until this is gone. Fails without CAP_BPF and CAP_PERFMON, or if the kernel
  /// has no BTF of itself or no tracepoint `sys_enter`.
  static Result<SyscallCounter> start();

  /// From now on all threads of this process count, those that it makes later too; not the
  /// processes. Again: as it is. Fails if there is none.
  Result<void> watch(pid_t process);

  /// Since watch(), of all threads, the ended ones too. What the vDSO answers is no system call,
  /// and what io_uring does for a process has no call of its own. Nothing if the process has ended,
  /// or is not watched. Two system calls and a half microsecond.
  std::optional<std::uint64_t> calls_of(pid_t process) const noexcept;

 private:
  SyscallCounter(UniqueFd calls, UniqueFd link) noexcept
      : calls_(std::move(calls)), link_(std::move(link)) {}
  UniqueFd calls_, link_;
};

}  // namespace tw
