"""Memory of some processes and of the kernel, as /proc has it; in KB of 1,024 bytes."""

import dataclasses
import pathlib
import re
import time

from lib.cpu import family

PAGE_KB = 4
STEADY_KB = 64
INTERVAL_S = 0.25
PATIENCE_S = 8


@dataclasses.dataclass(frozen=True)
class Memory:
    """`rss`, `pss`: of the processes and all that they have started. `slab`: the kernel's objects, sockets
    among them, of the whole machine; with it the stacks of its threads and page tables. `socket_pages`: what
    TCP has charged to sockets for bytes in them."""

    rss: float
    pss: float
    slab: float
    socket_pages: float

    def __sub__(self, other):
        return Memory(*(mine - theirs for mine, theirs in
                        zip(dataclasses.astuple(self), dataclasses.astuple(other))))

    def over(self, count):
        """A share of it."""
        return Memory(*(value / count for value in dataclasses.astuple(self)))


def parse_fields(text, keys):
    """The sum of `key: 123 kB` lines."""
    return sum(int(re.search(rf"^{key}:\s+(\d+) kB", text, re.M).group(1)) for key in keys)


def parse_socket_pages(text):
    """Of /proc/net/sockstat, in KB; the same in all network namespaces."""
    return int(re.search(r"^TCP: .*\bmem (\d+)", text, re.M).group(1)) * PAGE_KB


def _read(path):
    return pathlib.Path(path).read_text(encoding="utf-8")


def read(pids):
    """Now."""
    rss = pss = 0
    for pid in family(pids):
        try:
            text = _read(f"/proc/{pid}/smaps_rollup")
        except OSError:
            continue  # it has ended meanwhile
        rss, pss = rss + parse_fields(text, ["Rss"]), pss + parse_fields(text, ["Pss"])
    slab = parse_fields(_read("/proc/meminfo"), ["Slab", "KernelStack", "PageTables"])
    return Memory(rss, pss, slab, parse_socket_pages(_read("/proc/net/sockstat")))


def settled(pids):
    """As soon as the kernel's part stands still: what was freed comes back after a grace period, and
    answers are acknowledged late. After a while the last reading, if it does not."""
    deadline = time.monotonic() + PATIENCE_S
    time.sleep(2 * INTERVAL_S)
    last = read(pids)
    while True:
        time.sleep(INTERVAL_S)
        now = read(pids)
        if max(abs(now.slab - last.slab), abs(now.socket_pages - last.socket_pages)) <= STEADY_KB:
            return now
        if time.monotonic() > deadline:
            return now
        last = now
