// SPDX-License-Identifier: GPL-2.0
//
// Bounds each queue of a TUN in bytes, fairly between the addresses that packets go to. The kernel
// by itself counts packets, of which one may be 64 KB. Attached with TUNSETFILTEREBPF, it runs for
// every packet on its way into the queue; data begins at the IP header. 0 drops the packet, which
// the device counts (tx_dropped).
#include <linux/bpf.h>

// After bpf.h, whose types it needs.
#include <bpf/bpf_helpers.h>

#include "abi.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);  // the process says how many queues there are
  __type(key, __u32);
  __type(value, struct tw_tun_queue);
} tun_queue SEC(".maps");

static __u64 now(const __u64* counter) { return *(const volatile __u64*)counter; }

static __u32 bucket_of(struct __sk_buff* packet) {
  __u64 address = 0;
  __u8 version = 0;
  if (bpf_skb_load_bytes(packet, 0, &version, 1) != 0) return 0;
  if (version >> 4 == 4) {
    if (bpf_skb_load_bytes(packet, 16, &address, 4) != 0) return 0;
  } else if (version >> 4 == 6) {
    if (bpf_skb_load_bytes(packet, 24, &address, 8) != 0) return 0;
  }
  return tw_tun_bucket(address) % tw_tun_buckets;
}

SEC("socket")
int tun_queue_filter(struct __sk_buff* packet) {
  const __u32 number = packet->queue_mapping;
  struct tw_tun_queue* const queue = bpf_map_lookup_elem(&tun_queue, &number);
  const __u64 length = packet->len;
  if (!queue) return (int)length;
  const __u32 bucket = bucket_of(packet);
  const __u64 queued = tw_tun_queued(now(&queue->enqueued), now(&queue->dequeued));
  const __u64 bucket_queued =
      tw_tun_queued(now(&queue->bucket_enqueued[bucket]), now(&queue->bucket_dequeued[bucket]));
  const __u64 limit = now(&queue->limit_bytes);
  // The clock is read only where the answer hangs on it. It is SystemClock's (src/base/time.h).
  if (!tw_tun_keeps(limit, queued, bucket_queued, length) &&
      !tw_tun_keeps(tw_tun_limit(limit, bpf_ktime_get_boot_ns(), now(&queue->served_at_ns),
                                 now(&queue->bytes_per_us)),
                    queued, bucket_queued, length)) {
    __sync_fetch_and_add(&queue->dropped, 1);
    return 0;
  }
  // In this order: who reads the buckets first and then the sum never finds a packet in its bucket
  // that the sum has not.
  __sync_fetch_and_add(&queue->enqueued, length);
  __sync_fetch_and_add(&queue->bucket_enqueued[bucket], length);
  return (int)length;
}

char license_of_this[] SEC("license") = "GPL";
