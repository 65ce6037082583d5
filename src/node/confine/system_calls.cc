#include "node/confine/system_calls.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "base/assert.h"
#include "node/confine/call_lists.h"

namespace tw::node {
namespace {

// The leak check at the end stops all threads, as a debugger would, from a process of its own.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool checks_leaks = true;
#elif defined(__has_feature)
constexpr bool checks_leaks = __has_feature(address_sanitizer);
#else
constexpr bool checks_leaks = false;
#endif

// ---- Calls that are on no list

constexpr std::size_t numbers_told = 1024;  // far above the highest number of a call
std::atomic<std::uint64_t> refused_so_far{0};
std::array<std::atomic<bool>, numbers_told> told{};

/// Once a number: safe in a signal handler, so without the log and its locks.
void tell(unsigned number) noexcept {
  if (number >= numbers_told || told[number].exchange(true)) return;
  constexpr std::string_view before = "the sandbox refuses system call ";
  std::array<char, 64> line{};
  std::size_t size = before.copy(line.data(), before.size());
  for (unsigned unit = 1000; unit > 0; unit /= 10) {
    if (number >= unit || unit == 1) line[size++] = static_cast<char>('0' + number / unit % 10);
  }
  line[size++] = '\n';
  if (::write(STDERR_FILENO, line.data(), size) < 0) return;
}

void on_refused(int /*signal*/, siginfo_t* info, void* context) noexcept {
  const int errno_before = errno;
  refused_so_far.fetch_add(1, std::memory_order_relaxed);
  tell(static_cast<unsigned>(info->si_syscall));
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  machine.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
  machine.regs[0] = static_cast<unsigned long long>(-EPERM);
#else
#error "which register holds what a system call returns?"
#endif
  errno = errno_before;
}

// ---- The filter

struct Release {
  void operator()(void* filter) const noexcept { ::seccomp_release(filter); }
};

class Filter {
 public:
  Filter() noexcept : filter_(::seccomp_init(SCMP_ACT_TRAP)) {}
  explicit operator bool() const noexcept { return filter_ != nullptr; }

  /// The name, whatever its arguments. One that this architecture lacks is passed over.
  void add(std::uint32_t action, std::string_view name) noexcept { add(action, name, {}); }
  /// If all comparisons hold.
  void add(std::uint32_t action, std::string_view name,
           std::initializer_list<scmp_arg_cmp> comparisons) noexcept {
    const int number = ::seccomp_syscall_resolve_name(std::string{name}.c_str());
    if (number < 0) return;  // unknown to the library, or to this architecture
    const int failed =
        ::seccomp_rule_add_array(filter_.get(), action, number,
                                 static_cast<unsigned>(comparisons.size()), std::data(comparisons));
    if (failed != 0 && failed_ == 0) failed_ = -failed;
  }

  Result<void> load() noexcept {
    // The search is by halves.
    for (const auto& [attribute, value] :
         {std::pair{SCMP_FLTATR_CTL_OPTIMIZE, 2U}, {SCMP_FLTATR_CTL_NNP, 0U}}) {
      const int failed = ::seccomp_attr_set(filter_.get(), attribute, value);
      if (failed != 0 && failed_ == 0) failed_ = -failed;
    }
    if (failed_ != 0) return system_error(failed_, "make the filter of system calls");
    if (const int failed = ::seccomp_load(filter_.get()); failed != 0) {
      return system_error(-failed, "filter system calls");
    }
    return {};
  }

