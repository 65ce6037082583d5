"""For the record: when, where, with what a run was made; and the run as one JSON object."""

import datetime
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

from . import TOP
from . import bed as beds
from .results import MACHINE
from .settings import rate_name
from .targets import check_targets, distances

NOTES = (
    "CPU-s/GB: user and system time of the daemon by payload received (10^9 bytes); what the kernel does",
    "in softirq for one end's packets over a veth is billed to whoever runs, mostly the other end.",
)


def _first_line(argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False, cwd=TOP,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def _commit():
    commit = _first_line(["git", "rev-parse", "--short", "HEAD"])
    changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], cwd=TOP, text=True,
                             capture_output=True, check=False).stdout.strip()
    return commit + (" with changes" if changed else "")


def cpu_model():
    """As /proc/cpuinfo has it."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
    return found.group(1) if found else "unknown"


def machine_facts(settings):
    """What must be known to repeat a run of any kind, as {key: words}."""
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(encoding="utf-8"))
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "command": shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
            "commit": _commit(), "kernel": os.uname().release,
            "cpu": f"{cpu_model()}, {len(os.sched_getaffinity(0))} cores",
            "memory": f"{int(memory.group(1)) / 1048576:.0f} GiB",
            "load before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
            "congestion control": f"{settings.congestion}, by the route",
            "runs": str(settings.runs), "seconds each": f"{settings.seconds:g}",
            "iperf3": _first_line(["iperf3", "--version"])}


def environment(settings, daemons):
    """The same of bench/tunnel."""
    pinning = ("the client's daemon, iperf3 and prober and the load generator on CPU 0, the server's on CPU 1"
               if settings.pin else "none")
    found = {**machine_facts(settings),
             "MTU": f"{beds.MTU} in the tunnel, {beds.WIRE_MTU} on the wire", "pinning": pinning,
             "offloads on": "; ".join(beds.offload_lines(True)),
             "offloads off": "; ".join(beds.offload_lines(False)),
             "load of the peers": f"{rate_name(settings.load)}bit/s together",
             "load under flood": f"{rate_name(settings.flood_load)}bit/s; flood {settings.flood_pps:,}/s",
             "wg": _first_line(["wg", "--version"])}
    for daemon in daemons:
        found[f"daemon {daemon.name}"] = f"{daemon.command()} ({daemon.version()})"
    return found


def to_record(settings, scenarios, daemons, results, env, interrupted):
    """The whole run of bench/tunnel. Ratios, targets and distances are of the first daemon."""
    first = daemons[0].name
    found = assemble("bench/tunnel", "Tunnels side by side", NOTES, settings, daemons, env, interrupted)
    found["scenarios"] = results.to_json(scenarios, first)
    found["targets"]["checked"] = check_targets(results, first)
    found["limits"]["distances"] = distances(results, first)
    found["settings"] |= {"load_bps": settings.load, "flood_load_bps": settings.flood_load,
                          "flood_pps": settings.flood_pps}
    return found


def assemble(what, title, notes, settings, daemons, env, interrupted):
    """A record without its figures. `notes`: what a reader of the figures must know, line by line."""
    first = daemons[0].name
    return {"what": what, "title": title, "environment": env, "interrupted": interrupted,
            "daemons": [daemon.name for daemon in daemons], "machine": MACHINE,
            "commands": list(settings.commands), "notes": list(notes), "scenarios": [],
            "targets": {"daemon": first, "checked": []}, "limits": {"daemon": first, "distances": []},
            "settings": {"runs": settings.runs, "seconds": settings.seconds, "pin": settings.pin,
                         "congestion": settings.congestion}}


def to_text(record):
    """As JSON that ends with a newline; numbers to six digits."""
    def rounded(value):
        if isinstance(value, float):
            return float(f"{value:.6g}")
        if isinstance(value, dict):
            return {key: rounded(one) for key, one in value.items()}
        return [rounded(one) for one in value] if isinstance(value, (list, tuple)) else value
    return json.dumps(rounded(record), indent=1, ensure_ascii=False) + "\n"
