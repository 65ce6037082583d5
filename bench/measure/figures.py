"""The metrics: what they are called, their unit, and whether more of it is better."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metric:
    """`better` is "more", "less", or "" for what is only said. `digits` behind the point."""

    label: str
    unit: str
    better: str = ""
    digits: int = 2


def _rtt(what, begin="RTT"):
    return Metric(f"{begin} {what}", "µs", "less", 0)


METRICS = {
    "gbps": Metric("throughput", "Gbps", "more"),
    "sender_cpu_s_per_gb": Metric("sender's daemon", "CPU-s/GB", "less"),
    "receiver_cpu_s_per_gb": Metric("receiver's daemon", "CPU-s/GB", "less"),
    "machine_cpu_s_per_gb": Metric("whole machine", "CPU-s/GB", "less"),
    "machine_cpus": Metric("cores busy", "cores", "", 2),
    "others_cpus": Metric("busy with others just before", "cores", "", 2),
    "stolen_share": Metric("stolen from the machine", "%", "", 1),
    "retransmits": Metric("retransmits", "", "less", 0),
    "bytes_per_wire_packet": Metric("size on the wire", "bytes/packet", "", 0),
    "bytes_per_tunnel_packet": Metric("size in the tunnel's device", "bytes/packet", "", 0),
    "offered_mbps": Metric("offered", "Mbps", "", 0),
    "delivered_mbps": Metric("delivered", "Mbps", "more", 0),
    "loss_share": Metric("lost (sent - received)", "%", "less", 3),
    "rtt_p50_us": _rtt("p50"), "rtt_p99_us": _rtt("p99"), "rtt_p999_us": _rtt("p99.9"),
    "rtt_max_us": _rtt("max"),
    "probes": Metric("probes", "", "", 0), "probe_loss_share": Metric("probes lost", "%", "less", 2),
    "prober_late_p99_us": Metric("prober late p99", "µs", "", 0),
    "bystander_p50_us": _rtt("p50", "bystander RTT"), "bystander_p99_us": _rtt("p99", "bystander RTT"),
    "bystander_p999_us": _rtt("p99.9", "bystander RTT"), "bystander_max_us": _rtt("max", "bystander RTT"),
    "cpu_ns_per_packet": Metric("daemon, per packet", "CPU-ns", "less", 0),
    "daemon_cpus": Metric("daemon", "cores", "", 2),
    "generator_cpus": Metric("load generator", "cores", "", 2),
    "generator_offered_share": Metric("generator offered, of what was asked for", "%", "", 1),
    "generator_kept_schedule": Metric("generator sent on time (1: yes)", "", "", 0),
    "established": Metric("peers established", "", "more", 0),
    "reordered": Metric("reordered", "packets", "less", 0),
    "corrupt": Metric("corrupt", "packets", "less", 0),
    "delivered_share": Metric("of the stated rate", "%", "more", 2),
    "delivered_of_offered_share": Metric("of what was offered", "%", "more", 2),
    "flood_kpps": Metric("flood sent", "kpps", "", 1),
    "rekeys": Metric("handshakes meanwhile", "", "more", 0),
    "rekeys_per_peer": Metric("rekeys a peer", "", "more", 2),
    "handshakes_per_s": Metric("handshakes", "1/s", "more", 0),
    "handshakes_per_core_s": Metric("handshakes per core", "1/s", "more", 0),
    "response_p99_us": Metric("response p99", "µs", "less", 0),
    "memory_idle_mb": Metric("resident, 1 peer, idle", "MB", "less", 1),
    "memory_loaded_mb": Metric("resident, after load", "MB", "less", 1),
    "memory_most_mb": Metric("resident, the most", "MB", "less", 1),
    "memory_1000_mb": Metric("resident, 1,000 peers", "MB", "less", 1),
    "memory_10000_mb": Metric("resident, 10,000 peers", "MB", "less", 1),
    "bytes_per_peer": Metric("a further idle peer", "bytes", "less", 0),
    "setconf_ms": Metric("wg setconf", "ms", "less", 0),
    "show_ms": Metric("wg show", "ms", "less", 0),
    "toml_ms": Metric("thalweg run, until it answers", "ms", "less", 0),
    "seal_ns": Metric("cipher alone, sealing, batches of 32, one key", "ns/packet", "less", 0),
    "open_ns": Metric("the same, opening", "ns/packet", "less", 0),
    "seal_keys_ns": Metric("sealing, 64 keys in turn", "ns/packet", "less", 0),
    "open_keys_ns": Metric("opening, 64 keys in turn", "ns/packet", "less", 0),
    "seal_single_ns": Metric("sealing, one by one", "ns/packet", "less", 0),
    "open_single_ns": Metric("opening, one by one", "ns/packet", "less", 0),
    "seal_small_ns": Metric("sealing 64 bytes, one key", "ns/packet", "less", 0),
    "open_small_ns": Metric("opening 64 bytes, one key", "ns/packet", "less", 0),
    "seal_small_keys_ns": Metric("sealing 64 bytes, 64 keys in turn", "ns/packet", "less", 0),
    "open_small_keys_ns": Metric("opening 64 bytes, 64 keys in turn", "ns/packet", "less", 0),
    "cipher_s_per_gb": Metric("cipher alone", "CPU-s/GB", "less"),
    "curve_us": Metric("a curve operation, OpenSSL's own benchmark", "µs", "less", 1),
    "x25519_us": Metric("the same with a key imported for it", "µs", "less", 1),
    "x25519_kept_us": Metric("the same with a key that is kept", "µs", "less", 1),
    "responder_curve_us": Metric("a responder's four curve operations", "µs", "less", 1),
    "base_point_us": Metric("the same of the base point", "µs", "less", 1),
    "curve_handshakes_per_core_s": Metric("handshakes that the curve allows", "1/s", "more", 0),
    "pops_cpu_s_per_gb": Metric("both PoPs", "CPU-s/GB", "less"),
    "pops_scaled_cpu_s_per_gb": Metric("both PoPs, as with wireguard-go of 2025", "CPU-s/GB", "less"),
    "first_cpu_s_per_gb": Metric("first PoP", "CPU-s/GB", "less"),
    "last_cpu_s_per_gb": Metric("last PoP", "CPU-s/GB", "less"),
    "link_cpu_s_per_gb": Metric("of which the emulated link", "CPU-s/GB", ""),
    "link_dropped": Metric("dropped by the emulated link", "segments", "less", 0),
    "client_cpu_s_per_gb": Metric("client's tunnel", "CPU-s/GB", "less"),
    "pops_cpu_us_per_connection": Metric("both PoPs, per connection", "CPU-µs", "less", 1),
    "pops_scaled_cpu_us_per_connection": Metric("both PoPs, per connection, as with wireguard-go of 2025",
                                                "CPU-µs", "less", 1),
    "resent_per_gb": Metric("sent again, all hosts", "segments/GB", "less", 0),
    **{f"{label}_{name}": Metric(f"{words}, {where}", unit, better, 0)
       for name, words, unit, better in (("resent", "sent again", "segments", "less"),
                                         ("dropped", "dropped by devices", "packets", "less"),
                                         ("overflowed", "dropped by full sockets", "datagrams", "less"),
                                         ("learned_mbps", "rate learned for its path", "Mbps", ""),
                                         ("program_dropped", "dropped by the program", "packets", "less"),
                                         ("switches_per_s", "context switches", "1/s", "less"))
       for label, where in (("client", "client"), ("first", "first PoP"), ("last", "last PoP"),
                            ("server", "server"))},
    "leg_mbps": Metric("throughput", "Mbps", "more", 1),
    "first_s": Metric("first transfer", "s", "less", 2),
    "first_resent": Metric("first transfer, sent again", "segments", "less", 0),
    "first_resent_bdps": Metric("first transfer, sent again", "BDP", "less", 3),
    "later_resent": Metric("later, sent again", "segments", "less", 0),
    "later_resent_share": Metric("later, sent again", "%", "less", 3),
    "starts_passed": Metric("starts that were delivered", "", "", 0),
    "starts_failed": Metric("starts that lost much", "", "", 0),
    "starts_undecided": Metric("starts over before that was known", "", "", 0),
    "relay_cpu_s_per_gb": Metric("relay", "CPU-s/GB", "less"),
    "latency_p50_us": Metric("connection and answer p50", "µs", "less", 1),
    "latency_p99_us": Metric("connection and answer p99", "µs", "less", 1),
    "latency_p999_us": Metric("connection and answer p99.9", "µs", "less", 1),
    "connect_p50_us": Metric("connection alone p50", "µs", "", 1),
    "plain_p50_us": Metric("without a relay p50", "µs", "", 1),
    "plain_p99_us": Metric("without a relay p99", "µs", "", 1),
    "plain_p95_us": Metric("without a relay p95", "µs", "", 1),
    "added_p50_us": Metric("added p50", "µs", "less", 1),
    "added_p99_us": Metric("added p99", "µs", "less", 1),
    "added_p95_us": Metric("added p95", "µs", "less", 1),
    "exchanges": Metric("bytes sent, one at a time", "", "", 0),
    "exchange_p50_us": Metric("byte and its echo p50", "µs", "less", 1),
    "exchange_p95_us": Metric("byte and its echo p95", "µs", "less", 1),
    "exchange_p99_us": Metric("byte and its echo p99", "µs", "less", 1),
    "added_one_way_p50_us": Metric("added one way (half of added p50)", "µs", "less", 1),
    "forwarding_p50_us": Metric("forwarding: arrival to departure p50", "µs", "less", 1),
    "forwarding_p95_us": Metric("forwarding p95", "µs", "less", 1),
    "forwarding_p99_us": Metric("forwarding p99", "µs", "less", 1),
    "beside_gbps": Metric("stream beside it, on the client's wire", "Gbps", "", 2),
    "usual_p50_us": Metric("the same without the flood p50", "µs", "", 1),
    "known_against_usual": Metric("a known client, with the flood against without", "×", "less", 2),
    "steady_kept_share": Metric("kept by a 1 Gbps flow", "%", "more", 2),
    "unlimited_kept_share": Metric("kept of what a firewall that drops the flood leaves", "%", "more", 1),
    "stranger_halves_per_s": Metric("halves begun for strangers", "1/s", "less", 0),
    "reported_share": Metric("SYNs reported to the relay", "%", "", 2),
    "connections_per_s": Metric("connections", "1/s", "more", 0),
    "failed_share": Metric("connections failed", "%", "less", 3),
    "relay_cpu_us_per_connection": Metric("relay, per connection", "CPU-µs", "less", 1),
    "machine_cpu_us_per_connection": Metric("whole machine, per connection", "CPU-µs", "less", 1),
    "generator_busiest": Metric("load generator, its busier end", "cores", "", 2),
    "idle_connections": Metric("connections", "", "", 0),
    "user_kb": Metric("user space, idle", "KB", "less", 2),
    "user_rss_kb": Metric("the same as resident memory", "KB", "less", 2),
    "kernel_kb": Metric("kernel, idle", "KB", "less", 2),
    "socket_pages_kb": Metric("pages charged to sockets, idle", "KB", "", 2),
    "user_bulk_kb": Metric("user space, after bulk", "KB", "less", 2),
    "user_bulk_rss_kb": Metric("the same as resident memory", "KB", "less", 2),
    "kernel_bulk_kb": Metric("kernel, after bulk", "KB", "less", 2),
    "socket_pages_bulk_kb": Metric("pages charged to sockets, after bulk", "KB", "", 2),
    "io_send_ns": Metric("UDP send, trains", "CPU-ns/packet", "less", 0),
    "io_send_s_per_gb": Metric("UDP send, trains", "CPU-s/GB", "less", 3),
    "io_send_packets_per_call": Metric("packets a send", "", "", 1),
    "io_receive_ns": Metric("UDP receive and TUN write", "CPU-ns/packet", "less", 0),
    "io_receive_s_per_gb": Metric("UDP receive and TUN write", "CPU-s/GB", "less", 3),
    "io_receive_packets_per_call": Metric("packets a receive", "", "", 1),
}


def metric(name):
    """Engines bring metrics of their own: `openssl_seal_ns`."""
    if name in METRICS:
        return METRICS[name]
    engine, _, rest = name.partition("_")
    if rest in METRICS:
        known = METRICS[rest]
        return dataclasses.replace(known, label=f"{engine}: {known.label}")
    return Metric(name.replace("_", " "), "")


def text(name, value):
    """A value as people read it, without its unit."""
    if value is None:
        return "–"
    return f"{value:,.{metric(name).digits}f}"
