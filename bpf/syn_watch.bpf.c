// SPDX-License-Identifier: GPL-2.0
//
// Reports the TCP SYNs that come in by a device, at its tc ingress, before the kernel has answered
// them. It never drops or changes a packet. A flood must cost little: the budgets are here, the one
// of all strangers is asked first and only read, and what is over them is counted, not reported.
#include <linux/bpf.h>

// After bpf.h, whose types they need.
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include "abi.h"

enum {
  vlan_id_mask = 0x0fff,
  fragment_mask = 0x3fff,  // more to come, or not the first
  kind_mask = 0x17,        // ACK, RST, SYN, FIN
  kind_syn = 0x02,
  most_extensions = 4,  // of an IPv6 header: more than any honest SYN has
  headers_bytes = 160,  // as much as may be asked for below
  tries = 4,            // for a bucket that several CPUs take from at one time
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct tw_syn_control);
} syn_control SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, tw_syn_counts);
  __type(key, __u32);
  __type(value, __u64);
} syn_counts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, tw_syn_groups);
  __type(key, __u32);
  __type(value, struct tw_syn_bucket);
} syn_buckets SEC(".maps");

// The buckets of single sources, as the time when each will be full again: of strangers, whom the
// program enters, and of those whom the process has entered. A flood of the first does not push out
// the second.
struct sources {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, tw_syn_sources);
  __type(key, tw_syn_source);
  __type(value, __u64);
};
struct sources syn_strangers SEC(".maps");
struct sources syn_known SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, tw_syn_ring_bytes);
} syn_ring SEC(".maps");

static __u64 now_in(const __u64* counter) { return *(const volatile __u64*)counter; }

static int load(struct __sk_buff* packet, __u32 offset, void* to, __u32 size) {
  return bpf_skb_load_bytes_relative(packet, offset, to, size, BPF_HDR_START_NET) == 0;
}

// The first look at a packet: some drivers leave its headers where load() does not reach.
static int load_first(struct __sk_buff* packet, void* to, __u32 size) {
  if (load(packet, 0, to, size)) return 1;
  const __u32 wanted = packet->len < headers_bytes ? packet->len : headers_bytes;
  return bpf_skb_pull_data(packet, wanted) == 0 && load(packet, 0, to, size);
}

// The headers before TCP's, and how many bytes they and all that follows are; 0: not for us.
struct extent {
  __u32 headers, total;
};

static int read_v4(struct __sk_buff* packet, struct tw_syn_record* syn, struct extent* extent) {
  struct iphdr ip;
  if (!load_first(packet, &ip, sizeof ip) || ip.version != 4 || ip.ihl < 5) return 0;
  if (ip.protocol != IPPROTO_TCP || (ip.frag_off & bpf_htons(fragment_mask)) != 0) return 0;
  extent->headers = ip.ihl * 4U;
  extent->total = bpf_ntohs(ip.tot_len);
  __builtin_memcpy(syn->client, &ip.saddr, sizeof ip.saddr);
  __builtin_memcpy(syn->target, &ip.daddr, sizeof ip.daddr);
  syn->version = 4;
  return 1;
}

static int read_v6(struct __sk_buff* packet, struct tw_syn_record* syn, struct extent* extent) {
  struct ipv6hdr ip;
  if (!load_first(packet, &ip, sizeof ip) || ip.version != 6) return 0;
  __u8 next = ip.nexthdr;
  __u32 offset = sizeof ip;
  for (int i = 0; i < most_extensions && next != IPPROTO_TCP; ++i) {
    struct ipv6_opt_hdr option;
    if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS) return 0;
    if (!load(packet, offset, &option, sizeof option)) return 0;
    next = option.nexthdr;
    offset += (option.hdrlen + 1U) * 8U;
  }
  if (next != IPPROTO_TCP) return 0;
  extent->headers = offset;
  extent->total = (__u32)sizeof ip + bpf_ntohs(ip.payload_len);
  __builtin_memcpy(syn->client, &ip.saddr, sizeof ip.saddr);
  __builtin_memcpy(syn->target, &ip.daddr, sizeof ip.daddr);
  syn->version = 6;
  return 1;
}

// Most packets are of connections that are there, and have no options of IPv4. One look tells.
static int is_surely_none(struct __sk_buff* packet) {
  struct {
    struct iphdr ip;
    __u8 tcp[14];
  } headers;
  if (packet->gso_segs > 1) return 1;
  if (packet->protocol != bpf_htons(ETH_P_IP)) return 0;
  if (!load(packet, 0, &headers, sizeof headers)) return 0;
  if (headers.ip.ihl != 5 || headers.ip.protocol != IPPROTO_TCP) return 0;
  return (headers.tcp[13] & kind_mask) != kind_syn;
}

