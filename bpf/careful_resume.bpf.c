// SPDX-License-Identifier: GPL-2.0
//
// A congestion control for the start of a transfer over a path that is known: Careful Resume
// (RFC 9959). It opens the window to what the path carried before, and lets it leave paced over one
// round trip. Meanwhile it finds out whether the path carries more, as paced chirping does (Misund
// and Briscoe, 2019): a part of each flight leaves four times as fast, as a burst that any queue
// holds. How it is spread when it is acknowledged, and by how much round trips have grown, says how
// fast the path is. Doubling blindly, as slow start does, would be heard of when half a
// bandwidth-delay product too much is in the bottleneck's queue, or lost.
//
// The start is over when the path carries no more, or when something is lost: the socket is given
// to the congestion control that it had before, with the window as it is.
//
//   probing ──▶ over      (after a loss: probing ──▶ retreating ──▶ over)
//   filling ──▶ over      (where more is not to be tried)
//
// The process writes what a start must know into the socket's own storage. A socket that has none
// is only to tell its other side which window it has: there is no other way to have an
// acknowledgement sent that nobody has asked for.
#include <linux/bpf.h>

// After bpf.h, whose types they need.
#include <bpf/bpf_helpers.h>

#include "abi.h"

// The fields of the kernel's structures that are used; loading the program finds their places.
#define KERNEL __attribute__((preserve_access_index))
struct sock {
  unsigned long sk_pacing_rate;  // bytes a second
  __u32 sk_pacing_status;
} KERNEL;
struct minmax_sample {
  __u32 t, v;
} KERNEL;
struct minmax {
  struct minmax_sample s[3];
} KERNEL;
struct tcp_sock {
  __u32 snd_cwnd, snd_ssthresh, snd_una, snd_nxt, rcv_nxt;
  __u32 mss_cache;
  struct minmax rtt_min;  // us
  __u32 delivered, lost;  // segments, since the connection began
  // The last flight that the application did not bound: segments, us.
  __u32 rate_delivered, rate_interval_us;
  __u64 tcp_mstamp;  // us: when the acknowledgement came that is being handled
} KERNEL;
struct ack_sample {
  __s32 rtt_us;
} KERNEL;
struct tcp_congestion_ops {
  __u32 (*ssthresh)(struct sock* sk);
  void (*cong_avoid)(struct sock* sk, __u32 ack, __u32 acked);
  __u32 (*undo_cwnd)(struct sock* sk);
  void (*cwnd_event)(struct sock* sk, __u32 event);
  void (*pkts_acked)(struct sock* sk, const struct ack_sample* sample);
  __u32 (*min_tso_segs)(struct sock* sk);
  void (*init)(struct sock* sk);
  char name[16];
} KERNEL;

extern __u32 tcp_reno_undo_cwnd(struct sock* sk) __ksym;

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct tw_resume);
} resume SEC(".maps");

enum {
  us_per_s = 1000000,
  ns_per_us = 1000,
  sol_socket = 1,
  so_max_pacing_rate = 47,
  sol_tcp = 6,
  tcp_congestion = 13,
  pacing_none = 0,
  pacing_needed = 1,       // by TCP itself
  event_complete_cwr = 2,  // enum tcp_ca_event
  event_loss = 3,
  fewest_segments = 10,  // RFC 6928
  // A burst leaves so much faster than the path is known to carry, in hundredths; near a rate at
  // which it has overflowed, with care; and slower than the least it proves nothing.
  burst_speed = 400,
  modest_speed = 200,
  careful_speed = 125,
  least_speed = 110,
  // It is this part of a flight at most, but lasts so long at least: what is shorter drowns in the
  // lateness of machines.
  burst_part = 4,
  shortest_burst_us = 5000,
  fewest_burst_segments = 16,
  most_burst_bytes = 512 << 10,
  // A larger one leaves at the modest speed: so no burst adds more than 256 KB to a queue.
  most_fast_bytes = 340 << 10,
  // Bursts whose acknowledgements contradict each other, or that say that the path carries no more,
  // before that is believed.
  most_undecided = 3,
  most_failed = 2,
  // The rest of a burst's rate, in hundredths, by how far it was spread and by how long its end
  // waited. Passed: at least so much by both. Failed: less than so much by both.
  passed_by_wait = 70,
  passed_by_spread = 50,
  failed_by_wait = 70,
  failed_by_spread = 85,
  passed_with_care = 92,
  // Room for the burst in the window, so that pacing alone says when a flight leaves.
  spare_part = 4,
  // As CUBIC does (RFC 9438), so that a single loss costs what it costs there.
  kept_after_loss = 7,
  tenths = 10,
  hundredths = 100,
  // More than chance: so many of a hundred segments.
  tolerated_loss = 2,
  // The part of a measured rate that is used, so that the queue drains.
  below_measured = 95,
  // A train leaves at a time, which is so long at the pacing rate; a train is 64 KB at most.
  train_us = 2000,
  longest_train = 44,
};
static const __u32 unpaced = ~0U;

