"""The hosts of one measurement of a relay: made for it, and gone after it.

    client ── veth 192.0.2.0/24 ── relay ── veth 198.51.100.0/24 ── server

The relay's host also forwards, so that the same hosts without a relay are what it is compared with. The
wires and their offloads are those of bed.py.
"""

import contextlib

import lib
from lib.cpu import busy_cores

from . import bed as beds
from .load_bed import LOAD_PORT, LoadHosts

CLIENT, RELAY_FRONT = "192.0.2.1", "192.0.2.2"
RELAY_BACK, SERVER = "198.51.100.1", "198.51.100.2"
FRONT, BACK = "192.0.2.0/24", "198.51.100.0/24"
FRONT_DEVICE = "to-client"  # the relay's
IPERF_PORT = 5201
PORTS = (LOAD_PORT, IPERF_PORT)
QUIET_S = 0.3
OPEN_FILES = 20_000  # what every program may have at least
# The least that a stateful firewall does: with it the kernel tracks every connection of the host.
FIREWALL = """table inet firewall {
  chain input {
    type filter hook input priority filter; policy accept;
    ct state established,related accept
  }
}
"""


class RelayBed(LoadHosts):
    """Three hosts in a row."""

    # The ends are the load, and the relay is what is measured.
    cpu_of = {"client": 0, "server": 0, "relay": 1}

    def __init__(self, net, settings, offloads=True):
        super().__init__(net, settings, ("client", "relay", "server"))
        self.connect("client", "relay", (CLIENT, RELAY_FRONT), offloads)
        self.connect("relay", "server", (RELAY_BACK, SERVER), offloads)
        self._route("client", "to-relay", CLIENT, FRONT, BACK, RELAY_FRONT)
        self._route("server", "to-relay", SERVER, BACK, FRONT, RELAY_BACK)
        self._route("relay", FRONT_DEVICE, RELAY_FRONT, FRONT)
        self._route("relay", "to-server", RELAY_BACK, BACK)
        self.hosts["relay"].sysctl("net.ipv4.ip_forward", 1)
        for label in ("client", "relay"):
            self.hosts[label].sysctl("net.ipv4.ip_local_port_range", "1024 65535")
        if settings.stateful:
            self.hosts["relay"].run(["nft", "-f", "-"], stdin=FIREWALL)
        self.relays = []  # the relay's processes
        self.others_cpus = 0.0  # what the machine did before there was anything to measure

    def _route(self, label, device, source, network, beyond=None, gateway=None):
        host, algorithm = self.hosts[label], self.settings.congestion
        beds.set_congestion(host, device, network, source, algorithm)
        if beyond:
            host.ip(f"route add {beyond} via {gateway} dev {device} congctl {algorithm}")

    @property
    def relay_pids(self):
        return [process.pid for process in self.relays]

    def start_relay(self, relay):
        """Runs it, and waits until a connection comes to the server the way it is to."""
        self.relays = relay.start(self)
        for number, process in enumerate(self.relays):
            self.processes[f"relay {number}" if number else "relay"] = process
        self.await_way(relay)


@contextlib.contextmanager
def hosts(settings, offloads=True):
    """Three hosts and the server's end of the load; no relay yet."""
    with lib.Network() as net:
        bed = RelayBed(net, settings, offloads)
        bed.start_answers()
        bed.others_cpus = busy_cores(QUIET_S)
        yield bed
        bed.check_alive()


@contextlib.contextmanager
def between(settings, relay, offloads=True):
    """The same with the relay at work."""
    with hosts(settings, offloads) as bed:
        bed.start_relay(relay)
        yield bed
