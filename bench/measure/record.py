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


def environment(settings, daemons):
    """What must be known to repeat a run, as {key: words}."""
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(encoding="utf-8"))
    pinning = ("the client's daemon, iperf3 and prober and the load generator on CPU 0, the server's on CPU 1"
               if settings.pin else "none")
    found = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
             "command": shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
             "commit": _commit(), "kernel": os.uname().release,
             "cpu": f"{cpu_model()}, {len(os.sched_getaffinity(0))} cores",
             "memory": f"{int(memory.group(1)) / 1048576:.0f} GiB",
             "load before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
             "congestion control": f"{settings.congestion}, by the route",
             "MTU": f"{beds.MTU} in the tunnel, {beds.WIRE_MTU} on the wire", "pinning": pinning,
             "offloads on": "; ".join(beds.offload_lines(True)),
             "offloads off": "; ".join(beds.offload_lines(False)),
             "runs": str(settings.runs), "seconds each": f"{settings.seconds:g}",
             "load of the peers": f"{rate_name(settings.load)}bit/s together",
             "load under flood": f"{rate_name(settings.flood_load)}bit/s; flood {settings.flood_pps:,}/s",
             "iperf3": _first_line(["iperf3", "--version"]), "wg": _first_line(["wg", "--version"])}
    for daemon in daemons:
        found[f"daemon {daemon.name}"] = f"{daemon.command()} ({daemon.version()})"
    return found


def to_record(settings, scenarios, daemons, results, env, interrupted):
    """The whole run. Ratios, targets and distances are of the first daemon."""
    first = daemons[0].name
    return {"what": "bench/tunnel", "environment": env, "interrupted": interrupted,
            "daemons": [daemon.name for daemon in daemons], "machine": MACHINE,
            "commands": list(settings.commands),
            "scenarios": results.to_json(scenarios, first),
            "targets": {"daemon": first, "checked": check_targets(results, first)},
            "limits": {"daemon": first, "distances": distances(results, first)},
            "settings": {"runs": settings.runs, "seconds": settings.seconds, "pin": settings.pin,
                         "congestion": settings.congestion, "load_bps": settings.load,
                         "flood_load_bps": settings.flood_load, "flood_pps": settings.flood_pps}}


def to_text(record):
    """As JSON that ends with a newline; numbers to six digits."""
    def rounded(value):
        if isinstance(value, float):
            return float(f"{value:.6g}")
        if isinstance(value, dict):
            return {key: rounded(one) for key, one in value.items()}
        return [rounded(one) for one in value] if isinstance(value, (list, tuple)) else value
    return json.dumps(rounded(record), indent=1, ensure_ascii=False) + "\n"