static struct tw_resume* resume_of(struct sock* sk) {
  return bpf_sk_storage_get(&resume, sk, 0, 0);
}

static __u64 least(__u64 a, __u64 b) { return a < b ? a : b; }
static __u64 most(__u64 a, __u64 b) { return a > b ? a : b; }

// Rates are bytes a second, times us.
static __u64 rate_of(__u64 bytes, __u64 us) { return us == 0 ? 0 : bytes * us_per_s / us; }
static __u64 time_of(__u64 bytes, __u64 rate) { return rate == 0 ? 0 : bytes * us_per_s / rate; }

static __u64 base_rtt(const struct tcp_sock* tcp) { return tcp->rtt_min.s[0].v; }

// Segments that leave in a round trip.
static __u32 window_of(const struct tcp_sock* tcp, __u64 rate) {
  const __u64 mss = tcp->mss_cache;
  if (mss == 0) return fewest_segments;
  return least(most(rate * base_rtt(tcp) / us_per_s / mss, fewest_segments), 0xffffff);
}

// The kernel sets the rate anew with each acknowledgement, as the window has it, but never above
// the largest that the socket may have.
static void pace(struct sock* sk, __u64 rate) {
  __u32 limit = least(rate, unpaced);  // 32 bits are all that a program may set
  bpf_setsockopt(sk, sol_socket, so_max_pacing_rate, &limit, sizeof limit);
  if (limit == unpaced) return;
  sk->sk_pacing_rate = limit;
  sk->sk_pacing_status = pacing_needed;
}

// The other congestion control finds window and threshold as they are, and goes on from there.
static void give_over(struct sock* sk, struct tw_resume* start) {
  start->phase = tw_resume_over;
  pace(sk, unpaced);
  sk->sk_pacing_status = pacing_none;
  bpf_setsockopt(sk, sol_tcp, tcp_congestion, start->then, sizeof start->then);
}

static int is_careful(const struct tw_resume* start) {
  return start->probe == tw_resume_little_more;
}

static void begin_burst(struct sock* sk, struct tw_resume* start) {
  const struct tcp_sock* tcp = (const struct tcp_sock*)sk;
  const __u64 part = start->rate * base_rtt(tcp) / us_per_s / burst_part;
  const __u64 usual = part > most_fast_bytes ? modest_speed : burst_speed;
  const __u64 speed = is_careful(start) ? careful_speed : usual;
  const __u64 mss = most(tcp->mss_cache, 1), rate = start->rate * speed / hundredths;
  const __u64 bytes = least(most(part, rate * shortest_burst_us / us_per_s), most_burst_bytes);
  start->burst_begin = tcp->snd_nxt;
  start->burst_end = tcp->snd_nxt + most(bytes / mss, fewest_burst_segments) * mss;
  start->burst_rate = 0;
  start->burst_heard_us = 0;
  start->burst_rtt_us = 0;
  pace(sk, rate);
}

SEC("struct_ops/resume_init")
void resume_init(__u64* arguments) {
  struct sock* sk = (struct sock*)arguments[0];
  struct tcp_sock* tcp = (struct tcp_sock*)sk;
  struct tw_resume* start = resume_of(sk);
  if (!start) {
    bpf_tcp_send_ack(tcp, tcp->rcv_nxt);
    return;
  }
  start->delivered = tcp->delivered;
  start->lost = tcp->lost;
  start->heard_us = 0;
  const int probes = start->probe != tw_resume_nothing_more;
  const __u32 spare = probes ? start->window / spare_part : 0;
  start->phase = probes ? tw_resume_probing : tw_resume_filling;
  tcp->snd_cwnd = most(tcp->snd_cwnd, start->window + spare);
  if (probes) {
    begin_burst(sk, start);
  } else {
    pace(sk, start->rate);
  }
}

