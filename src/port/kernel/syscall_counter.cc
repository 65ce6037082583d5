#include "port/kernel/syscall_counter.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <string_view>

#include "port/kernel/bpf_object.h"

namespace tw {

std::span<const unsigned char> count_syscalls_object() noexcept;  // made by cmake/bpf.cmake

namespace {

constexpr std::string_view what = "the eBPF program that counts system calls";

UniqueFd open_process(pid_t process) noexcept {
  return UniqueFd{static_cast<int>(::syscall(SYS_pidfd_open, process, 0U))};
}

}  // namespace

Result<SyscallCounter> SyscallCounter::start() {
  const Result<BpfObject> object = BpfObject::load(count_syscalls_object(), what);
  if (!object) return std::unexpected(object.error());
  Result<UniqueFd> calls = object->map("calls");
  if (!calls) return std::unexpected(calls.error());
  const Result<UniqueFd> program = object->program("count_call");
  if (!program) return std::unexpected(program.error());
  // The program itself says which tracepoint it is for.
  UniqueFd link{::bpf_raw_tracepoint_open(nullptr, program->get())};
  if (!link) return system_error(fmt::format("attach {}", what));
  return SyscallCounter{std::move(*calls), std::move(link)};
}

Result<void> SyscallCounter::watch(pid_t process) {
  const UniqueFd owner = open_process(process);
  const int key = owner.get();
  const std::uint64_t none = 0;
  if (!owner ||
      (::bpf_map_update_elem(calls_.get(), &key, &none, BPF_NOEXIST) != 0 && errno != EEXIST)) {
    return system_error(fmt::format("count the system calls of process {}", process));
  }
  return {};
}

std::optional<std::uint64_t> SyscallCounter::calls_of(pid_t process) const noexcept {
  const UniqueFd owner = open_process(process);
  const int key = owner.get();
  std::uint64_t count = 0;
  if (!owner || ::bpf_map_lookup_elem(calls_.get(), &key, &count) != 0) return {};
  return count;
}

}  // namespace tw
