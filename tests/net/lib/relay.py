"""Two PoPs with what is on their way, for tests of the relay: a wireguard-go client and a host of the
first PoP's LAN, both PoPs as nodes, a server behind the last one. IPv4 and IPv6 inside.

    client ═ wg ═ first ═══ legs in the tunnel ═══ last ─── server
    lan ──────────┘
"""

import json
import os

from .case import NetTest
from .process import wait_until
from .tunnel import Peer, configure, genkey, pubkey, thalweg, unique_interface, wireguard_go

SERVER = {4: "192.0.2.80", 6: "2001:db8:80::80"}
TUNNELLED = ("10.9.0.0/16", "192.0.2.0/24", "2001:db8:80::/64", "198.18.4.0/24", "2001:db8:4::/64")

COMMON_TOML = """
[node]
control_socket = "{folder}/{host}.sock"
log_level = "debug"
{node}
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/{host}.key"
listen_port = 51820
"""

FIRST_TOML = COMMON_TOML + """
addresses = ["10.9.0.1/16", "fd09::1/64"]
[[peer]]
name = "anna"
public_key = "{client_public}"
allowed_ips = ["10.9.1.2/32", "fd09::1:2/128"]
[[peer]]
name = "last"
public_key = "{last_public}"
endpoint = "198.18.2.2:51820"
allowed_ips = ["10.9.0.2/32"]
persistent_keepalive_s = {keepalive_s}
[relay]
enabled = true
client_devices = ["to-lan"]
{relay}
[[pop]]
peer = "last"
overlay_address = "10.9.0.2"
routes = ["192.0.2.0/24", "2001:db8:80::/64"]
[[policy]]
from = ["anna", "198.18.4.0/24", "2001:db8:4::/64"]
protocol = "tcp"
action = "relay"
"""

LAST_TOML = COMMON_TOML + """
addresses = ["10.9.0.2/16"]
[[peer]]
name = "first"
public_key = "{first_public}"
endpoint = "198.18.2.1:51820"
allowed_ips = ["10.9.0.1/32"]
persistent_keepalive_s = {keepalive_s}
[relay]
enabled = true
{relay}
[[pop]]
peer = "first"
overlay_address = "10.9.0.1"
[[policy]]
from = ["10.9.1.0/24", "fd09::/64", "198.18.4.0/24", "2001:db8:4::/64"]
to = ["192.0.2.0/24", "2001:db8:80::/64"]
protocol = "tcp"
ports = ["{ports}"]
action = "relay"
"""


class RelayCase(NetTest):
    """`client` is in the tunnel, `lan` is a plain host beside the first PoP; both are relayed to
    whatever listens on `server`. `self.nodes` has the PoPs' processes, by `first` and `last`."""

    TOML = {"first": FIRST_TOML, "last": LAST_TOML}  # another test's own begin with COMMON_TOML, too
    NODE = ""  # further lines of both PoPs' [node]
    RELAY = ""  # the same of [relay]
    KEEPALIVE_S = 1  # between the PoPs, in the tunnel; 0: none
    PORTS = "1-65535"  # what the last PoP's policy lets through

    def setUp(self):
        super().setUp()
        self.client, self.first = self.net.namespace("client"), self.net.namespace("first")
        self.last, self.server = self.net.namespace("last"), self.net.namespace("server")
        self.lan = self.net.namespace("lan")
        self.net.veth(self.client, self.first, "198.18.1.1/24", "198.18.1.2/24")
        self.connect_pops()
        self.net.veth(self.last, self.server, ["192.0.2.1/24", "2001:db8:80::1/64"],
                      [f"{SERVER[4]}/24", f"{SERVER[6]}/64"])
        self.net.veth(self.first, self.lan, ["198.18.4.1/24", "2001:db8:4::1/64"],
                      ["198.18.4.2/24", "2001:db8:4::2/64"])
        self.lan.ip("route add default via 198.18.4.1")
        self.lan.ip("-6 route add default via 2001:db8:4::1")
        self.keys = {host: genkey() for host in ("client", "first", "last")}
        self.interfaces = {host: unique_interface() for host in self.keys}
        self.nodes = {}
        # The last PoP first: an initiation that nobody hears yet is repeated after 5 s only, and the
        # first PoP, which opens warm legs, sends one at once.
        for host in reversed(self.TOML):
            self._write_configuration(host)
            self.start_node(host)
        self._start_client()

    def connect_pops(self):
        self.net.veth(self.first, self.last, "198.18.2.1/24", "198.18.2.2/24")

    def _write_configuration(self, host):
        publics = {f"{name}_public": pubkey(key) for name, key in self.keys.items()}
        path = f"{self.net.folder}/{host}"
        with open(os.open(f"{path}.key", os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as stream:
            stream.write(self.keys[host] + "\n")
        with open(f"{path}.toml", "w", encoding="utf-8") as stream:
            stream.write(self.TOML[host].format(
                host=host, folder=self.net.folder, interface=self.interfaces[host], node=self.NODE,
                relay=self.RELAY, keepalive_s=self.KEEPALIVE_S, ports=self.PORTS, **publics))

    def start_node(self, host):
        node = thalweg(getattr(self, host), "run", "-c", f"{self.net.folder}/{host}.toml")
        node.wait_log(r"up, port")
        self.nodes[host] = node

    def _start_client(self):
        interface = self.interfaces["client"]
        wireguard_go(self.client, interface)
        self.introduce_client()
        self.client.address(interface, "10.9.1.2/32", "fd09::1:2/128", mtu=1420)
        for network in TUNNELLED:
            self.client.ip(f"route add {network} dev {interface}")

    def introduce_client(self):
        """Tells the client's device whom it talks to; whatever session it had is forgotten."""
        configure(self.client, self.interfaces["client"], self.keys["client"], [Peer(
            pubkey(self.keys["first"]), ",".join(TUNNELLED), "198.18.1.2:51820")])

    def status(self, host):
        done = getattr(self, host).run([os.environ["TW_BIN"], "status", "--json", "--socket",
                                        f"{self.net.folder}/{host}.sock"])
        return json.loads(done.stdout)["relay"]

    def pop(self):
        """What the first PoP says of the last."""
        return self.status("first")["pops"][0]

    def early(self):
        return self.status("first")["early_syn"]

    def device_syns(self):
        """What the program at the LAN's device has counted."""
        return self.early()["devices"][0]

    def control(self, *words):
        """A command to the first PoP's node; its failures are for the caller to judge."""
        return self.first.run([os.environ["TW_BIN"], *words, "--socket",
                               f"{self.net.folder}/first.sock"], check=False)

    def await_warm_legs(self, timeout=20):
        wait_until(lambda: self.pop()["warm"]["idle"] >= 4, "warm legs", timeout)

    def await_idle(self, timeout=20):
        """Until neither PoP relays anything any more."""
        for host in self.nodes:
            wait_until(lambda host=host: self.status(host)["active"] == 0, f"{host} to be idle", timeout)