// A burst has left: how fast, is seen at the next chance to send. The application may have to speed
// up itself before it can send a burst, or may have paused: then that was none, and the next bytes
// are tried.
static void watch_burst(struct sock* sk, struct tw_resume* start) {
  const struct tcp_sock* tcp = (const struct tcp_sock*)sk;
  const __u64 now_us = bpf_ktime_get_ns() / ns_per_us;
  if (tcp->snd_nxt == start->burst_begin) start->burst_sent_us = now_us;
  if ((__s32)(tcp->snd_nxt - start->burst_end) < 0) return;
  const __u64 sent = rate_of(tcp->snd_nxt - start->burst_begin, now_us - start->burst_sent_us);
  if (sent < start->rate * least_speed / hundredths) return begin_burst(sk, start);
  start->burst_rate = sent;
  pace(sk, start->rate);
}

// The kernel asks when it is about to send. A path of long round trips is not hurt by trains, and
// every train costs a wake-up or two.
SEC("struct_ops/resume_train")
__u32 resume_train(__u64* arguments) {
  struct sock* sk = (struct sock*)arguments[0];
  const struct tcp_sock* tcp = (const struct tcp_sock*)sk;
  struct tw_resume* start = resume_of(sk);
  if (start && start->phase == tw_resume_probing && start->burst_rate == 0) watch_burst(sk, start);
  const __u64 mss = most(tcp->mss_cache, 1);
  return most(2, least(sk->sk_pacing_rate * train_us / us_per_s / mss, longest_train));
}

SEC("struct_ops/resume_pkts_acked")
void resume_pkts_acked(__u64* arguments) {
  struct sock* sk = (struct sock*)arguments[0];
  const struct ack_sample* sample = (const struct ack_sample*)arguments[1];
  const struct tcp_sock* tcp = (const struct tcp_sock*)sk;
  struct tw_resume* start = resume_of(sk);
  if (!start) return;
  if (start->heard_us == 0) {
    start->heard_us = tcp->tcp_mstamp;
    start->heard = tcp->delivered;
  }
  // The least of those of the burst's second half: neither a late acknowledgement nor a busy
  // machine is to look like a queue.
  const __s32 rtt_us = sample->rtt_us;
  const __u32 half = (start->burst_end - start->burst_begin) / 2;
  const int in_tail = (__s32)(tcp->snd_una - (start->burst_begin + half)) >= 0;
  if (rtt_us <= 0 || !in_tail) return;
  if (start->burst_rtt_us == 0 || (__u32)rtt_us < start->burst_rtt_us) start->burst_rtt_us = rtt_us;
}

enum verdict { undecided, passed, failed };

// Two witnesses: how the burst was spread by the bottleneck, and how long its end waited there.
// Late acknowledgements spoil the one, acknowledgements that come together the other.
static enum verdict judge_burst(const struct tcp_sock* tcp, struct tw_resume* start) {
  const __u64 sent_rate = start->burst_rate;
  const __u64 bytes = tcp->snd_una - start->burst_first;
  const __u64 spread_us = tcp->tcp_mstamp - start->burst_heard_us;
  const __u64 sent_us = time_of(bytes, sent_rate);
  const __u64 base = base_rtt(tcp), last = start->burst_rtt_us;
  const __u64 waited_us = last > base ? last - base : 0;
  const __u32 half = (start->burst_end - start->burst_begin) / 2;
  const int heard_late = (__s32)(start->burst_first - (start->burst_begin + half)) >= 0;
  if (heard_late || sent_us == 0 || last == 0) return undecided;
  const __u64 by_spread = hundredths * sent_us / most(spread_us, 1);
  const __u64 by_wait = hundredths * sent_us / (sent_us + waited_us);
  start->measured = least(rate_of(bytes, spread_us), sent_rate);
  if (is_careful(start)) {
    return by_wait >= passed_with_care && by_spread >= passed_with_care ? passed : failed;
  }
  if (by_wait >= passed_by_wait && by_spread >= passed_by_spread) return passed;
  if (by_wait < failed_by_wait && by_spread < failed_by_spread) return failed;
  return undecided;
}

// The path carries no more than `rate`.
static void fill(struct tcp_sock* tcp, const struct tw_resume* start) {
  tcp->snd_cwnd = window_of(tcp, start->rate);
  tcp->snd_ssthresh = tcp->snd_cwnd;
}

static void probe(struct sock* sk, struct tcp_sock* tcp, struct tw_resume* start) {
  switch (judge_burst(tcp, start)) {
    case passed:
      start->rate = most(start->rate, start->measured);
      start->failed = start->undecided = 0;
      break;
    case failed:
      start->rate = most(start->rate, start->measured * below_measured / hundredths);
      start->failed += is_careful(start) ? most_failed : 1;
      break;
    case undecided:
      start->undecided += 1;
      break;
  }
  const __u32 window = window_of(tcp, start->rate);
  if (start->failed >= most_failed) {
    start->is_full = 1;
    fill(tcp, start);
    return give_over(sk, start);
  }
  tcp->snd_cwnd = most(tcp->snd_cwnd, window + window / spare_part);
  // Round trips say nothing here: the other one may find out by itself.
  if (start->undecided >= most_undecided) return give_over(sk, start);
  begin_burst(sk, start);
}

