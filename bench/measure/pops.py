"""Who competes for the whole path: what runs on both PoPs.

A pair of PoPs is a tunnel between them and to the client, and what carries TCP there. Thalweg is both; others
are a WireGuard daemon with HAProxy beside it; and there are pairs that only route. The client has a tunnel of
its own program, the same for all, and connects to the server; to HAProxy's address, where that is.
"""

import dataclasses
import json
import re
import shutil

import lib

from . import daemons, shown
from . import pop_bed as places
from . import pop_overlay as overlay
from .relays import haproxy_text, write_private

LEAST_OF_2025 = "0.0.2025"
NODE = """[node]
control_socket = "{folder}/{label}.sock"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/{label}.key"
listen_port = {port}
addresses = ["{address}/16"]
[gateway]
forward = true
"""
PEER = """[[peer]]
name = "{name}"
public_key = "{public_key}"
allowed_ips = [{allowed}]
"""
POP = """[[pop]]
peer = "{name}"
overlay_address = "{address}"
{routes}[[policy]]
from = ["{clients}"]
to = ["{servers}"]
protocol = "tcp"
action = "relay"
[[policy]]
from = ["{clients}"]
to = ["{servers}"]
protocol = "icmp"
action = "route"
[relay.turbo]
congestion_control = "{congestion}"
[relay]
enabled = true
"""


@dataclasses.dataclass(frozen=True)
class Pops:
    """A competitor; as it stands, none: the hosts forward over the wires.

    address    where the client connects to
    seen_as    the client's address, as the server sees it
    """

    name: str = "wire"
    is_ours: bool = False
    address: str = places.SERVER
    seen_as: str = places.CLIENT

    def start(self, bed):
        """Runs it on both PoPs, and what the client needs."""
        bed.route_plainly()

    def command(self):
        """How it is run."""
        return "no tunnel: both PoPs forward"

    def missing(self):
        """A program of it that is not there, or None."""
        return None

    @property
    def has_programs(self):
        return isinstance(self, Tunnelled)

    def is_old(self):
        """Whether its tunnel is a wireguard-go from before 2025, which takes 2.5 times the CPU."""
        return False

    def drops(self, _bed):
        """{label: packets} that its programs say they have dropped; empty if they do not say."""
        return {}

    def learned(self, _bed):
        """Metrics of what its programs know of the path by now; empty if they do not say."""
        return {}


def is_program(word):
    """Whether such a command is there: a path, or found by the shell's search."""
    return shutil.which(word) is not None


