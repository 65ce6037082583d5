"""The order of things: round by round, scenario by scenario, every daemon in turn, so that what drifts on
the machine drifts for all of them."""

import json
import subprocess
import sys
import time

from . import control, crowds, limits, paths
from .results import MACHINE
from .scenario import Kind

FAILURES = (AssertionError, OSError, ValueError, KeyError, IndexError, TypeError, ZeroDivisionError,
            subprocess.SubprocessError, json.JSONDecodeError)
QUICK = ("limit-cipher", "limit-io", "limit-curve", "tcp-1", "tcp-1-off", "rtt-idle", "rtt-tcp", "plain-tcp",
         "peers-50-lone")
HEADLINES = ("gbps", "leg_mbps", "rtt_p99_us", "delivered_mbps", "handshakes_per_core_s", "memory_loaded_mb",
             "setconf_ms", "toml_ms", "seal_ns", "x25519_us", "forwarding_p50_us", "exchange_p50_us",
             "added_p50_us", "connections_per_s",
             "kernel_kb")


def all_scenarios(settings):
    """Every one there is, in the order in which they run."""
    return [scenario for module in (limits, paths, crowds, control)
            for scenario in module.scenarios(settings)]


def choose(scenarios, only=(), quick=False, everything=False, quick_names=QUICK):
    """Those that are to run. A word of `only` that ends with * stands for all that begin so. Fails with
    ValueError if a word names nothing."""
    if not only:
        return [s for s in scenarios if (s.name in quick_names if quick else everything or not s.on_request)]
    def names(word, scenario):
        return scenario.name == word or (word.endswith("*") and scenario.name.startswith(word[:-1]))
    for word in only:
        if not any(names(word, scenario) for scenario in scenarios):
            raise ValueError(f"there is no scenario {word!r}; --list prints them")
    return [scenario for scenario in scenarios if any(names(word, scenario) for word in only)]


def plan(scenarios, daemons, rounds):
    """(round, scenario, daemon) of every measurement, in order; the daemon is None for the machine."""
    return [(number, scenario, daemon) for number in range(rounds) for scenario in scenarios
            if number == 0 or not scenario.once for daemon in scenario.competitors(daemons)]


class Progress:
    """Says on stderr what runs and how long the rest will take, corrected by how long the past took."""

    def __init__(self, steps, settings, out=sys.stderr):
        self.settings, self.out = settings, out
        self.left_s = sum(scenario.seconds(settings) for _, scenario, _ in steps)
        self.count, self.number = len(steps), 0
        self.expected_s = self.taken_s = 0.0

    def begin(self, number, scenario, name):
        self.number += 1
        factor = self.taken_s / self.expected_s if self.expected_s else 1.0
        self.out.write(f"[{self.number}/{self.count}] round {number + 1}, {scenario.name}, {name}; "
                       f"{duration_text(self.left_s * factor)} left … ")
        self.out.flush()

    def end(self, scenario, run, seconds):
        expected = scenario.seconds(self.settings)
        self.left_s -= expected
        self.expected_s += expected
        self.taken_s += seconds
        said = [f"{name} {run[name]:,.2f}" for name in HEADLINES if name in run] or ["done"]
        if "failed" in run:
            said = ["failed: " + run["failed"].splitlines()[0]]
        self.out.write(said[0] + "\n")
        self.out.flush()


def duration_text(seconds):
    """`40 s`, `12 min`."""
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"


def measure(settings, scenarios, daemons, results, progress_out=sys.stderr):
    """Fills `results`; whatever ends it early, what is in them is whole. Rounds in which a daemon fails
    count as failed for it, and the rest goes on."""
    steps = plan(scenarios, daemons, settings.runs)
    progress = Progress(steps, settings, progress_out)
    for number, scenario, daemon in steps:
        name = MACHINE if scenario.kind is Kind.MACHINE else daemon.name
        progress.begin(number, scenario, name)
        begin = time.monotonic()
        try:
            run = scenario.run(settings, daemon)
        except FAILURES as error:
            run = {"failed": str(error) or type(error).__name__}
        results.add(scenario.name, name, run)
        progress.end(scenario, run, time.monotonic() - begin)
