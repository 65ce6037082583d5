"""The hosts of one measurement of the whole path: made for it, and gone after it.

    client ── 198.18.1.0/24 ── first ── 198.18.2.0/24 ── last ── 192.0.2.0/24 ── server
       ╚══════ tunnel ═══════════╝ ╚════════ tunnel ═══════╝

`first` (R_C in the paper) and `last` (R_S) are the PoPs. Between them is a veth, or an emulated link with a
rate and a delay; the other wires are veths. Inside, the client is 10.9.1.2, the PoPs 10.9.0.1 and 10.9.0.2.
"""

import contextlib
import dataclasses

import lib
from lib.cpu import Meter, busy_cores

from . import bed as beds
from .busy import competing
from .load_bed import LoadHosts
from .long_link import long_link
from .relay_bed import QUIET_S

CLIENT, FIRST_ACCESS = "198.18.1.1", "198.18.1.2"
FIRST, LAST = "198.18.2.1", "198.18.2.2"
LAST_ACCESS, SERVER = "192.0.2.1", "192.0.2.80"
ACCESS, BETWEEN, SERVERS = "198.18.1.0/24", "198.18.2.0/24", "192.0.2.0/24"
OVERLAY, CLIENTS = "10.9.0.0/16", "10.9.1.0/24"
OVERLAY_CLIENT, OVERLAY_FIRST, OVERLAY_LAST = "10.9.1.2", "10.9.0.1", "10.9.0.2"
POPS = ("first", "last")


@dataclasses.dataclass(frozen=True)
class Way:
    """How the PoPs are connected. `rtt_ms` 0: by a veth, as fast as the machine."""

    offloads: bool = True
    rtt_ms: float = 0


class PopBed(LoadHosts):
    """Four hosts in a row. What the competitor starts on a PoP is in its `tunnels` or its `relays`."""

    cpu_of = {"client": 0, "server": 0, "first": 1, "last": 1}

    def __init__(self, net, settings, way):
        super().__init__(net, settings, ("client", *POPS, "server"))
        self.tunnels = {label: [] for label in ("client", *POPS)}
        self.relays = {label: [] for label in POPS}
        self.interfaces = {}
        self.link = None
        self.hogs = []
        self.others_cpus = 0.0  # what the machine did before there was anything to measure
        self.connect("client", "first", (CLIENT, FIRST_ACCESS), way.offloads)
        if way.rtt_ms:
            self.link = long_link(self, POPS, (FIRST, LAST), settings.rate_mbps, way.rtt_ms,
                                  settings.queue_ms)
        else:
            self.connect("first", "last", (FIRST, LAST), way.offloads)
        self.connect("last", "server", (LAST_ACCESS, SERVER), way.offloads)
        self._routes()
        for label in POPS:
            self.hosts[label].sysctl("net.ipv4.ip_forward", 1)
        for label in ("client", *POPS):
            self.hosts[label].sysctl("net.ipv4.ip_local_port_range", "1024 65535")

    def link_dropped(self):
        """Segments that the emulated link had no room for, since it was made; None without one."""
        return None if self.link is None else self.link.dropped()

    def _routes(self):
        """Those without any tunnel; a competitor's own come on top of them."""
        ends = self.settings.congestion
        beds.set_congestion(self.hosts["client"], "to-first", ACCESS, CLIENT, ends)
        beds.set_congestion(self.hosts["server"], "to-last", SERVERS, SERVER, ends)
        self.hosts["server"].ip(f"route add default via {LAST_ACCESS} congctl {ends}")
        between = self.settings.pop_congestion
        beds.set_congestion(self.hosts["last"], "to-server", SERVERS, LAST_ACCESS, between)
        beds.set_congestion(self.hosts["first"], "to-client", ACCESS, FIRST_ACCESS, between)

    def route_plainly(self):
        """Client and server reach each other over the wires."""
        ends = self.settings.congestion
        self.hosts["client"].ip(f"route add {SERVERS} via {FIRST_ACCESS} congctl {ends}")
        self.hosts["first"].ip(f"route add {SERVERS} via {LAST}")
        self.hosts["last"].ip(f"route add {ACCESS} via {FIRST}")

    def run_on(self, label, argv, kind):
        """Starts a competitor's program on a PoP; `kind` is `tunnels` or `relays`."""
        argv = [*self.pin(label), *argv]
        self.note(label, [str(word).replace(self.net.folder, "FOLDER") for word in argv])
        return self.keep(label, kind, self.hosts[label].start(argv))

    def keep(self, label, kind, process):
        """A competitor's process that runs already."""
        getattr(self, kind)[label].append(process)
        self.processes[f"{label}, {kind} {len(getattr(self, kind)[label])}"] = process
        return process

    def start(self, pops):
        """Runs the competitor and the client's tunnel, and waits until a connection comes to the server."""
        pops.start(self)
        self.await_way(pops)

    def meter(self):
        """Of the PoPs' programs, kind by kind, of the client's tunnel, of what is here to disturb, and of the
        machine."""
        def pids(processes):
            return [process.pid for process in processes]
        groups = {f"{label}_{kind}": pids(getattr(self, kind)[label]) for label in POPS
                  for kind in ("tunnels", "relays")}
        return Meter(**groups, client=pids(self.tunnels["client"]), hogs=pids(self.hogs),
                     link=pids([self.link] if self.link else []))


@contextlib.contextmanager
def path(settings, pops, way=Way()):
    """Four hosts, the competitor at work, and the server's end of the load."""
    with lib.Network() as net:
        bed = PopBed(net, settings, way)
        bed.start_answers()
        bed.others_cpus = busy_cores(QUIET_S)
        bed.start(pops)
        bed.hogs = competing(net, settings.competing)
        yield bed
        bed.check_alive()
