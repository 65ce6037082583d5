// The system calls of a node, by name: a name that this machine's kernel does not have is passed
// over.
#pragma once

#include <array>
#include <string_view>

namespace tw::node {

using namespace std::string_view_literals;

/// Whatever their arguments are.
inline constexpr std::array allowed_calls{
    // what is open
    "read"sv, "readv"sv, "pread64"sv, "preadv"sv, "preadv2"sv, "write"sv, "writev"sv, "pwrite64"sv,
    "pwritev"sv, "pwritev2"sv, "close"sv, "close_range"sv, "lseek"sv, "_llseek"sv, "dup"sv,
    "dup2"sv, "dup3"sv, "fcntl"sv, "fcntl64"sv, "flock"sv, "fsync"sv, "fdatasync"sv, "ftruncate"sv,
    "fallocate"sv, "fadvise64"sv, "splice"sv, "tee"sv, "sendfile"sv, "pipe"sv, "pipe2"sv,
    "eventfd2"sv, "signalfd4"sv, "timerfd_create"sv, "timerfd_settime"sv, "timerfd_gettime"sv,
    "poll"sv, "ppoll"sv, "select"sv, "pselect6"sv, "epoll_create1"sv, "epoll_ctl"sv, "epoll_wait"sv,
    "epoll_pwait"sv, "epoll_pwait2"sv, "inotify_init1"sv, "inotify_add_watch"sv,
    "inotify_rm_watch"sv,
    // files, within what Landlock leaves
    "stat"sv, "fstat"sv, "lstat"sv, "newfstatat"sv, "statx"sv, "statfs"sv, "fstatfs"sv, "access"sv,
    "faccessat"sv, "faccessat2"sv, "readlink"sv, "readlinkat"sv, "getdents64"sv, "getcwd"sv,
    "chdir"sv, "umask"sv, "mkdir"sv, "mkdirat"sv, "rmdir"sv, "unlink"sv, "unlinkat"sv, "rename"sv,
    "renameat"sv, "renameat2"sv,
    // sockets; which may be made is asked of socket() alone
    "bind"sv, "connect"sv, "listen"sv, "accept"sv, "accept4"sv, "getsockname"sv, "getpeername"sv,
    "setsockopt"sv, "getsockopt"sv, "sendto"sv, "recvfrom"sv, "sendmsg"sv, "recvmsg"sv,
    "sendmmsg"sv, "recvmmsg"sv, "shutdown"sv, "bpf"sv,
    // memory
    "munmap"sv, "mremap"sv, "brk"sv, "madvise"sv, "mincore"sv, "msync"sv, "mlock"sv, "mlock2"sv,
    "munlock"sv, "membarrier"sv,
    // threads and time
    "futex"sv, "futex_waitv"sv, "set_robust_list"sv, "get_robust_list"sv, "rseq"sv,
    "set_tid_address"sv, "gettid"sv, "getpid"sv, "getppid"sv, "getpgrp"sv, "getpgid"sv, "getsid"sv,
    "exit"sv, "exit_group"sv, "wait4"sv, "waitid"sv, "sched_yield"sv, "sched_getaffinity"sv,
    "sched_setaffinity"sv, "sched_getparam"sv, "sched_setparam"sv, "sched_getscheduler"sv,
    "sched_setscheduler"sv, "sched_getattr"sv, "sched_setattr"sv, "sched_get_priority_max"sv,
    "sched_get_priority_min"sv, "getpriority"sv, "setpriority"sv, "getcpu"sv, "nanosleep"sv,
    "clock_nanosleep"sv, "clock_gettime"sv, "clock_getres"sv, "gettimeofday"sv, "time"sv, "alarm"sv,
    "setitimer"sv, "getitimer"sv, "restart_syscall"sv, "rt_sigaction"sv, "rt_sigprocmask"sv,
    "rt_sigreturn"sv, "rt_sigsuspend"sv, "rt_sigtimedwait"sv, "rt_sigpending"sv, "sigaltstack"sv,
    "pause"sv,
    // what it may know
    "uname"sv, "sysinfo"sv, "getrandom"sv, "getuid"sv, "geteuid"sv, "getgid"sv, "getegid"sv,
    "getresuid"sv, "getresgid"sv, "getgroups"sv, "getrlimit"sv, "getrusage"sv, "times"sv,
    "capget"sv, "arch_prctl"sv};

/// The process is killed that makes one. What is on neither list fails: among it all that Landlock
/// has no say in, such as modes, owners and times of files, links, and truncation by name.
inline constexpr std::array killing_calls{
    // another program
    "execve"sv, "execveat"sv,
    // another process
    "ptrace"sv, "process_vm_readv"sv, "process_vm_writev"sv, "process_madvise"sv, "pidfd_getfd"sv,
    "kcmp"sv,
    // another view of the machine
    "mount"sv, "umount2"sv, "move_mount"sv, "open_tree"sv, "fsopen"sv, "fsconfig"sv, "fsmount"sv,
    "fspick"sv, "mount_setattr"sv, "pivot_root"sv, "chroot"sv, "setns"sv, "unshare"sv,
    "open_by_handle_at"sv, "quotactl"sv, "swapon"sv, "swapoff"sv, "acct"sv,
    // another kernel
    "init_module"sv, "finit_module"sv, "delete_module"sv, "kexec_load"sv, "kexec_file_load"sv,
    "reboot"sv, "iopl"sv, "ioperm"sv, "syslog"sv,
    // what has been the way into one, and is of no use here
    "userfaultfd"sv, "perf_event_open"sv, "io_uring_setup"sv, "io_uring_enter"sv,
    "io_uring_register"sv, "keyctl"sv, "add_key"sv, "request_key"sv, "modify_ldt"sv,
    "lookup_dcookie"sv, "vhangup"sv,
    // another clock or name, other rights
    "settimeofday"sv, "clock_settime"sv, "clock_adjtime"sv, "adjtimex"sv, "sethostname"sv,
    "setdomainname"sv, "setuid"sv, "setgid"sv, "setreuid"sv, "setregid"sv, "setresuid"sv,
    "setresgid"sv, "setfsuid"sv, "setfsgid"sv, "setgroups"sv, "capset"sv};

}  // namespace tw::node
