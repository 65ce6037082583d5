// SPDX-License-Identifier: GPL-2.0
//
// Counts the system calls of the processes that are watched, each where it enters the kernel; the
// table of a process is the kernel's own memory for it, and goes with it. For measurements: as long
// as it is attached, every call of the whole machine takes a little longer.
#include <linux/bpf.h>

// After bpf.h, whose types they need.
#include <bpf/bpf_helpers.h>

// The used fields of the kernel's structures; their places are settled when the program is loaded.
struct task_struct {
  struct task_struct* group_leader;
} __attribute__((preserve_access_index));

// By process, which is the thread that leads it: all of its threads count together.
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, __u64);
} calls SEC(".maps");

SEC("tp_btf/sys_enter")
int count_call(void* context) {
  (void)context;
  struct task_struct* const task = (struct task_struct*)bpf_get_current_task_btf();
  __u64* const count = bpf_task_storage_get(&calls, task->group_leader, 0, 0);
  if (count) __sync_fetch_and_add(count, 1);
  return 0;
}

char license_of_this[] SEC("license") = "GPL";
