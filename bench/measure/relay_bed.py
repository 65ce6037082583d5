"""The hosts of one measurement of a relay: made for it, and gone after it.

    client ── veth 192.0.2.0/24 ── relay ── veth 198.51.100.0/24 ── server

The relay's host also forwards, so that the same hosts without a relay are what it is compared with. The
wires and their offloads are those of bed.py.
"""

import contextlib
import json
import time

import lib

from . import bed as beds
from .cpu import busy_cores

CLIENT, RELAY_FRONT = "192.0.2.1", "192.0.2.2"
RELAY_BACK, SERVER = "198.51.100.1", "198.51.100.2"
FRONT, BACK = "192.0.2.0/24", "198.51.100.0/24"
FRONT_DEVICE = "to-client"  # the relay's
LOAD_PORT, IPERF_PORT = 9000, 5201
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


class RelayBed(beds.Hosts):
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

    def start_answers(self):
        """The server's end of bench_load."""
        argv = [*self.pin("server"), self.settings.load_program, "answer", LOAD_PORT]
        self.note("server", argv)
        process = self.hosts["server"].start(argv)
        process.wait_log("^ready$")
        self.processes["server"] = process

    def load(self, *words):
        """The command line of the client's end."""
        argv = [*self.pin("client"), self.settings.load_program, *words]
        self.note("client", argv)
        return argv

    def report_of(self, seconds, *words):
        """Runs the client's end for so long; returns its report, which has measured something."""
        done = self.hosts["client"].run(self.load(*words), check=False, timeout=seconds + 30)
        if done.returncode != 0 or not done.stdout.startswith("{"):
            self.check_alive()
            raise AssertionError(f"bench_load {words[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
        report = json.loads(done.stdout)
        if report["measured"] == 0:
            raise AssertionError(f"bench_load {words[0]}: nothing has come back")
        return report

    def start_relay(self, relay):
        """Runs it, and waits until a connection comes to the server the way it is to."""
        self.relays = relay.start(self)
        for number, process in enumerate(self.relays):
            self.processes[f"relay {number}" if number else "relay"] = process
        self._await(relay)

    def _await(self, relay):
        argv = [self.settings.load_program, "once", relay.address, LOAD_PORT]
        deadline = time.monotonic() + 15
        while True:
            self.check_alive()
            done = self.hosts["client"].run(argv, check=False)
            if done.stdout.strip() == relay.seen_as:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"no connection has come through {relay.name} for 15 s: "
                                     f"{(done.stdout + done.stderr).strip()[-200:]}")
            time.sleep(0.05)


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
