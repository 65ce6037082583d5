"""A run of bench/pop for the record; see record.py."""

from . import busy
from .bed import MTU, OFFLOADS, WIRE_MTU
from .pop_cost import TUNNEL_SHARE_OF_2025
from .pop_targets import targets_of
from .pops import client_of
from .record import assemble, machine_facts
from .targets import check_targets

NOTES = (
    "CPU-s/GB: user and system time by payload received (10^9 bytes). A PoP's is of all its programs, tunnel",
    "and relay, with what the kernel does in their names; what it does in softirq is billed to whoever runs.",
    "The machine's has all, iperf3, the client's tunnel and the emulated link too, but not the hogs.",
    f"As with wireguard-go of 2025: its tunnels' CPU times {TUNNEL_SHARE_OF_2025:g}, HAProxy's as it is; for",
    "an older wireguard-go only. Its throughput is left as it was measured.",
    "Sent again: TCP segments, by host. Dropped by devices: packets as the kernel counts them, of which a",
    "train is one; by the program: segments, by Thalweg's own queues and checks.",
)


def environment(settings, competitors):
    """What must be known to repeat the run."""
    client = client_of(settings)
    found = {**machine_facts(settings), "MTU": f"{MTU} in the tunnels, {WIRE_MTU} on the wires",
             "congestion control of the PoPs": f"{settings.pop_congestion}, by the route",
             "pinning": "PoPs on CPU 1, client and server on CPU 0" if settings.pin else "none",
             "offloads on": f"ethtool -K DEVICE {OFFLOADS[True]}, both ends of every veth",
             "offloads off": f"ethtool -K DEVICE {OFFLOADS[False]}, both ends of every veth",
             "emulated link": f"{settings.rate_mbps:,} Mbps each way, {settings.queue_ms} ms of queue",
             "warm-up": f"{settings.warm_up:g} s of one stream",
             "client": f"{client.command()} ({client.version()})",
             "competing": f"{settings.competing} programs that burn a CPU",
             "bursts": f"{busy.BURN_MS} ms of every {busy.PERIOD_MS} ms on each CPU, at FIFO priority"}
    for pops in competitors:
        found[f"PoPs {pops.name}"] = pops.command()
    if settings.more_toml:
        found["more of Thalweg's [relay]"] = "; ".join(settings.more_toml.split("\n")).strip("; ")
    return found


def to_record(settings, scenarios, competitors, results, env, interrupted):
    """The whole run. Ratios are to the first competitor; targets are Thalweg's, if it took part."""
    found = assemble("bench/pop", "Pairs of PoPs side by side", NOTES, settings, competitors, env,
                     interrupted)
    found["scenarios"] = results.to_json(scenarios, competitors[0].name)
    if competitors[0].is_ours:
        found["targets"]["checked"] = check_targets(results, competitors[0].name, targets_of(settings))
    found["settings"] |= {"parallel": settings.parallel, "competing": settings.competing,
                          "rate_mbps": settings.rate_mbps, "queue_ms": settings.queue_ms,
                          "warm_up": settings.warm_up, "pop_congestion": settings.pop_congestion}
    return found
