"""A run of bench/relay for the record; see record.py."""

from . import relays
from .bed import WIRE_MTU
from .record import assemble, machine_facts
from .relay_bed import FIREWALL
from .relay_targets import targets_of
from .targets import check_targets

NOTES = (
    "CPU-s/GB: user and system time by payload received (10^9 bytes). The relay's has what the kernel does",
    "in its name; over a veth that is much of the ends' work as well. The machine's has all, iperf3 too.",
    "Latency: from connect() to the last byte of the answer; added: over the same hosts without a relay,",
    "measured a moment before. A byte and its echo: from send() to the echo's arrival, TCP_NODELAY at both",
    "ends, a pause of 2.5 to 7.5 ms before each; the relay forwards twice, so one way is half of what it",
    "adds. Forwarding: from a byte's arrival at the relay's host until it leaves by the other device, by the",
    "kernel's time stamps, bytes and echoes together; of direct: what the kernel alone takes to forward.",
    "KB of 1,024 bytes; user space: PSS; kernel: slab, page tables and stacks, without what the two ends",
    "take of them (of direct: what they take).",
)


def environment(settings, competitors):
    """What must be known to repeat the run."""
    found = {**machine_facts(settings), "MTU": str(WIRE_MTU),
             "pinning": "relay on CPU 1, all else on CPU 0" if settings.pin else "none",
             "offloads on": relays.offload_line(True),
             "offloads off": relays.offload_line(False),
             "idle": f"{settings.idle:,} connections, {settings.bulk_bytes:,} bytes each"}
    for relay in competitors:
        version = relay.version()
        found[f"relay {relay.name}"] = relay.command() + (f" ({version})" if version else "")
    if settings.governor:
        found["thalweg's governor"] = settings.governor
    if settings.stateful:
        found["the relay's host"] = "nft " + " ".join(FIREWALL.split())
    if settings.more_toml:
        found["more of thalweg's [relay]"] = "; ".join(settings.more_toml.split("\n")).strip("; ")
    return found


def to_record(settings, scenarios, competitors, results, env, interrupted):
    """The whole run. Ratios are to the first competitor; targets are Thalweg's, if it took part."""
    found = assemble("bench/relay", "Relays side by side", NOTES, settings, competitors, env, interrupted)
    found["scenarios"] = results.to_json(scenarios, competitors[0].name)
    if competitors[0].is_ours:
        targets = targets_of(settings.parallel)
        found["targets"]["checked"] = check_targets(results, competitors[0].name, targets)
    found["settings"] |= {"parallel": settings.parallel, "idle": settings.idle,
                          "bulk_bytes": settings.bulk_bytes}
    return found