@dataclasses.dataclass(frozen=True)
class Tunnelled(Pops):
    """A pair with tunnels: `client` is the daemon of the client's."""

    client: daemons.Daemon | None = None
    seen_as: str = places.OVERLAY_CLIENT

    def start(self, bed):
        keys = overlay.Keys()
        for label in places.POPS:
            bed.interfaces[label] = self.start_pop(bed, label, keys)
        bed.interfaces["client"] = overlay.start_device(bed, "client", self.client, keys)
        for label, interface in bed.interfaces.items():
            ends = label == "client"
            overlay.set_congestion_of(bed.hosts[label], interface,
                              bed.settings.congestion if ends else bed.settings.pop_congestion)

    def start_pop(self, bed, label, keys):
        """Runs one PoP; returns its interface."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Thalweg(Tunnelled):
    """Ours, as docs/examples/pop-first.toml and pop-last.toml are, but that pings are routed."""

    binary: str = ""
    more_toml: str = ""
    seen_as: str = places.LAST_ACCESS

    def write_file(self, folder, label, interface, keys, congestion):
        """The node's file; returns its path."""
        other = {"first": "last", "last": "first"}[label]
        write_private(folder, f"{label}.key", keys.private[label] + "\n")
        text = NODE.format(folder=folder, label=label, interface=interface, port=overlay.PORT,
                           address=overlay.ADDRESSES[label])
        for peer in overlay.PEERS[label]:
            text += PEER.format(name=peer, public_key=keys.public[peer],
                                allowed=", ".join(f'"{one}"' for one in overlay.ALLOWED[peer]))
            if overlay.calls(label, peer):
                text += f'endpoint = "{overlay.ENDPOINTS[peer]}:{overlay.PORT}"\n'
        routes = f'routes = ["{places.SERVERS}"]\n' if label == "first" else ""
        text += POP.format(name=other, address=overlay.ADDRESSES[other], routes=routes,
                           clients=places.CLIENTS, servers=places.SERVERS, congestion=congestion)
        return write_private(folder, f"{label}.toml", text + self.more_toml)

    def start_pop(self, bed, label, keys):
        interface = lib.unique_interface()
        path = self.write_file(bed.net.folder, label, interface, keys, bed.settings.pop_congestion)
        bed.run_on(label, [self.binary, "run", "-c", path], "tunnels").wait_log("up, port")
        return interface

    def status(self, bed, label):
        """What one PoP says of itself."""
        done = bed.hosts[label].run([self.binary, "status", "--json", "--socket",
                                     f"{bed.net.folder}/{label}.sock"])
        return json.loads(done.stdout)

    def drops(self, bed):
        return {label: sum(count for worker in self.status(bed, label)["workers"]
                           for way in ("from_wire", "to_wire") for count in worker[way]["drops"].values())
                for label in places.POPS}

    def learned(self, bed):
        paths = {label: self.status(bed, label)["relay"]["pops"][0].get("path") for label in places.POPS}
        return {f"{label}_learned_mbps": path["rate_bps"] / 1e6 for label, path in paths.items() if path}

    def command(self):
        return f"{shown(self.binary)} run -c FILE on both, as docs/examples/pop-*.toml"


@dataclasses.dataclass(frozen=True)
class Devices(Tunnelled):
    """A WireGuard daemon on both PoPs, and HAProxy beside it, or nothing: then they route."""

    daemon: daemons.Daemon | None = None
    proxied: bool = False

    def start_pop(self, bed, label, keys):
        interface = overlay.start_device(bed, label, self.daemon, keys)
        if self.proxied:
            target = {"first": places.OVERLAY_LAST, "last": places.SERVER}[label]
            text = haproxy_text(overlay.ADDRESSES[label], target)
            path = write_private(bed.net.folder, f"{label}.cfg", text)
            bed.run_on(label, ["haproxy", "-db", "-f", path], "relays")
        return interface

    def missing(self):
        needed = [self.daemon.words[0], *(["haproxy"] if self.proxied else [])]
        return next((program for program in needed if not is_program(program)), None)

    def command(self):
        return f"{self.daemon.command()} on both ({self.daemon.version()})" + (
            "; haproxy -db -f FILE on both, one thread, option splice-auto" if self.proxied else "")

    def is_old(self):
        found = re.search(r"v(0\.0\.\d{4})", self.daemon.version())
        return bool(found) and found.group(1) < LEAST_OF_2025


def client_of(settings):
    """The daemon of the client's tunnel."""
    if settings.client == "thalweg":
        return daemons.thalweg(settings.thalweg)
    return daemons.Daemon("client", (settings.client, "-f"))


def everybody(settings):
    """All there are, ours first."""
    client = client_of(settings)
    def ours(name, path):
        return Thalweg(name, True, client=client, binary=path, more_toml=settings.more_toml)
    def proxied(name, daemon):
        return Devices(name, client=client, daemon=daemon, proxied=True, address=places.OVERLAY_FIRST,
                       seen_as=places.LAST_ACCESS)
    tunnel = daemons.thalweg(settings.thalweg)
    theirs = daemons.Daemon("wireguard-go", (settings.wireguard_go, "-f"))
    return [ours("thalweg", settings.thalweg), *(ours(name, path) for name, path in settings.also),
            proxied("wireguard-go+haproxy", theirs), proxied("thalweg-wg+haproxy", tunnel),
            Devices("routed", client=client, daemon=tunnel), Pops()]