static int read_syn(struct __sk_buff* packet, struct tw_syn_record* syn) {
  // Packets for another machine, and those that the kernel will hand to a VLAN's device.
  if (packet->pkt_type != PACKET_HOST) return 0;
  if (packet->vlan_present && (packet->vlan_tci & vlan_id_mask) != 0) return 0;
  struct extent extent = {};
  if (packet->protocol == bpf_htons(ETH_P_IP)) {
    if (!read_v4(packet, syn, &extent)) return 0;
  } else if (packet->protocol == bpf_htons(ETH_P_IPV6)) {
    if (!read_v6(packet, syn, &extent)) return 0;
  } else {
    return 0;
  }
  struct tcphdr tcp;
  if (!load(packet, extent.headers, &tcp, sizeof tcp)) return 0;
  const __u8 flags = ((const __u8*)&tcp)[13];
  if ((flags & kind_mask) != kind_syn || tcp.doff < 5) return 0;
  const __u32 before_payload = extent.headers + tcp.doff * 4U;
  // The packet's length counts the link's header, too: what is cut by less than that passes here,
  // the kernel will drop it, and what the relay has begun expires.
  if (extent.total < before_payload || packet->len < extent.total) return 0;
  syn->client_port_be = tcp.source;
  syn->target_port_be = tcp.dest;
  syn->sequence_be = tcp.seq;
  syn->payload_bytes = (__u16)(extent.total - before_payload);
  return 1;
}

static int take(__u64* full_at, __u64 now, struct tw_syn_rate rate) {
  for (int i = 0; i < tries; ++i) {
    const __u64 seen = now_in(full_at);
    const __u64 taken = tw_syn_taken(seen, now, rate);
    if (!tw_syn_had_token(taken, now, rate)) return 0;
    if (__sync_val_compare_and_swap(full_at, seen, taken) == seen) return 1;
  }
  return 0;
}

static int take_of_stranger(tw_syn_source source, __u64 now, struct tw_syn_rate rate) {
  __u64* const full_at = bpf_map_lookup_elem(&syn_strangers, &source);
  if (full_at) return take(full_at, now, rate);
  const __u64 taken = tw_syn_taken(0, now, rate);
  return bpf_map_update_elem(&syn_strangers, &source, &taken, BPF_ANY) == 0;
}

static enum tw_syn_count report(struct tw_syn_control* control, struct tw_syn_record* syn) {
  const __u64 now = bpf_ktime_get_ns();
  tw_syn_source source = 0;
  __builtin_memcpy(&source, syn->client, sizeof source);
  __u64* const known_full_at = bpf_map_lookup_elem(&syn_known, &source);
  const __u32 group = known_full_at ? tw_syn_known : tw_syn_strangers;
  struct tw_syn_bucket* const bucket = bpf_map_lookup_elem(&syn_buckets, &group);
  if (!bucket) return tw_syn_over_total;
  const __u64 taken = tw_syn_taken(now_in(&bucket->full_at_ns), now, bucket->rate);
  if (!tw_syn_had_token(taken, now, bucket->rate)) return tw_syn_over_total;
  const int had_token = known_full_at ? take(known_full_at, now, control->by_source)
                                      : take_of_stranger(source, now, control->by_source);
  if (!had_token) return tw_syn_over_source;
  if (!take(&bucket->full_at_ns, now, bucket->rate)) return tw_syn_over_total;
  struct tw_syn_record* const record = bpf_ringbuf_reserve(&syn_ring, sizeof *syn, 0);
  if (!record) return tw_syn_ring_full;
  syn->known = group == tw_syn_known;
  *record = *syn;
  // An exchange is a full barrier: see abi.h.
  const __u32 asleep = __sync_lock_test_and_set(&control->asleep, 0);
  bpf_ringbuf_submit(record, asleep ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
  return tw_syn_reported;
}

static void count(enum tw_syn_count what) {
  const __u32 key = what;
  __u64* const counter = bpf_map_lookup_elem(&syn_counts, &key);
  if (counter) ++*counter;
}

SEC("tc")
int syn_watch(struct __sk_buff* packet) {
  if (is_surely_none(packet)) return TC_ACT_UNSPEC;
  const __u32 only = 0;
  struct tw_syn_record syn = {};
  if (!read_syn(packet, &syn)) return TC_ACT_UNSPEC;
  struct tw_syn_control* const control = bpf_map_lookup_elem(&syn_control, &only);
  if (!control) return TC_ACT_UNSPEC;
  count(tw_syn_seen);
  count(report(control, &syn));
  return TC_ACT_UNSPEC;
}

char license_of_this[] SEC("license") = "GPL";
