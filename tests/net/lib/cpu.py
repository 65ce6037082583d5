"""CPU time, context switches and memory of programs and of the machine, from /proc: for tests and bench/."""

import dataclasses
import os
import pathlib
import re
import threading
import time

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def process_seconds(pid):
    """User and system time of all threads, the ended ones too. In steps of 10 ms."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def _children(pid):
    folder = pathlib.Path(f"/proc/{pid}/task")
    return [int(child) for task in folder.iterdir()
            for child in (task / "children").read_text(encoding="utf-8").split()]


def family(pids):
    """These processes and all that they have started and that still run."""
    found, unvisited = [], list(pids)
    while unvisited:
        pid = unvisited.pop()
        try:
            unvisited += _children(pid)
        except OSError:
            continue  # it has ended meanwhile
        found.append(pid)
    return found


def family_seconds(pids):
    """Of those, and of their children that have ended."""
    total = 0.0
    for pid in family(pids):
        try:
            text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except OSError:
            continue
        total += sum(map(int, text.rpartition(")")[2].split()[11:15])) * TICK_S
    return total


def switches(pids):
    """Context switches of these processes' threads and of those they have started, that still run."""
    total = 0
    for pid in family(pids):
        for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
            try:
                text = status.read_text(encoding="utf-8")
            except OSError:
                continue  # it has ended meanwhile
            total += sum(int(line.split()[1]) for line in text.splitlines() if "_ctxt_switches:" in line)
    return total


def machine_seconds():
    """Of all cores: busy, and stolen by the machine below this virtual one."""
    first = pathlib.Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq) * TICK_S, steal * TICK_S


def busy_cores(seconds):
    """How many cores the machine uses on average for so long, whoever does."""
    before, since = machine_seconds()[0], time.monotonic()
    time.sleep(seconds)
    return (machine_seconds()[0] - before) / (time.monotonic() - since)


def memory_mb(pid):
    """Resident memory now, and the most there was, in MB of 10^6 bytes."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    def of(key):
        return int(re.search(rf"^{key}:\s+(\d+) kB", status, re.M).group(1)) * 1024 / 1e6
    return of("VmRSS"), of("VmHWM")


UDP_HEADERS = 28  # with IPv4's


def count_datagrams(packets, size, datagram):
    """How many IPv4 datagrams of UDP, `datagram` bytes each, were in `packets` packets of `size` bytes
    together. A train counts once as a packet, and has the headers once."""
    return (size - UDP_HEADERS * packets) / (datagram - UDP_HEADERS)


def received(pid, interface):
    """Packets and bytes that a device in the network namespace of a process has received."""
    for line in pathlib.Path(f"/proc/{pid}/net/dev").read_text(encoding="utf-8").splitlines():
        name, colon, counts = line.partition(":")
        if colon and name.strip() == interface:
            size, packets = counts.split()[:2]
            return int(packets), int(size)
    raise OSError(f"no device {interface} where process {pid} is")


class Meter:
    """CPU-seconds of some processes, and of the machine, between entering and leaving. A list of processes
    stands for them and all that they start.

        with Meter(sender=pid, receiver=pid) as meter: ...
        meter.used["sender"], meter.machine, meter.stolen, meter.seconds
    """

    def __init__(self, **pids):
        self.pids, self.used = pids, {}
        self.machine = self.stolen = self.seconds = 0.0

    def __enter__(self):
        self._before = self._read()
        self._machine = machine_seconds()
        self._since = time.monotonic()
        return self

    def __exit__(self, *exception):
        if exception[0] is not None:
            return
        self.seconds = time.monotonic() - self._since
        busy, stolen = machine_seconds()
        self.machine, self.stolen = busy - self._machine[0], stolen - self._machine[1]
        self.used = {name: seconds - self._before[name] for name, seconds in self._read().items()}

    def _read(self):
        return {name: family_seconds(pid) if isinstance(pid, list) else process_seconds(pid)
                for name, pid in self.pids.items()}


@dataclasses.dataclass
class Sample:
    """At one moment: CPU-seconds of the process and datagrams of its device since their beginning."""

    at: float
    cpu: float
    packets: float


class Sampler:
    """Reads a daemon's CPU time and its device's datagrams ten times a second, on a thread of its own: a
    load generator's start and end are in what it did, and must not be in what a packet costs."""

    def __init__(self, pid, interface, datagram, interval=0.1):
        self.pid, self.interface, self.datagram, self.interval = pid, interface, datagram, interval
        self.samples = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while True:
            try:
                packets, size = received(self.pid, self.interface)
                self.samples.append(Sample(time.monotonic(), process_seconds(self.pid),
                                           count_datagrams(packets, size, self.datagram)))
            except OSError:
                return  # the daemon has ended: what it leaves undone says so
            if self._stop.wait(self.interval):
                return

    def steady(self):
        """(CPU-seconds, packets, seconds) between the tenth and the ninetieth percent of the packets."""
        return steady_part(self.samples)


def steady_part(samples):
    """See Sampler.steady(); None if there are too few samples or packets."""
    if len(samples) < 3:
        return None
    first, last = samples[0].packets, samples[-1].packets
    inner = [s for s in samples if first + 0.1 * (last - first) <= s.packets <= first + 0.9 * (last - first)]
    if last == first or len(inner) < 2 or inner[-1].packets == inner[0].packets:
        return None
    return (inner[-1].cpu - inner[0].cpu, inner[-1].packets - inner[0].packets, inner[-1].at - inner[0].at)
