"""What Thalweg's relay wants to reach, in one table; the figures are its medians, or against HAProxy's."""


from lib.statistics import ratio

from .targets import Target

OTHER = "haproxy"


def _plain(scenario, metric):
    return lambda median: median(scenario, metric)


def _against_other(scenario, metric):
    return lambda median: ratio(median(scenario, metric), median(scenario, metric, OTHER))


def _dearest(scenario, metric):
    def of(median):
        most, least = (median(scenario, metric, part=part) for part in ("most", "least"))
        return None if most == least else ratio(most, least)  # a single run says nothing
    return of


BULK = (("bulk-1", "one stream, offloads on", 0.55), ("bulk-8", "eight streams, offloads on", 0.55),
        ("bulk-1-off", "one stream, offloads off", 0.75), ("bulk-8-off", "eight streams, offloads off", 0.75))
# Strangers have half of relay.early_syn.total_rate, 2,000.
FLOOD = (("kept by a 1 Gbps flow", "%", "≥", 99, "steady_kept_share"),
         ("kept of what a firewall leaves", "%", "≥", 90, "unlimited_kept_share"),
         ("a known client against its usual, p50", "×", "≤", 2, "known_against_usual"),
         ("halves begun for strangers", "1/s", "≤", 1000, "stranger_halves_per_s"))
# Where splicing has two regimes, the dear one costs twice as much and more.
ONE_REGIME = 1.5


def targets_of(parallel):
    """`parallel`: how many connections at a time the run had."""
    return (
        *(Target(f"{about}: machine's CPU-s/GB against HAProxy", "×", "≤", value,
                 _against_other(name, "machine_cpu_s_per_gb")) for name, about, value in BULK),
        *(Target(f"{about}: machine, dearest run against cheapest", "×", "≤", ONE_REGIME,
                 _dearest(name, "machine_cpu_s_per_gb")) for name, about, _value in BULK),
        Target("new connection + 1 KB: added latency, p50", "µs", "≤", 30,
               _plain("connect-1", "added_p50_us")),
        *(Target(f"new connection, {number} at a time: relay's CPU", "µs", "≤", 25,
                 _plain(f"connect-{number}", "relay_cpu_us_per_connection"))
          for number in dict.fromkeys((1, parallel))),
        Target("interactive byte, idle relay: forwarding, arrival to departure, p50", "µs", "≤", 50,
               _plain("interactive", "forwarding_p50_us")),
        # A byte and its echo are two forwardings. This has the ends in it too, and where they are woken.
        Target("interactive byte, idle relay: added one way (half of what an exchange takes longer), p50",
               "µs", "≤", 50, _plain("interactive", "added_one_way_p50_us")),
        *(Target(f"SYN flood: {about}", unit, relation, value, _plain("syn-flood", name))
          for about, unit, relation, value, name in FLOOD),
        Target("idle connection: user space", "KB", "≤", 1, _plain("idle", "user_kb")),
        Target("idle connection: kernel", "KB", "≤", 8.5, _plain("idle", "kernel_kb")),
        Target("idle connection after bulk: user space", "KB", "≤", 1, _plain("idle", "user_bulk_kb")),
        Target("idle connection after bulk: kernel", "KB", "≤", 8.5, _plain("idle", "kernel_bulk_kb")),
    )
