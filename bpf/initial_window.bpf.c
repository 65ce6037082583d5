// SPDX-License-Identifier: GPL-2.0
//
// A congestion control that a socket has for a moment, between its accept and its first byte: what
// it does is its init, which opens the window as far as the socket's pacing rate fills it in one
// RTT. Then the socket gets back the one it had. No route is changed, and no other socket.
#include <linux/bpf.h>

// After bpf.h, whose types they need.
#include <bpf/bpf_helpers.h>

#include "abi.h"

// What of the kernel's structures is used; where it lies is settled when the program is loaded.
#define KERNEL __attribute__((preserve_access_index))
struct sock {
  unsigned long sk_max_pacing_rate;  // bytes a second
} KERNEL;
struct tcp_sock {
  __u32 snd_cwnd, snd_ssthresh, prior_cwnd;
  __u32 mss_cache;
  __u32 srtt_us;  // eighths of a microsecond; 0: not measured
  __u32 data_segs_out;
  __u32 total_retrans;
} KERNEL;
struct tcp_congestion_ops {
  __u32 (*ssthresh)(struct sock* sk);
  void (*cong_avoid)(struct sock* sk, __u32 ack, __u32 acked);
  __u32 (*undo_cwnd)(struct sock* sk);
  void (*init)(struct sock* sk);
  char name[16];
} KERNEL;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct tw_window_limit);
} window_limit SEC(".maps");

enum {
  us_per_s = 1000000,
  eighths = 8,
};
// What no path carries is a socket that is not paced: 1 Tbps.
static const __u64 paced_below = 125000000000ULL;

// A handshake that had to be repeated says nothing of the RTT, and little good of the path. A slow
// start that the kernel remembers to have gone wrong earlier (snd_ssthresh) is not gone past.
SEC("struct_ops/window_init")
void window_init(__u64* arguments) {
  struct sock* sk = (struct sock*)arguments[0];
  struct tcp_sock* tcp = (struct tcp_sock*)sk;
  const __u32 key = 0;
  const struct tw_window_limit* limit = bpf_map_lookup_elem(&window_limit, &key);
  const __u64 rate = sk->sk_max_pacing_rate;
  const __u64 mss = tcp->mss_cache, rtt = tcp->srtt_us;
  if (!limit || rate >= paced_below || mss == 0 || rtt == 0) return;
  if (tcp->data_segs_out > 0 || tcp->total_retrans > 0) return;
  __u64 window = rate * (rtt / eighths) / us_per_s / mss + 1;
  if (window > limit->segments) window = limit->segments;
  if (window > tcp->snd_ssthresh) window = tcp->snd_ssthresh;
  if (window > tcp->snd_cwnd) tcp->snd_cwnd = window;
}

// The kernel asks for the rest, of a socket that could not be given back what it had: it does as
// Reno does, and does not grow.
SEC("struct_ops/window_ssthresh")
__u32 window_ssthresh(__u64* arguments) {
  const struct tcp_sock* tcp = (struct tcp_sock*)arguments[0];
  const __u32 half = tcp->snd_cwnd / 2;
  return half > 2 ? half : 2;
}

SEC("struct_ops/window_undo")
__u32 window_undo(__u64* arguments) {
  const struct tcp_sock* tcp = (struct tcp_sock*)arguments[0];
  return tcp->snd_cwnd > tcp->prior_cwnd ? tcp->snd_cwnd : tcp->prior_cwnd;
}

SEC("struct_ops/window_grow")
void window_grow(__u64* arguments) { (void)arguments; }

// The process writes its own name over this one, as long, before it loads it: names are the whole
// machine's.
SEC(".struct_ops")
struct tcp_congestion_ops initial_window = {
    .init = (void*)window_init,
    .ssthresh = (void*)window_ssthresh,
    .undo_cwnd = (void*)window_undo,
    .cong_avoid = (void*)window_grow,
    .name = "thalweg????????",
};

char license_of_this[] SEC("license") = "GPL";
