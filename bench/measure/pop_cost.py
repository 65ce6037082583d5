"""What a measurement of the whole path took beside its result: CPU time, retransmissions, drops, switches."""

import contextlib
import time

from lib.cpu import switches

from .counters import read_counters
from .pop_bed import POPS

# Debian's wireguard-go of 2022 takes 2.5 times the CPU of that of 2025.
TUNNEL_SHARE_OF_2025 = 0.4


class Cost:
    """Filled when its block ends; see spent()."""

    def __init__(self):
        self.meter = None
        self.seconds = 0.0
        self.counters, self.switches, self.drops = {}, {}, {}
        self.link_dropped = None

    def pop_cpu(self, label, tunnel_share=1.0):
        """Seconds of all that a PoP runs, or of both. `tunnel_share`: as if its tunnel took so much of it."""
        if label == "pops":
            return sum(self.pop_cpu(one, tunnel_share) for one in POPS)
        return self.meter.used[f"{label}_tunnels"] * tunnel_share + self.meter.used[f"{label}_relays"]

    @property
    def machine(self):
        """Without what is here to disturb. The emulated link's threads are in it: the kernel counts the
        machine's time by ticks, and would take too much off for what runs as shortly as they do."""
        return self.meter.machine - self.meter.used["hogs"]

    @property
    def resent(self):
        """TCP segments of all hosts."""
        return sum(one.resent for one in self.counters.values())


@contextlib.contextmanager
def spent(bed, pops):
    """Measures its block."""
    cost = Cost()
    pids = {label: [p.pid for p in bed.tunnels[label] + bed.relays[label]] for label in POPS}
    counters = {label: read_counters(host) for label, host in bed.hosts.items()}
    drops, lost = pops.drops(bed), bed.link_dropped()
    before, since = {label: switches(found) for label, found in pids.items()}, time.monotonic()
    with bed.meter() as cost.meter:
        yield cost
    cost.seconds = time.monotonic() - since
    cost.link_dropped = None if lost is None else bed.link_dropped() - lost
    cost.switches = {label: switches(found) - before[label] for label, found in pids.items()}
    cost.drops = {label: count - drops[label] for label, count in pops.drops(bed).items()}
    cost.counters = {label: read_counters(host) - counters[label] for label, host in bed.hosts.items()}


def of_bytes(cost, gigabytes, pops):
    """Metrics by payload that arrived."""
    metrics = {}
    if pops.has_programs:
        for label in ("pops", *POPS):
            metrics[f"{label}_cpu_s_per_gb"] = cost.pop_cpu(label) / gigabytes
        if pops.is_old():
            metrics["pops_scaled_cpu_s_per_gb"] = cost.pop_cpu("pops", TUNNEL_SHARE_OF_2025) / gigabytes
        metrics["client_cpu_s_per_gb"] = cost.meter.used["client"] / gigabytes
    metrics["machine_cpu_s_per_gb"] = cost.machine / gigabytes
    if cost.meter.used["link"]:
        metrics["link_cpu_s_per_gb"] = cost.meter.used["link"] / gigabytes
    return {**metrics, "resent_per_gb": cost.resent / gigabytes}


def of_connections(cost, count, pops):
    """Metrics by connection."""
    metrics = {}
    if pops.has_programs:
        metrics["pops_cpu_us_per_connection"] = cost.pop_cpu("pops") / count * 1e6
        if pops.is_old():
            metrics["pops_scaled_cpu_us_per_connection"] = (
                cost.pop_cpu("pops", TUNNEL_SHARE_OF_2025) / count * 1e6)
    return {**metrics, "machine_cpu_us_per_connection": cost.machine / count * 1e6}


def beside(bed, pops, cost):
    """Metrics that say what went wrong meanwhile, and under what conditions."""
    metrics = {"machine_cpus": cost.machine / cost.meter.seconds,
               "others_cpus": bed.others_cpus, "stolen_share": 100 * cost.meter.stolen / cost.meter.seconds}
    metrics |= {f"{label}_resent": one.resent for label, one in cost.counters.items()}
    for name in ("dropped", "overflowed"):
        metrics |= {f"{label}_{name}": getattr(cost.counters[label], name) for label in ("client", *POPS)}
    metrics |= {f"{label}_program_dropped": count for label, count in cost.drops.items()}
    if cost.link_dropped is not None:
        metrics["link_dropped"] = cost.link_dropped
    if pops.has_programs:
        metrics |= {f"{label}_switches_per_s": count / cost.seconds for label, count in cost.switches.items()}
    return {**metrics, **pops.learned(bed)}
