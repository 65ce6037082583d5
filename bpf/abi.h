// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
//
// What the kernel's programs and the process share: memory that both have mapped, and the rules
// that both must follow to the letter. C and C++.
//
// Byte counters only grow, each has one side that writes it, and what is queued is the difference
// of two. They are read without a lock, so a difference may come out negative for a moment: that
// means none.
#pragma once

#include <linux/types.h>

enum { tw_tun_buckets = 256 };
/// The most that a TUN may ever hold; what a burst may cost in memory.
enum { tw_tun_most_bytes = 16 << 20 };
enum { tw_tun_small_bytes = 256 };
/// A bucket may hold this above the limit: a packet of any usual MTU.
enum { tw_tun_share_bytes = 2048 };
/// So long a turn of the process may last before it counts as away, and so long it may be away.
enum { tw_tun_longest_turn_ns = 1 << 20, tw_tun_longest_absence_ns = 32 << 20 };

/// The queue of a TUN between the kernel, which fills it, and the process, which empties it. The
/// sides write to different cache lines.
struct tw_tun_queue {
  // The process writes:
  __u64 limit_bytes;   // of all buckets together
  __u64 dequeued;      // bytes taken out
  __u64 served_at_ns;  // CLOCK_MONOTONIC: when its last turn began
  __u64 bytes_per_us;  // of 1,024 ns: what it takes out while it runs
  __u64 unused1[4];
  __u64 bucket_dequeued[tw_tun_buckets];
  // The program writes:
  __u64 enqueued;  // bytes let in
  __u64 dropped;   // packets turned away
  __u64 unused2[6];
  __u64 bucket_enqueued[tw_tun_buckets];
};

/// The bucket of what goes to this address: its 32 bits for IPv4, the upper 64 for IPv6 (a host has
/// as many of the lower ones as it likes), as they lie in memory.
static inline __u32 tw_tun_bucket(__u64 address) {
  return (__u32)((address * 0x9e3779b97f4a7c15ULL) >> 56);
}

/// Bytes that wait: `enqueued` less `dequeued`.
static inline __u64 tw_tun_queued(__u64 enqueued, __u64 dequeued) {
  const __u64 queued = enqueued - dequeued;
  return (queued >> 63) != 0 ? 0 : queued;
}

/// The limit while the process is away (descheduled, its machine stolen): what it would have taken
/// out meanwhile does not count against it. Only the kernel can know this in time.
static inline __u64 tw_tun_limit(__u64 limit, __u64 now_ns, __u64 served_at_ns,
                                 __u64 bytes_per_us) {
  __u64 away_ns = now_ns - served_at_ns - tw_tun_longest_turn_ns;
  if ((away_ns >> 63) != 0) return limit;
  if (away_ns > tw_tun_longest_absence_ns) away_ns = tw_tun_longest_absence_ns;
  limit += (away_ns >> 10) * bytes_per_us;
  return limit > tw_tun_most_bytes ? (__u64)tw_tun_most_bytes : limit;
}

/// Returns 1 if a packet of `length` bytes may join its bucket: dynamic thresholds with a factor of
/// one (Choudhury and Hahne, 1998). A bucket may hold what the whole queue leaves free, so that one
/// alone gets half of the limit, and n of them get 1/(n+1) each; who has nothing queued gets in as
/// long as the limit is not reached. Small packets (acknowledgements, which are not sent again;
/// questions and answers) find an eighth of the limit more.
///
/// The limit may fall below what is queued: the process is back and has not caught up yet, or the
/// queue stands. A bucket that holds next to nothing did not cause that, and keeps a share of its
/// own: all buckets together at most 512 KB more.
static inline int tw_tun_keeps(__u64 limit, __u64 queued, __u64 bucket_queued, __u64 length) {
  if (queued >= limit) {
    return limit > 0 && bucket_queued + length <= tw_tun_share_bytes &&
           queued + length <= tw_tun_most_bytes;
  }
  const __u64 more = length <= tw_tun_small_bytes ? limit >> 3 : 0;
  return bucket_queued == 0 || bucket_queued + length <= limit - queued + more;
}

/// A SYN that tc ingress of a device has seen, as the program writes it into its ring. What is said
/// in network order is copied from the packet as it lies there.
struct tw_syn_record {
  __u8 client[16], target[16];  // IPv4: the first four bytes, the rest zero
  __u16 client_port_be, target_port_be;
  __u32 sequence_be;
  __u16 payload_bytes;
  __u8 version;  // of IP: 4 or 6
  __u8 known;    // whether its source has completed a handshake lately
};

/// `tw_syn_sources` are as many as the program remembers, of those it knows and of strangers.
enum { tw_syn_ring_bytes = 1 << 16, tw_syn_sources = 1 << 14 };

/// A rate, as the token bucket below takes it.
struct tw_syn_rate {
  __u64 interval_ns;  // between two tokens
  __u64 depth_ns;     // interval times burst
};

/// The bucket of all strangers, and that of all sources that are known. Strangers may not exist: a
/// flood that spends theirs leaves the other.
enum tw_syn_group { tw_syn_strangers, tw_syn_known, tw_syn_groups };

struct tw_syn_bucket {
  struct tw_syn_rate rate;  // the process writes
  __u64 full_at_ns;         // the program writes
  __u64 unused[5];
};

/// The process's settings for the program, of all else.
struct tw_syn_control {
  struct tw_syn_rate by_source;
  __u64 unused1[6];
  // The process sets it before it sleeps and then looks at the ring once more; the program clears
  // it after it has reserved a record and before it submits it, and rings if it was set. Each does
  // its two steps with a full barrier between, so that one of them sees the other.
  __u32 asleep;
  __u32 unused2[15];
};

