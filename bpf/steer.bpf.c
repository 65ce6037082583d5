// SPDX-License-Identifier: GPL-2.0
//
// Puts every packet on the queue of the worker that owns its session. From the wire: chooses the
// socket of a SO_REUSEPORT group by the bucket in the receiver index. From the host: chooses the
// queue of the TUN by the inner destination (TUNSETSTEERINGEBPF). Both read one table.
//
// Either is a hint. Of a train the first program sees the first message only, and anybody may forge
// that: the workers check each message, and pass on what is another's. What belongs to nobody is
// spread by its hash.
#include <linux/bpf.h>

// After bpf.h, whose types they need.
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>

#include "abi.h"

enum { udp_header_bytes = 8, least_message_bytes = 12 };

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct tw_steering);
} steering SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
  __uint(max_entries, tw_steer_families* tw_steer_workers);
  __type(key, __u32);
  __type(value, __u64);
} steer_sockets SEC(".maps");

struct routes {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, tw_steer_routes);
  __type(key, struct tw_steer_route);
  __type(value, __u32);  // a bucket
};
struct routes steer_routes_v4 SEC(".maps");
struct routes steer_routes_v6 SEC(".maps");

static const struct tw_steering* table(void) {
  const __u32 only = 0;
  return bpf_map_lookup_elem(&steering, &only);
}

static __u32 worker_of(const struct tw_steering* table, __u32 bucket) {
  return *(const volatile __u16*)&table->worker_of[bucket % tw_steer_buckets];
}

SEC("sk_reuseport")
int steer_wire(struct sk_reuseport_md* packet) {
  const struct tw_steering* const steered = table();
  if (!steered || steered->workers == 0) return SK_PASS;
  __u32 worker = packet->hash % steered->workers;
  __u8 message[least_message_bytes];
  __u32 index;
  // Data begins at the UDP header.
  if (packet->len >= udp_header_bytes + least_message_bytes &&
      bpf_skb_load_bytes(packet, udp_header_bytes, message, sizeof message) == 0 &&
      tw_steer_receiver(message, packet->len - udp_header_bytes, &index)) {
    worker = worker_of(steered, tw_steer_bucket(steered->round_keys, index));
  }
  __u32 socket = tw_steer_socket(worker, packet->eth_protocol == bpf_htons(ETH_P_IPV6));
  // Where that fails (the group is being replaced) the kernel chooses one by the hash.
  bpf_sk_select_reuseport(packet, &steer_sockets, &socket, 0);
  return SK_PASS;
}

static const __u32* bucket_to(struct __sk_buff* packet) {
  struct tw_steer_route route = {};
  __u8 version = 0;
  // Data begins at the IP header.
  if (bpf_skb_load_bytes(packet, 0, &version, 1) != 0) return 0;
  if (version >> 4 == 4) {
    route.prefix_bits = 32;
    if (bpf_skb_load_bytes(packet, 16, route.address, 4) != 0) return 0;
    return bpf_map_lookup_elem(&steer_routes_v4, &route);
  }
  route.prefix_bits = 128;
  if (version >> 4 != 6 || bpf_skb_load_bytes(packet, 24, route.address, 16) != 0) return 0;
  return bpf_map_lookup_elem(&steer_routes_v6, &route);
}

SEC("socket")
int steer_host(struct __sk_buff* packet) {
  const struct tw_steering* const steered = table();
  const __u32* const bucket = bucket_to(packet);
  // Nobody's: whichever worker gets it says so to its sender.
  return steered && bucket ? (int)worker_of(steered, *bucket) : 0;
}

char license_of_this[] SEC("license") = "GPL";