 private:
  std::unique_ptr<void, Release> filter_;
  int failed_ = 0;
};

/// The low 32 bits of an argument, which is all the kernel looks at where it takes an int.
constexpr scmp_arg_cmp bits(unsigned argument, std::uint64_t mask, std::uint64_t value) noexcept {
  return {argument, SCMP_CMP_MASKED_EQ, mask & 0xffff'ffffU, value};
}
constexpr scmp_arg_cmp is(unsigned argument, std::uint64_t value) noexcept {
  return bits(argument, 0xffff'ffffU, value);
}

constexpr std::uint32_t allow = SCMP_ACT_ALLOW, kill = SCMP_ACT_KILL_PROCESS;

void add_files(Filter& filter) noexcept {
  // O_TRUNC empties a file that is opened for reading, too, and Landlock knows that since
  // Linux 6.2.
  for (const auto& [name, flags] : {std::pair{"open", 1U}, {"openat", 2U}}) {
    filter.add(allow, name, {bits(flags, O_TRUNC, 0)});
    filter.add(allow, name, {bits(flags, O_TRUNC | O_ACCMODE, O_TRUNC | O_WRONLY)});
    filter.add(allow, name, {bits(flags, O_TRUNC | O_ACCMODE, O_TRUNC | O_RDWR)});
  }
  // The C library does without where a kernel is too old for it.
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "openat2");
  // No memory that is written and run. Libraries are loaded as ever, for names are asked of them.
  constexpr std::uint64_t write_and_run = PROT_WRITE | PROT_EXEC;
  for (const char* name : {"mmap", "mprotect"}) {
    filter.add(allow, name, {bits(2, PROT_EXEC, 0)});
    filter.add(allow, name, {bits(2, write_and_run, PROT_EXEC)});
  }
}

void add_devices(Filter& filter) noexcept {
  // Sockets and interfaces; the TUN's own; and of terminals what tells whether one is there:
  // TIOCSTI would type into the shell that has started us.
  constexpr std::uint64_t of_sockets = 0x8900, of_tun_set = 0x4004'5400, of_tun_get = 0x8004'5400;
  for (const std::uint64_t kind : {of_sockets, of_tun_set, of_tun_get}) {
    filter.add(allow, "ioctl", {bits(1, 0xffff'ff00U, kind)});
  }
  constexpr int tun_get_dev_netns = 0x54e3;  // TUNGETDEVNETNS: an interface may have moved
  for (const int one :
       {tun_get_dev_netns, TCGETS, TIOCGWINSZ, TIOCOUTQ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX}) {
    filter.add(allow, "ioctl", {is(1, static_cast<std::uint64_t>(one))});
  }
}

void add_sockets(Filter& filter) noexcept {
  for (const int family : {AF_INET, AF_INET6, AF_NETLINK}) {
    filter.add(allow, "socket", {is(0, static_cast<std::uint64_t>(family))});
  }
  // By a Unix socket uid 0 could have another program (systemd, Docker) do what it may not. The
  // C library asks for a name cache by one, and does without.
  filter.add(SCMP_ACT_ERRNO(EACCES), "socket", {is(0, AF_UNIX)});
}

void add_threads(Filter& filter) noexcept {
  constexpr std::uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                       CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  constexpr std::uint64_t thread = checks_leaks ? 0 : CLONE_THREAD;
  filter.add(allow, "clone", {bits(0, namespaces | thread, thread)});
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");  // its flags are out of a filter's sight
  const auto self = static_cast<std::uint64_t>(::getpid());
  for (const char* name : {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"}) {
    filter.add(allow, name, {is(0, self)});
  }
  filter.add(allow, "prlimit64", {is(0, 0)});
  for (const int option : {PR_SET_NAME, PR_GET_NAME, PR_SET_TIMERSLACK, PR_GET_DUMPABLE,
                           PR_GET_NO_NEW_PRIVS, PR_CAPBSET_READ, PR_GET_SECCOMP, PR_SET_VMA}) {
    filter.add(allow, "prctl", {is(0, static_cast<std::uint64_t>(option))});
  }
  if constexpr (checks_leaks) {
    for (const int option : {PR_SET_DUMPABLE, PR_SET_PTRACER, PR_SET_PDEATHSIG}) {
      filter.add(allow, "prctl", {is(0, static_cast<std::uint64_t>(option))});
    }
  }
}

}  // namespace

bool can_filter_calls() noexcept { return ::seccomp_api_get() >= 3; }

Result<void> restrict_calls() {
  struct sigaction refusal{};
  refusal.sa_sigaction = on_refused;
  refusal.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&refusal.sa_mask);
  if (::sigaction(SIGSYS, &refusal, nullptr) != 0) return system_error("handle SIGSYS");
  Filter filter;
  if (!filter) return make_error(Error::Kind::exhausted, "make the filter of system calls");
  for (const std::string_view name : allowed_calls) filter.add(allow, name);
  for (const std::string_view name : killing_calls) {
    if (checks_leaks && name == "ptrace") continue;
    filter.add(kill, name);
  }
  if constexpr (checks_leaks) filter.add(allow, "ptrace");
  add_files(filter);
  add_devices(filter);
  add_sockets(filter);
  add_threads(filter);
  return filter.load();
}

std::uint64_t refused_calls() noexcept { return refused_so_far.load(std::memory_order_relaxed); }

std::span<const std::string_view> deadly_calls() noexcept { return killing_calls; }

}  // namespace tw::node