// Returns bytes a second that the path has delivered since the first acknowledgement, or lately.
static __u64 carried(const struct tcp_sock* tcp, const struct tw_resume* start) {
  const __u64 mss = tcp->mss_cache, lately_us = tcp->rate_interval_us;
  const __u64 lately = rate_of(tcp->rate_delivered * mss, lately_us);
  if (start->heard_us == 0) return lately;
  const __u64 bytes = (tcp->delivered - start->heard) * mss;
  return most(lately, rate_of(bytes, tcp->tcp_mstamp - start->heard_us));
}

// The retreat of RFC 9959: a path that has lost more than by chance carries what came through.
static void retreat(struct tcp_sock* tcp, struct tw_resume* start, __u32 window) {
  const __u64 lost = tcp->lost - start->lost, delivered = tcp->delivered - start->delivered;
  if (lost * hundredths > (lost + delivered) * tolerated_loss) {
    tcp->snd_ssthresh = least(tcp->snd_ssthresh, most(window, fewest_segments));
    tcp->snd_cwnd = least(tcp->snd_cwnd, tcp->snd_ssthresh);
  }
  const __u64 bytes = (__u64)tcp->snd_ssthresh * tcp->mss_cache;
  start->rate = least(start->rate, rate_of(bytes, base_rtt(tcp)));
}

SEC("struct_ops/resume_cong_avoid")
void resume_cong_avoid(__u64* arguments) {
  struct sock* sk = (struct sock*)arguments[0];
  struct tcp_sock* tcp = (struct tcp_sock*)sk;
  struct tw_resume* start = resume_of(sk);
  if (!start) return;
  // The kernel has taken a reduction back: what it took for lost had only come late.
  if (start->phase == tw_resume_retreating) return give_over(sk, start);
  // BBR and its kin find out themselves what a path carries.
  const int enough = start->phase == tw_resume_filling || start->models;
  if (enough && tcp->delivered - start->delivered >= start->window) return give_over(sk, start);
  if (start->phase != tw_resume_probing) return;
  const __u32 una = tcp->snd_una;
  if ((__s32)(una - start->burst_begin) <= 0) return;
  if (start->burst_heard_us == 0) {
    start->burst_heard_us = tcp->tcp_mstamp;
    start->burst_first = una;
  } else if (start->burst_rate != 0 && (__s32)(una - start->burst_end) >= 0) {
    probe(sk, tcp, start);
  }
}

SEC("struct_ops/resume_ssthresh")
__u32 resume_ssthresh(__u64* arguments) {
  struct sock* sk = (struct sock*)arguments[0];
  const struct tcp_sock* tcp = (const struct tcp_sock*)sk;
  struct tw_resume* start = resume_of(sk);
  if (start) {
    start->phase = tw_resume_retreating;
    pace(sk, start->rate);
  }
  return most(tcp->snd_cwnd * kept_after_loss / tenths, 2);
}

SEC("struct_ops/resume_event")
void resume_event(__u64* arguments) {
  struct sock* sk = (struct sock*)arguments[0];
  const __u32 event = arguments[1];
  struct tcp_sock* tcp = (struct tcp_sock*)sk;
  struct tw_resume* start = resume_of(sk);
  if (!start || start->phase == tw_resume_over) return;
  if (event == event_complete_cwr) {
    retreat(tcp, start, window_of(tcp, carried(tcp, start)));
    give_over(sk, start);
  } else if (event == event_loss) {  // a timeout
    retreat(tcp, start, tcp->delivered - start->delivered);
    give_over(sk, start);
  }
}

SEC("struct_ops/resume_undo")
__u32 resume_undo(__u64* arguments) { return tcp_reno_undo_cwnd((struct sock*)arguments[0]); }

// The process writes its own name over this one, as long, before it loads it: names are the whole
// machine's.
SEC(".struct_ops")
struct tcp_congestion_ops careful_resume = {
    .init = (void*)resume_init,
    .ssthresh = (void*)resume_ssthresh,
    .undo_cwnd = (void*)resume_undo,
    .cong_avoid = (void*)resume_cong_avoid,
    .cwnd_event = (void*)resume_event,
    .pkts_acked = (void*)resume_pkts_acked,
    .min_tso_segs = (void*)resume_train,
    .name = "thalweg????????",
};

char license_of_this[] SEC("license") = "GPL";
