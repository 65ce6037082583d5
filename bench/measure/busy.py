"""Who else wants the CPUs: programs that burn them, always or in bursts that nothing can interrupt.

Run as a program: `busy.py hog` burns for ever; `busy.py burst CPU BURN_MS PERIOD_MS` burns on that CPU for so
long in every period, at FIFO priority, as a host does that takes the CPU of a virtual machine away.
"""

import os
import pathlib
import sys
import time

BURN_MS, PERIOD_MS = 3, 100


def _start(net, *words):
    return net.start([sys.executable, "-B", "-I", str(pathlib.Path(__file__)), *map(str, words)], name="busy")


def competing(net, count):
    """Starts so many hogs; they end with the network."""
    return [_start(net, "hog") for _ in range(count)]


def bursts(net):
    """The same of bursts, one program for each CPU."""
    return [_start(net, "burst", cpu, BURN_MS, PERIOD_MS) for cpu in sorted(os.sched_getaffinity(0))]


def _hog():
    while True:
        pass


def _burst(cpu, burn_s, period_s):
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_max(os.SCHED_FIFO)))
    due = time.monotonic()
    while True:
        due += period_s
        time.sleep(max(0.0, due - time.monotonic()))
        end = time.monotonic() + burn_s
        while time.monotonic() < end:
            pass


if __name__ == "__main__":
    if sys.argv[1] == "hog":
        _hog()
    else:
        _burst(int(sys.argv[2]), float(sys.argv[3]) / 1e3, float(sys.argv[4]) / 1e3)