/// The owner of a SYN's bucket: an IPv4 address followed by zeros or, because a host has as many
/// of the lower bits as it likes, the upper half of an IPv6 address; as they lie in memory.
typedef __u64 tw_syn_source;

/// The fates of the SYNs: a counter of each CPU for each of these, and one for all that were
/// seen. Elements of a map of their own, not fields of one: without CAP_PERFMON the kernel forbids
/// a pointer that is one of several fields.
enum tw_syn_count {
  tw_syn_seen,
  tw_syn_reported,
  tw_syn_over_source,  // the budget of their source
  tw_syn_over_total,   // the budget of its group
  tw_syn_ring_full,
  tw_syn_counts,
};

/// A token bucket as one instant, when it will be full again (GCRA, ITU-T I.371): what it becomes
/// when a token is taken.
static inline __u64 tw_syn_taken(__u64 full_at, __u64 now, struct tw_syn_rate rate) {
  return (full_at > now ? full_at : now) + rate.interval_ns;
}

/// Returns 1 if there was one to take.
static inline int tw_syn_had_token(__u64 taken, __u64 now, struct tw_syn_rate rate) {
  return taken - now <= rate.depth_ns;
}

/// Where a start is that careful_resume.bpf.c carries out.
enum tw_resume_phase {
  tw_resume_filling,     // the path with the first window, and trying no more
  tw_resume_probing,     // whether the path carries more than is known
  tw_resume_retreating,  // something was lost
  tw_resume_over,        // the socket has another congestion control
};

/// By how much a start tries more than the path is known to carry.
enum tw_resume_probe {
  tw_resume_nothing_more,
  tw_resume_little_more,  // the path was seen to carry no more
  tw_resume_much_more,
};

/// A start of one socket, in that socket's storage. Rates are bytes a second, windows segments.
struct tw_resume {
  // The process writes, before it sets the congestion control:
  __u64 rate;     // that the path is known to carry; the program finds better
  __u32 window;   // what that makes in a round trip
  __u32 probe;    // enum tw_resume_probe
  __u32 models;   // `then` models the path itself (BBR), and is given the socket early
  char then[16];  // the congestion control that follows
  // The program writes:
  __u32 phase;            // enum tw_resume_phase
  __u32 is_full;          // the path carries no more than `rate`
  __u32 delivered, lost;  // when it began
  __u32 heard;            // delivered at heard_us
  __u64 heard_us;         // the first acknowledgement; 0: none yet
  __u64 measured;         // by the last burst
  // A burst: sequence numbers, and the first that was acknowledged of it.
  __u32 burst_begin, burst_end, burst_first;
  __u32 burst_rtt_us;    // the least of its second half; 0: none yet
  __u64 burst_heard_us;  // 0: nothing of it yet
  __u64 burst_sent_us;   // its first byte
  __u64 burst_rate;      // as it was really sent; 0: it has not left yet
  __u32 failed, undecided;
};

/// Sizes of the indirection table (src/steer/receiver_index.h), and of the cipher that hides a
/// bucket in a receiver index: Speck32/64. `tw_steer_workers` is the most that a tunnel may have.
enum { tw_steer_bucket_bits = 12, tw_steer_buckets = 1 << 12, tw_steer_rounds = 22 };
enum { tw_steer_workers = 64, tw_steer_families = 2 };
/// Prefixes that the programs know. What does not fit is steered by the process.
enum { tw_steer_routes = 1 << 18 };

/// The steering of packets to workers. The process writes it, the programs read it.
struct tw_steering {
  __u16 round_keys[tw_steer_rounds];
  __u16 workers;  // how many there are; 0: none, and nothing is steered
  __u16 unused[9];
  __u16 worker_of[tw_steer_buckets];
};

/// Addresses inside the tunnel, by the longest prefix of its destination. An IPv4 address is the
/// first four bytes.
struct tw_steer_route {
  __u32 prefix_bits;
  __u8 address[16];
};

/// Where the socket of a worker lies in the array: `family` is 0 for IPv4 and 1 for IPv6.
static inline __u32 tw_steer_socket(__u32 worker, __u32 family) {
  return family * tw_steer_workers + worker;
}

/// The bucket that a receiver index carries: Speck32/64 backwards, and then the upper bits.
static inline __u32 tw_steer_bucket(const __u16* round_keys, __u32 index) {
  __u32 x = index >> 16, y = index & 0xffff;
  for (int round = tw_steer_rounds - 1; round >= 0; --round) {
    y ^= x;
    y = (y >> 2 | y << 14) & 0xffff;
    x = ((x ^ round_keys[round]) - y) & 0xffff;
    x = (x << 7 | x >> 9) & 0xffff;
  }
  return x >> (16 - tw_steer_bucket_bits);
}

/// Finds the receiver index of a WireGuard message by its first 12 bytes and its length (of a
/// train: of all of it). Returns 0 if it has none: an initiation, or no message at all.
static inline int tw_steer_receiver(const __u8* message, __u32 length, __u32* index) {
  const int is_response = message[0] == 2;
  if (message[0] < 2 || message[0] > 4 || (message[1] | message[2] | message[3]) != 0) return 0;
  if (length < (message[0] == 2 ? 92U : message[0] == 3 ? 64U : 32U)) return 0;
  const __u8* const at = message + (is_response ? 8 : 4);
  *index = (__u32)at[0] | (__u32)at[1] << 8 | (__u32)at[2] << 16 | (__u32)at[3] << 24;
  return 1;
}
