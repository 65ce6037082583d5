"""The hosts of one measurement of legs: made for it, and gone after it.

    client ── 198.18.1.0/24 ── first ══ emulated path ══ last ── 192.0.2.0/24 ── server

`first` (R_C in the paper) and `last` (R_S) are PoPs with a tunnel between them; only what is between them is
long, and the client has no tunnel. With two far PoPs, they and the path meet in a router:

    first ══ emulated path ══ router ── last  ── 192.0.2.0/24 ──── server
                                     ── other ── 203.0.113.0/24 ──
"""

import contextlib
import dataclasses
import time

import lib
from lib.cpu import busy_cores

from . import bed as beds
from .busy import competing
from .long_link import long_link
from .relay_bed import QUIET_S

CLIENT, FIRST_ACCESS, ACCESS = "198.18.1.1", "198.18.1.2", "198.18.1.0/24"
NEAR_END, FAR_END, PATH = "198.18.2.1", "198.18.2.2", "198.18.2.0/24"
BEGUN_BYTES = 100_000  # of a far PoP: more than iperf3's own words
PATIENCE_S = 20


@dataclasses.dataclass(frozen=True)
class FarPop:
    """`endpoint` is where the first PoP's tunnel reaches it, over `gateway` if there is a router."""

    label: str
    endpoint: str
    gateway: str
    access: str
    server: str
    servers: str


LAST = FarPop("last", FAR_END, "", "192.0.2.1", "192.0.2.80", "192.0.2.0/24")
TWO = (dataclasses.replace(LAST, endpoint="198.18.3.2", gateway="198.18.3.1"),
       FarPop("other", "198.18.4.2", "198.18.4.1", "203.0.113.1", "203.0.113.80", "203.0.113.0/24"))


class LegBed(beds.Hosts):
    """Hosts in a row. The PoPs' interfaces are in `interfaces`."""

    cpu_of = {"client": 0, "server": 0, "first": 1, "last": 1, "other": 1}

    def __init__(self, net, settings, path):
        self.far = (LAST,) if path.far_pops == 1 else TWO
        self.path = path
        self.far_end = "last" if path.far_pops == 1 else "router"
        labels = dict.fromkeys(("client", "first", self.far_end, *(pop.label for pop in self.far), "server"))
        super().__init__(net, settings, list(labels))
        self.hogs = []
        self.others_cpus = 0.0  # what the machine did before there was anything to measure
        self.connect("client", "first", (CLIENT, FIRST_ACCESS), True)
        self.link = long_link(self, ("first", self.far_end), (NEAR_END, FAR_END), path.rate_mbps,
                              settings.rtt_ms, path.queue_ms, path.options())
        for pop in self.far:
            self._connect(pop)
        for label in ("first", *(pop.label for pop in self.far)):
            self.hosts[label].sysctl("net.ipv4.ip_forward", 1)

    def _connect(self, pop):
        ends = self.settings.congestion
        self.connect(pop.label, "server", (pop.access, pop.server), True)
        beds.set_congestion(self.hosts["server"], f"to-{pop.label}", pop.servers, pop.server, ends)
        self.hosts["client"].ip(f"route add {pop.servers} via {FIRST_ACCESS} congctl {ends}")
        if pop.gateway:
            self.connect("router", pop.label, (pop.gateway, pop.endpoint), True)
            self.hosts["router"].sysctl("net.ipv4.ip_forward", 1)
            self.hosts[pop.label].ip(f"route add {PATH} via {pop.gateway}")
            self.hosts["first"].ip(f"route add {pop.endpoint}/32 via {FAR_END}")

    @property
    def servers(self):
        """The server's addresses: one to each far PoP."""
        return [pop.server for pop in self.far]

    def run_on(self, label, argv):
        """Starts a PoP's program."""
        argv = [*self.pin(label), *argv]
        self.note(label, [str(word).replace(self.net.folder, "FOLDER") for word in argv])
        self.processes[label] = self.hosts[label].start(argv)
        return self.processes[label]

    def sent_bytes(self):
        """Of all far PoPs, by their devices towards the first."""
        return sum(self.sent(pop.label, "to-router" if pop.gateway else "to-first")[1] for pop in self.far)

    def await_begin(self, seconds):
        """Waits until so many seconds after data has begun to flow of a transfer that was just started."""
        before = self.sent_bytes()
        lib.wait_until(lambda: self.sent_bytes() - before > BEGUN_BYTES, "the transfer to begin", PATIENCE_S)
        time.sleep(seconds)


@contextlib.contextmanager
def legs(settings, node, path):
    """The hosts with `node` on every PoP, warm legs between them, and whoever else wants the CPUs."""
    with lib.Network() as net:
        bed = LegBed(net, settings, path)
        bed.others_cpus = busy_cores(QUIET_S)
        node.start(bed)
        if path.is_busy:
            bed.hogs = competing(net, settings.competing)
        yield bed
        bed.check_alive()
