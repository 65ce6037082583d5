"""The hosts of one measurement: made for it, and gone after it.

    client ═══ tunnel 10.99.0.0/24 ═══ server          Pair: two daemons, one at each end
       └────── veth 192.0.2.0/24 ────────┘

    clients ── veth 192.0.2.0/24 ── server, 10.64.0.0/10     Crowd: one daemon, and the load generator

The wire is a veth pair, whose offloads are what a network card's would be: with them on, trains of up
to 64 KB cross it whole; with them off, every packet crosses it alone.
"""

import contextlib
import shlex
import time

import lib

from . import shown

CLIENT, SERVER = "192.0.2.1", "192.0.2.2"
TUNNEL_CLIENT, TUNNEL_SERVER = "10.99.0.1", "10.99.0.2"
VXLAN_CLIENT, VXLAN_SERVER = "10.98.0.1", "10.98.0.2"
VXLAN_HEADERS = 50  # that VXLAN over IPv4 adds to a packet
CROWD_NETWORK, CROWD_SERVER = "10.64.0.0/10", "10.127.255.254"
SINK_PORT = 9000
PORT = 51820
MTU = 1420
WIRE_MTU = 1500

# GRO on a veth means NAPI, which it has not by default; trains cross whole without it.
OFFLOADS = {
    True: "tso on gso on gro off tx-udp-segmentation on",
    False: "tso off gso off gro off tx-udp-segmentation off",
}


def offload_lines(are_on):
    """The commands that make the wire so, for both ends."""
    return [f"ethtool -K {device} {OFFLOADS[are_on]}" for device in ("to-server", "to-client")]


class Hosts:
    """Hosts, and what runs on them. `settings` are the run's (see settings.py)."""

    cpu_of = {}  # by host, if the run pins

    def __init__(self, net, settings, labels):
        self.net, self.settings = net, settings
        self.hosts = {label: net.namespace(label) for label in labels}
        self.processes = {}
        self.interfaces = {}  # of the daemons, by host

    def connect(self, left, right, addresses, offloads):
        """A wire between two hosts, each with its address of the two."""
        ends = [self.hosts[label] for label in (left, right)]
        self.net.veth(*ends, *(f"{address}/24" for address in addresses), mtu=WIRE_MTU)
        for host, other in zip(ends, reversed(ends)):
            host.run(f"ethtool -K to-{other.label} {OFFLOADS[offloads]}")
            for scope in ("all", f"to-{other.label}"):
                host.sysctl(f"net.ipv4.conf.{scope}.rp_filter", 0)

    def pin(self, label):
        """What comes before a command of that host."""
        return ["taskset", "-c", str(self.cpu_of[label])] if self.settings.pin else []

    def pid(self, label):
        return self.processes[label].pid

    def note(self, label, argv):
        """Puts a command into the record, once, without what is different every time."""
        names = {host.name: one for one, host in self.hosts.items()}
        text = f"{label}: " + shlex.join(names.get(str(word), shown(word)) for word in argv)
        if text not in self.settings.commands:
            self.settings.commands.append(text)

    def check_alive(self):
        """A daemon that has crashed is a failure of its own, whatever it did to the figures."""
        for label, process in self.processes.items():
            if process.exit_code is not None:
                raise AssertionError(f"the daemon on {label} ended with {process.exit_code}: "
                                     f"{process.log()[-300:].strip()}")

    def sent(self, label, link):
        """Packets and bytes that a host has sent by a link: a train counts once."""
        folder = f"/sys/class/net/{link}/statistics"
        said = self.hosts[label].run(["cat", f"{folder}/tx_packets", f"{folder}/tx_bytes"]).stdout.split()
        return int(said[0]), int(said[1])


class Bed(Hosts):
    """Two hosts on a wire."""

    cpu_of = {"client": 0, "server": 1, "clients": 0}

    def __init__(self, net, settings, labels, offloads=True):
        super().__init__(net, settings, labels)
        self.connect(*labels, (CLIENT, SERVER), offloads)

    def start(self, label, daemon):
        """A daemon on a host; returns its interface."""
        interface = self.interfaces[label] = lib.unique_interface()
        host = self.hosts[label]
        self.processes[label] = daemon.start(host, interface, self.pin(label))
        return interface

    def wire_packets(self, label):
        """See sent()."""
        return self.sent(label, "to-server" if label != "server" else f"to-{next(iter(self.hosts))}")


