"""A run of bench/legs for the record; see record.py."""

from .bed import MTU
from .leg_nodes import REFERENCE
from .leg_paths import PATHS
from .leg_scenarios import SEGMENT_BYTES, first_bytes
from .leg_targets import against_reference, checked_pairs, targets
from .record import assemble, machine_facts
from .targets import check_targets

NOTES = (
    "First transfer: in fresh nodes, over a path of which nothing is known; resent by the far PoPs, by what",
    f"their kernels count, in segments of {SEGMENT_BYTES} bytes against the path's bandwidth-delay product.",
    "Later: the transfer after it in the same nodes. Throughput is what the client reads, without the first",
    "seconds; sent again: over all of it, of all segments that the far PoPs sent, with what the path loses.",
    "Dropped by devices: by those of the far PoPs, the tunnel's above all; the emulated link is not in it.",
    "Pair by pair: both in the same round, one after the other; the mean and Student's interval of the",
    "logarithms of the ratios.",
)


def environment(settings, competitors):
    """What must be known to repeat the run."""
    found = {**machine_facts(settings), "MTU": f"{MTU} in the tunnel",
             "RTT": f"{settings.rtt_ms:g} ms between the PoPs, by lab_bed",
             "throughput": f"from second {settings.from_s:g} to {settings.seconds:g}",
             "rates that change": f"{settings.change_s:g} s after the data begins to flow",
             "first transfer": ", ".join(f"{path.name} {first_bytes(settings, path) / 1e6:.3g} MB"
                                         for path in PATHS),
             "competing": f"{settings.competing} programs that burn a CPU, on paths that say so",
             "pinning": "PoPs on CPU 1, client and server on CPU 0" if settings.pin else "none"}
    for node in competitors:
        found[f"PoPs {node.name}"] = node.command()
    if settings.more_toml:
        found["more of the [relay]"] = "; ".join(settings.more_toml.split("\n")).strip("; ")
    return found


def to_record(settings, scenarios, competitors, results, env, interrupted):
    """The whole run. Targets are the first competitor's; every other build is held against `unpaced` too."""
    found = assemble("bench/legs", "Legs between PoPs", NOTES, settings, competitors, env, interrupted)
    found["scenarios"] = results.to_json(scenarios, competitors[0].name)
    for node in (node for node in competitors if node.is_ours):
        by_path = against_reference(results, node.name)
        for entry in found["scenarios"]:
            if one := by_path.get(entry["name"]):
                entry.setdefault("pairs", {})[node.name] = one.to_json()
                said = f"{node.name} / {REFERENCE}, throughput pair by pair: {one.text()}"
                entry.setdefault("remarks", []).append(said)
        if node is competitors[0]:
            found["targets"]["checked"] = [*checked_pairs(by_path),
                                           *check_targets(results, node.name, tuple(targets()))]
    found["settings"] |= {"rtt_ms": settings.rtt_ms, "from_s": settings.from_s,
                          "competing": settings.competing, "first_mb": settings.first_mb}
    return found
