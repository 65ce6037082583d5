"""What Thalweg wants to reach, in one table, and whether a run reaches it."""

import dataclasses
from collections.abc import Callable

from lib.statistics import ratio

from .results import MACHINE


@dataclasses.dataclass(frozen=True)
class Target:
    """`of` gets median(scenario, metric[, competitor[, part of its Summary]]), and gives the figure or None
    if it was not measured."""

    what: str
    unit: str
    relation: str  # "≤" or "≥"
    value: float
    of: Callable

    def is_met(self, figure):
        return figure <= self.value if self.relation == "≤" else figure >= self.value


def _plain(scenario, metric):
    return lambda median: median(scenario, metric)


def _against(metric, scenario, other):
    return lambda median: ratio(median(scenario, metric), median(other, metric))


def _of_curve(median):
    share = ratio(median("handshakes", "handshakes_per_core_s"),
                  median("limit-curve", "curve_handshakes_per_core_s"))
    return None if share is None else 100 * share


def _cpu(what, scenario, receiver, sender):
    for end, value in (("receiver", receiver), ("sender", sender)):
        yield Target(f"{what}: {end}", "CPU-s/GB", "≤", value, _plain(scenario, f"{end}_cpu_s_per_gb"))


CIPHER = ("limit-cipher", "cipher_s_per_gb")
TARGETS = (
    *_cpu("TCP, one stream, offloads on", "tcp-1", 0.85, 1.2),
    *_cpu("TCP, four streams, offloads on", "tcp-4", 0.8, 1.0),
    *_cpu("TCP, one stream, offloads off", "tcp-1-off", 1.6, 1.8),
    Target("TCP, one stream, offloads on", "Gbps", "≥", 5, _plain("tcp-1", "gbps")),
    Target("TCP, one stream, offloads off", "Gbps", "≥", 2.8, _plain("tcp-1-off", "gbps")),
    Target("TCP, four streams, offloads on", "Gbps", "≥", 6.5, _plain("tcp-4", "gbps")),
    Target("50 peers, lone packets: lost", "%", "≤", 0.1, _plain("peers-50-lone", "loss_share")),
    Target("50 peers, lone packets: bystander RTT p99", "µs", "≤", 2000,
           _plain("peers-50-lone", "bystander_p99_us")),
    Target("1,000 peers against 50, lone packets: delivered", "×", "≥", 0.95,
           _against("delivered_mbps", "peers-1000-lone", "peers-50-lone")),
    Target("1,000 peers against 50, trains: delivered", "×", "≥", 0.95,
           _against("delivered_mbps", "peers-1000-train", "peers-50-train")),
    Target("1,000 peers against 50, lone packets: cost of a packet", "×", "≤", 1.15,
           _against("cpu_ns_per_packet", "peers-1000-lone", "peers-50-lone")),
    Target("1,000 peers against 50, trains: cost of a packet", "×", "≤", 1.15,
           _against("cpu_ns_per_packet", "peers-1000-train", "peers-50-train")),
    Target("RTT idle, p50", "µs", "≤", 110, _plain("rtt-idle", "rtt_p50_us")),
    Target("RTT beside one TCP stream, p99", "µs", "≤", 1000, _plain("rtt-tcp", "rtt_p99_us")),
    Target("responder handshakes per core, of what the curve allows", "%", "≥", 80, _of_curve),
    *(Target(f"flood {kind}: of the stated rate", "%", "≥", 95, _plain(f"flood-{kind}", "delivered_share"))
      for kind in ("bad-mac1", "spoofed", "random-index")),
    *(Target(f"flood {kind}: rekeys a peer in 150 s", "", "≥", 1, _plain(f"rekey-{kind}", "rekeys_per_peer"))
      for kind in ("bad-mac1", "spoofed", "random-index")),
    Target("resident memory, one peer, after load", "MB", "≤", 64, _plain("memory", "memory_loaded_mb")),
    Target("memory of a further idle peer", "bytes", "≤", 4096, _plain("memory", "bytes_per_peer")),
    Target("10,000 peers, wg setconf", "ms", "≤", 1000, _plain("control", "setconf_ms")),
    Target("10,000 peers, TOML", "ms", "≤", 1000, _plain("toml", "toml_ms")),
    Target("10,000 peers, wg show", "ms", "≤", 100, _plain("control", "show_ms")),
)

LIMITS = (  # what, the daemon's figure, the limits' (which add up), unit
    ("TCP, one stream, receiver, against cipher + kernel I/O", ("tcp-1", "receiver_cpu_s_per_gb"),
     (CIPHER, ("limit-io", "io_receive_s_per_gb")), "CPU-s/GB"),
    ("TCP, four streams, receiver, against cipher + kernel I/O", ("tcp-4", "receiver_cpu_s_per_gb"),
     (CIPHER, ("limit-io", "io_receive_s_per_gb")), "CPU-s/GB"),
    ("the same, offloads off, against cipher + kernel I/O", ("tcp-1-off", "receiver_cpu_s_per_gb"),
     (CIPHER, ("limit-io-off", "io_receive_s_per_gb")), "CPU-s/GB"),
    ("whole machine, one stream, against TCP without a tunnel", ("tcp-1", "machine_cpu_s_per_gb"),
     (("plain-tcp", "machine_cpu_s_per_gb"),), "CPU-s/GB"),
    ("whole machine, one stream, offloads off, against TCP without", ("tcp-1-off", "machine_cpu_s_per_gb"),
     (("plain-tcp-off", "machine_cpu_s_per_gb"),), "CPU-s/GB"),
    ("50 peers, lone packets, against cipher + kernel I/O", ("peers-50-lone", "cpu_ns_per_packet"),
     (("limit-cipher", "seal_keys_ns"), ("limit-io-off", "io_receive_ns")), "ns/packet"),
    ("RTT idle p50, against the wire's", ("rtt-idle", "rtt_p50_us"), (("plain-rtt", "rtt_p50_us"),), "µs"),
    ("handshakes per core, against the curve alone", ("handshakes", "handshakes_per_core_s"),
     (("limit-curve", "curve_handshakes_per_core_s"),), "1/s"),
)


def _medians(results, competitor):
    def median(scenario, metric, who=competitor, part="median"):
        own = results.summary(scenario, who, metric) or results.summary(scenario, MACHINE, metric)
        return None if own is None else getattr(own, part)
    return median


def check_targets(results, competitor, targets=TARGETS):
    """One dict a target that was measured: its words, figure, and whether it is met."""
    median = _medians(results, competitor)
    checked = []
    for target in targets:
        figure = target.of(median)
        if figure is not None:
            checked.append({"what": target.what, "unit": target.unit, "relation": target.relation,
                            "target": target.value, "figure": figure, "met": target.is_met(figure)})
    return checked


def distances(results, competitor):
    """One dict a limit that was measured: the figure, the limit, and how many times it is."""
    median = _medians(results, competitor)
    found = []
    for what, own, limits, unit in LIMITS:
        figure, bounds = median(*own), [median(*limit) for limit in limits]
        bound = None if None in bounds else sum(bounds)
        times = ratio(figure, bound)
        if times is not None:
            found.append({"what": what, "unit": unit, "figure": figure, "limit": bound, "times": times})
    return found