@contextlib.contextmanager
def wire(settings, offloads=True):
    """Two hosts and nothing between them but the wire."""
    with lib.Network() as net:
        bed = Bed(net, settings, ("client", "server"), offloads)
        for host, other, address in zip(bed.hosts.values(), ("server", "client"), (CLIENT, SERVER)):
            set_congestion(host, f"to-{other}", "192.0.2.0/24", address, settings.congestion)
        yield bed


@contextlib.contextmanager
def pair(settings, daemon, offloads=True):
    """Two hosts with a tunnel of `daemon` between them, its handshake done."""
    with wire(settings, offloads) as bed:
        keys = {label: lib.genkey() for label in bed.hosts}
        addresses = {"client": TUNNEL_CLIENT, "server": TUNNEL_SERVER}
        others = {"client": "server", "server": "client"}
        for label, host in bed.hosts.items():
            other = others[label]
            interface = bed.start(label, daemon)
            endpoint = f"{SERVER}:{PORT}" if label == "client" else None
            peer = lib.Peer(lib.pubkey(keys[other]), f"{addresses[other]}/32", endpoint)
            lib.configure(host, interface, keys[label], [peer], PORT)
            host.address(interface, f"{addresses[label]}/24", mtu=MTU)
            set_congestion(host, interface, "10.99.0.0/24", addresses[label], settings.congestion)
        _await_tunnel(bed)
        yield bed
        bed.check_alive()


def vxlan(bed, settings):
    """A VXLAN device on both hosts of a pair(), through its tunnel."""
    ends = {"client": (TUNNEL_CLIENT, TUNNEL_SERVER, VXLAN_CLIENT),
            "server": (TUNNEL_SERVER, TUNNEL_CLIENT, VXLAN_SERVER)}
    for label, host in bed.hosts.items():
        local, remote, address = ends[label]
        host.ip(f"link add inner type vxlan id 7 local {local} remote {remote} dstport 4789")
        host.address("inner", f"{address}/24", mtu=MTU - VXLAN_HEADERS)
        set_congestion(host, "inner", "10.98.0.0/24", address, settings.congestion)


def set_congestion(host, device, network, source, algorithm):
    """By the route: within a namespace the algorithm may not be chosen by sysctl."""
    host.ip(f"route replace {network} dev {device} proto kernel scope link src {source} congctl {algorithm}")


def _await_tunnel(bed):
    deadline = time.monotonic() + 10
    while lib.ping(bed.hosts["client"], TUNNEL_SERVER, count=1).received == 0:
        bed.check_alive()
        if time.monotonic() > deadline:
            raise AssertionError("no packet has come through the tunnel for 10 s")


@contextlib.contextmanager
def crowd(settings, daemon, peers):
    """A daemon that knows `peers` clients of the load generator; the generator's host is `clients`."""
    with lib.Network() as net:
        bed = Bed(net, settings, ("clients", "server"))
        server = bed.hosts["server"]
        interface = bed.start("server", daemon)
        configuration = write_configuration(bed, peers)
        server.run(["wg", "setconf", interface, configuration], timeout=120)
        server.address(interface, f"{CROWD_SERVER}/10", mtu=MTU)
        # Replies to spoofed sources leave by the wire, as they would anywhere.
        server.ip(f"route add 198.18.0.0/15 via {CLIENT}")
        bed.interface = interface
        yield bed
        bed.check_alive()


def write_configuration(bed, peers):
    """The `wg setconf` file of a crowd's server; returns its path."""
    path = f"{bed.net.folder}/crowd-{peers}.conf"
    generator = [bed.settings.thalweg, "lab", "clients", "--target", f"{SERVER}:{PORT}", "--peers", peers]
    bed.hosts["clients"].run([*generator, "--print-config", path], timeout=120)
    return path
