"""Tests what the firewall promises while a node lives, dies, reloads and is tampered with: attacks with real
packets, in both families, by a neighbour, a host on another device, a local user, and whoever flushes,
renames and kills.
"""

import itertools
import json
import os
import re
import signal

import lib

BINARY = os.environ.get("TW_BIN", "")
LONG = os.environ.get("TW_LONG") == "1"
ALLOWED, REFUSED = 5000, 5001
WAN, ANNA, LAN, OTHER = (("192.0.2.80", "2001:db8:2::80"), ("10.9.0.2", "fd09::2"),
                         ("198.18.4.2", "2001:db8:4::2"), ("198.18.5.2", "2001:db8:5::2"))

TOML = """
[node]
control_socket = "{folder}/{name}.sock"
log_level = "debug"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/node.key"
listen_port = {port}
addresses = ["{v4}/24", "{v6}/64"]
[[peer]]
name = "anna"
public_key = "{anna}"
allowed_ips = [{allowed}]
{gateway}
[relay]
enabled = true
listen_port = {listen}
leg_port = {leg}
{relay}
"""
POLICY = """
[[policy]]
from = ["anna", "198.18.4.0/24", "2001:db8:4::/64"]
to = ["192.0.2.0/24", "2001:db8:2::/64"]
protocol = "udp"
ports = [5000]
action = "route"
"""

# Says what has come, at both ports and in both families.
RECEIVER = """
import select, socket
sockets = []
for port in (5000, 5001):
    one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    one.bind(("::", port))
    sockets.append(one)
print("listening", flush=True)
while True:
    for ready in select.select(sockets, [], [])[0]:
        said, who = ready.recvfrom(100)
        print("got", said.decode(), "from", who[0], flush=True)
"""
# Sends datagrams, with a source that need not be this host's: SOURCE TARGET PORT WORD COUNT PAUSE.
SENDER = """
import socket, sys, threading
source, target, port, word, count, pause = sys.argv[1:]
v6 = ":" in target
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, 75 if v6 else 19, 1)  # transparent
s.bind((source, 0))
sent = 0
while int(count) == 0 or sent < int(count):
    try:
        s.sendto(word.encode(), (target, int(port)))
    except OSError:
        pass  # an ICMP error of the datagram before, or no route for the moment
    sent += 1
    threading.Event().wait(float(pause))
"""
CONNECT = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.settimeout(2)
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    print("connected")
except ConnectionRefusedError:
    print("refused")
except OSError as error:
    print(type(error).__name__)
"""


# At the leg port of both overlay addresses of anna's.
LISTENER = """
import socket, threading
listeners = [socket.create_server(("10.9.0.2", 9702)),
             socket.create_server(("fd09::2", 9702), family=socket.AF_INET6)]
print("ready", flush=True)
threading.Event().wait()
"""
POP = """
[[pop]]
name = "{}"
peer = "anna"
overlay_address = "{}"
routes = ["{}"]
"""


class Firewall(lib.NetTest):
    """A node whose tunnel ends at anna; `wan` behind it, `lan` at a client device, `other` at one more."""

    def setUp(self):
        super().setUp()
        self.host, self.folder = self.net.namespace("node"), self.net.folder
        self.hosts = {}
        self.words = itertools.count()
        wires = (("wan", "192.0.2.1/24", "192.0.2.80/24", "2001:db8:2::"),
                 ("lan", "198.18.4.1/24", "198.18.4.2/24", "2001:db8:4::"),
                 ("other", "198.18.5.1/24", "198.18.5.2/24", "2001:db8:5::"))
        for label, ours, theirs, net in wires:
            self.hosts[label] = self.net.namespace(label)
            last = theirs.split(".")[-1].split("/")[0]
            self.net.veth(self.host, self.hosts[label], [ours, f"{net}1/64"],
                          [theirs, f"{net}{last}/64"])
            for family, gateway in (("-4", ours.split("/")[0]), ("-6", f"{net}1")):
                self.hosts[label].ip(f"{family} route add default via {gateway}")
        self.client = self.net.namespace("anna")
        self.net.veth(self.host, self.client, "198.18.0.1/24", "198.18.0.2/24")
        for device in ("all", "default", "to-wan", "to-lan", "to-other"):
            self.host.sysctl(f"net.ipv4.conf.{device}.rp_filter", 0)
        self.forwarding(False)
        self.keys = {name: lib.genkey() for name in ("node", "anna")}
        self.interface = lib.unique_interface()
        with open(f"{self.folder}/node.key", "w", encoding="utf-8") as stream:
            stream.write(self.keys["node"] + "\n")
        os.chmod(f"{self.folder}/node.key", 0o600)
        self.receivers = {}
        for label in ("wan", "lan", "other"):
            self.receivers[label] = self.hosts[label].start(["python3", "-u", "-c", RECEIVER],
                                                            name=f"rx-{label}")
            self.receivers[label].wait_log("listening")
        self.node = None

    def forwarding(self, on):
        self.host.sysctl("net.ipv4.ip_forward", int(on))
        self.host.sysctl("net.ipv6.conf.all.forwarding", int(on))

    def forwards(self):
        return [self.host.run(["sysctl", "-n", key]).stdout.strip()
                for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")]

    def configure(self, name="node", policy=POLICY, gateway="forward = true",
                  relay='client_devices = ["to-lan"]', **more):
        values = {"interface": self.interface, "port": 51820, "v4": "10.9.0.1", "v6": "fd09::1",
                  "listen": 9701, "leg": 9702, "relay": relay, "gateway": f"[gateway]\n{gateway}\n",
                  "allowed": '"10.9.0.2/32", "fd09::2/128", "10.20.0.0/16"', **more}
        with open(f"{self.folder}/{name}.toml", "w", encoding="utf-8") as stream:
            stream.write(TOML.format(folder=self.folder, name=name, anna=lib.pubkey(self.keys["anna"]),
                                     **values) + policy)
        return f"{self.folder}/{name}.toml"

    def start(self, name="node"):
        node = lib.thalweg(self.host, "run", "-c", f"{self.folder}/{name}.toml")
        node.wait_log(r"up, port \d+", timeout=30)
        return node

    def up(self, **settings):
        self.configure(**settings)
        self.node = self.start()

    def reload(self, **settings):
        self.configure(**settings)
        self.host.run([BINARY, "status", "--socket", f"{self.folder}/node.sock"])
        before = self.node.log().count(": reloaded")
        self.node.signal(signal.SIGHUP)
        lib.wait_until(lambda: self.node.log().count(": reloaded") > before, "a reload", 30)

    def anna(self):
        """wireguard-go as anna, whose packets are routed into the tunnel."""
        interface = lib.unique_interface()
        lib.wireguard_go(self.client, interface)
        lib.configure(self.client, interface, self.keys["anna"],
                      [lib.Peer(lib.pubkey(self.keys["node"]), "0.0.0.0/0,::/0", "198.18.0.1:51820")])
        self.client.address(interface, "10.9.0.2/24", "fd09::2/64", mtu=1420)
        for net in ("192.0.2.0/24", "198.18.5.0/24", "2001:db8::/32"):
            self.client.ip(f"route add {net} dev {interface}")
        self.assertEqual(lib.ping(self.client, "10.9.0.1", 3).received, 3)
        return interface

    def counters(self, name="node"):
        status = self.host.run([BINARY, "status", "--json", "--socket", f"{self.folder}/{name}.sock"])
        return json.loads(status.stdout)["firewall"]

    def send(self, sender, source, target, port):
        word = f"w{next(self.words)}"
        sender.run(["python3", "-c", SENDER, source, target, port, word, 3, 0.01])
        return word

    def arrives(self, sender, sources, label, targets, port):
        """In which families (4, 6) a datagram gets from these sources to these targets at host `label`."""
        words = {family: self.send(sender, source, target, port)
                 for family, source, target in zip((4, 6), sources, targets)}
        # A datagram sent later, by a way that is always open, has come: so has all that was to come.
        if sender is self.client:
            lib.ping(self.client, "10.9.0.1", 1)
        for target in targets:
            mark = self.send(self.host, "::" if ":" in target else "0.0.0.0", target, port)
            lib.wait_until(lambda mark=mark: f"got {mark} " in self.receivers[label].log(), "the mark")
        log = self.receivers[label].log()
        return [family for family, word in words.items() if re.search(rf"got {word} ", log)]

    def floor(self):
        return "_floor" in self.host.run(["nft", "list", "tables"]).stdout


class Alive(Firewall):
    def test_policy_and_the_sides_of_addresses(self):
        self.up(gateway='forward = true\nmasquerade = ["10.9.0.0/24", "fd09::/64", "10.20.0.0/16"]')
        self.anna()
        self.assertEqual(self.arrives(self.client, ANNA, "wan", WAN, ALLOWED), [4, 6])
        self.assertEqual(self.arrives(self.client, ANNA, "wan", WAN, REFUSED), [])
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, ALLOWED), [4, 6])
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, REFUSED), [])
        # A neighbour, on any device, speaks for anna: to the world, through the NAT, to this machine.
        for label, toward, targets in (("wan", "other", OTHER), ("other", "wan", WAN),
                                       ("lan", "wan", WAN)):
            self.assertEqual(self.arrives(self.hosts[label], ANNA, toward, targets, ALLOWED), [], label)
            before = self.counters()["spoofed"]
            self.send(self.hosts[label], "10.20.3.4", targets[0], ALLOWED)
            self.assertGreater(self.counters()["spoofed"], before)
        # A host that only has an address that would be masqueraded has no way out.
        self.assertEqual(self.arrives(self.hosts["other"], OTHER, "wan", WAN, ALLOWED), [])
        # To the tunnel from elsewhere: the policy says no.
        before = self.counters()["to_tunnel"]
        self.send(self.hosts["wan"], WAN[0], ANNA[0], ALLOWED)
        self.send(self.hosts["wan"], WAN[1], ANNA[1], ALLOWED)
        self.assertEqual(self.counters()["to_tunnel"], before + 6)

    def test_it_is_no_router_for_everybody(self):
        self.up()
        self.assertEqual(self.forwards(), ["1", "1"])
        self.assertEqual(self.arrives(self.hosts["other"], OTHER, "wan", WAN, ALLOWED), [])
        self.assertEqual(self.arrives(self.hosts["wan"], WAN, "lan", LAN, ALLOWED), [])
        self.assertGreaterEqual(self.counters()["foreign_forward"], 6)
        self.node.wait_log(r"were not forwarded .* forward_others = true in \[gateway\]", timeout=15)
        self.reload(gateway="forward = true\nforward_others = true")
        self.assertEqual(self.arrives(self.hosts["other"], OTHER, "wan", WAN, ALLOWED), [4, 6])
        self.reload(gateway="forward = true")
        self.assertEqual(self.arrives(self.hosts["other"], OTHER, "wan", WAN, ALLOWED), [])
        self.reload(gateway="forward = false")
        self.assertEqual(self.forwards(), ["0", "0"])

    def test_what_was_forwarded_before_stays_so(self):
        self.forwarding(True)
        self.up()
        foreign = (self.hosts["other"], OTHER, "wan", WAN, ALLOWED)
        self.assertEqual(self.arrives(*foreign), [4, 6])
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, REFUSED), [])
        self.node.signal(signal.SIGKILL)
        self.node.wait()
        self.assertEqual(self.arrives(*foreign), [4, 6])
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, REFUSED), [], "dead means closed")
        self.node = self.start()
        self.assertEqual(self.node.stop(), 0, self.node.log())
        self.assertEqual(self.arrives(*foreign), [4, 6])
        self.assertEqual(self.forwards(), ["1", "1"])
        self.assertFalse(self.floor())

    def test_who_flushes_opens_nothing(self):
        self.up()
        for command in (["nft", "flush", "ruleset"], ["nft", "-f", f"{self.folder}/nftables.conf"],
                        ["nft", "delete", "table", "inet", f"thalweg_{self.interface}_floor"],
                        ["nft", "flush", "table", "inet", f"thalweg_{self.interface}_floor"],
                        ["nft", "flush", "chain", "inet", f"thalweg_{self.interface}_floor", "forward"]):
            with open(f"{self.folder}/nftables.conf", "w", encoding="utf-8") as stream:
                stream.write("flush ruleset\ntable inet filter {\n chain input {\n"
                             "  type filter hook input priority filter;\n }\n}\n")
            before = self.node.log().count("it is put back")
            self.host.run(command)
            self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, REFUSED), [], command)
            lib.wait_until(lambda: self.node.log().count("it is put back") > before, "the floor", 1)
            self.assertTrue(self.floor())
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, ALLOWED), [4, 6])
        self.node.signal(signal.SIGKILL)
        self.node.wait()
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, ALLOWED), [], "put back")

    def test_nobody_else_can_change_the_policy(self):
        self.up()
        table = f"thalweg_{self.interface}"
        for command in (["nft", "delete", "table", "inet", table], ["nft", "flush", "table", "inet", table],
                        ["nft", "add", "rule", "inet", table, "routed", "accept"]):
            self.assertNotEqual(self.host.run(command, check=False).returncode, 0, command)
        self.assertIn("ct count over 4096", self.host.run("nft list ruleset").stdout)

    def test_a_new_name_opens_nothing_and_does_not_last(self):
        self.up()
        self.anna()
        index = self.host.ip(f"-o link show {self.interface}").split(":")[0]
        self.host.ip(f"link set {self.interface} name twt-renamed")
        self.assertEqual(self.arrives(self.client, ANNA, "wan", WAN, REFUSED), [])
        named = f"{index}: {self.interface}:"
        lib.wait_until(lambda: named in self.host.ip("-o link show"), "the old name", 1)
        self.assertEqual(self.arrives(self.client, ANNA, "wan", WAN, ALLOWED), [4, 6])
        self.node.wait_log("has its name again")
        # A client device that is called otherwise is one still.
        self.host.ip("link set to-lan name twt-lan")
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, REFUSED), [])
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, ALLOWED), [4, 6])

    def test_a_client_device_that_is_made_anew(self):
        self.forwarding(True)  # so that nothing but the policy stands in the way
        self.up()
        self.host.ip("link del to-lan")
        self.net.veth(self.host, self.hosts["lan"], ["198.18.4.1/24", "2001:db8:4::1/64"],
                      ["198.18.4.2/24", "2001:db8:4::2/64"])
        self.hosts["lan"].ip("-4 route add default via 198.18.4.1")
        self.hosts["lan"].ip("-6 route add default via 2001:db8:4::1")
        self.host.sysctl("net.ipv4.conf.to-lan.rp_filter", 0)
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, REFUSED), [])
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, ALLOWED), [4, 6])

    def test_a_tunnel_that_is_moved_away_ends_the_node(self):
        self.up()
        elsewhere = self.net.namespace("else")
        self.host.ip(f"link set {self.interface} netns {elsewhere.name}")
        self.assertNotEqual(self.node.wait(15), 0)
        self.assertIn(f"{self.interface} was removed, or moved to another network namespace", self.node.log())
        self.assertNotIn(self.interface, elsewhere.ip("-o link show"))
        self.assertEqual(self.forwards(), ["0", "0"])
        self.assertFalse(self.floor())

    def test_peers_by_wg_set_are_of_the_overlay(self):
        self.up()
        self.host.run(["wg", "set", self.interface, "peer", lib.pubkey(lib.genkey()),
                       "allowed-ips", "10.77.0.0/16,fd77::/64"])
        # The device has answered; the firewall follows a moment later.
        lib.wait_until(lambda: "fd77::/64" in self.host.run("nft list ruleset").stdout,
                       "the firewall to follow")
        # A neighbour over IPv6 may take seconds to be found, and what waits for it is lost.
        self.assertEqual(lib.ping(self.hosts["wan"], "2001:db8:2::1", 1, wait=10).received, 1)
        before = self.counters()["spoofed"]
        self.send(self.hosts["wan"], "10.77.1.1", "192.0.2.1", ALLOWED)
        self.send(self.hosts["wan"], "fd77::1", "2001:db8:2::1", ALLOWED)
        self.assertGreaterEqual(self.counters()["spoofed"], before + 6)

    def test_a_network_of_another_device_is_not_the_overlay(self):
        """An allowed IP as wide as the administrator's own network does not lock him out."""
        self.up(allowed='"10.9.0.2/32", "192.0.0.0/8", "2001:db8::/32"')
        self.assertEqual(lib.ping(self.hosts["wan"], "192.0.2.1", 3).received, 3)
        self.assertEqual(lib.ping(self.hosts["wan"], "2001:db8:2::1", 3).received, 3)
        before = self.counters()["spoofed"]
        self.send(self.hosts["wan"], "192.7.7.7", "192.0.2.1", ALLOWED)
        self.assertGreater(self.counters()["spoofed"], before)
        # One that comes later.
        self.host.ip("address add 192.8.0.1/24 dev to-wan")
        self.hosts["wan"].ip("address add 192.8.0.2/24 dev to-node")
        lib.wait_until(lambda: lib.ping(self.hosts["wan"], "192.8.0.1", 1, wait=1).received, "a reply", 5)

    def test_a_local_user_is_not_the_pop(self):
        pops = "".join(POP.format(*one) for one in (("p4", "10.9.0.2", "203.0.113.0/24"),
                                                    ("p6", "fd09::2", "2001:db8:9::/48")))
        self.up(policy=POLICY + pops)
        self.anna()
        server = self.client.start(["python3", "-u", "-c", LISTENER], name="legs")
        server.wait_log("ready")
        as_nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
        for address in ("10.9.0.2", "fd09::2"):
            for user in (as_nobody, []):  # root without the mark is nobody, too
                said = self.host.run([*user, "python3", "-c", CONNECT, address, 9702])
                self.assertEqual(said.stdout.strip(), "refused")
        self.assertGreaterEqual(self.counters()["other_legs"], 4)
        # The relay's own arrive: it keeps some warm.
        lib.wait_until(lambda: ":9702" in self.host.run("ss -Htn state established").stdout, "a leg")


class Dead(Firewall):
    def test_closed_named_and_cleaned(self):
        self.up()
        self.node.signal(signal.SIGKILL)
        self.node.wait()
        self.assertEqual(self.forwards(), ["1", "1"])
        for sender, sources, label, targets in (("lan", LAN, "wan", WAN), ("other", OTHER, "wan", WAN),
                                                ("wan", ANNA, "other", OTHER), ("wan", WAN, "lan", LAN)):
            came = self.arrives(self.hosts[sender], sources, label, targets, ALLOWED)
            self.assertEqual(came, [], (sender, label))
        self.assertEqual(lib.ping(self.hosts["wan"], "192.0.2.1", 2).received, 2, "input is open")
        status = self.host.run([BINARY, "status", "--socket", f"{self.folder}/node.sock"], check=False)
        check = self.host.run([BINARY, "check", "-c", f"{self.folder}/node.toml"])
        for said in (status.stderr, check.stderr):
            self.assertRegex(said, rf"a node on {self.interface} has died and left .*_floor.*ip_forward")
            self.assertIn("'thalweg clean'", said)
        cleaned = self.host.run([BINARY, "clean"]).stdout
        self.assertRegex(cleaned, r"undone: net/ipv4/ip_forward")
        self.assertEqual(self.forwards(), ["0", "0"])
        self.assertFalse(self.floor())
        self.assertRegex(self.host.run([BINARY, "clean"]).stdout, "nothing is left")

    def test_clean_leaves_the_living_alone(self):
        self.up()
        self.host.run([BINARY, "clean"])
        self.assertTrue(self.floor())
        self.assertEqual(self.forwards(), ["1", "1"])
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, ALLOWED), [4, 6])
        self.assertEqual(self.node.stop(), 0, self.node.log())
        self.assertFalse(self.floor())

    def test_two_nodes_in_one_namespace(self):
        second = lib.unique_interface()
        self.configure(name="second", interface=second, port=51821, v4="10.8.0.1", v6="fd08::1", relay="",
                       listen=9711, leg=9712, allowed='"10.8.0.2/32", "fd08::2/128"')
        self.up()
        flow = (self.hosts["lan"], LAN, "wan", WAN)
        foreign = (self.hosts["other"], OTHER, "wan", WAN, ALLOWED)
        for first_ends in (signal.SIGTERM, signal.SIGKILL):
            other = self.start("second")
            self.assertEqual(self.arrives(*flow, ALLOWED), [4, 6], "no foreigners")
            other.signal(first_ends)
            other.wait()
            self.assertEqual(self.forwards(), ["1", "1"])
            self.assertEqual(self.arrives(*flow, ALLOWED), [4, 6])
            self.assertEqual(self.arrives(*flow, REFUSED), [])
            self.assertEqual(self.arrives(*foreign), [])
        self.assertEqual(self.node.stop(), 0)
        self.assertEqual(self.forwards(), ["1", "1"], "the dead one's journal needs it still")
        self.assertEqual(self.arrives(*foreign), [], "its floor stands")
        self.host.run([BINARY, "clean"])
        self.assertEqual(self.forwards(), ["0", "0"])


class Storm(Firewall):
    """Refused packets all the time and from all sides, while everything happens to the node."""

    TRIES = {name: 1000 if LONG else few for name, few in
             (("reload", 5), ("flush", 40), ("rename", 15), ("crash", 5), ("stop", 4))}

    def blast(self):
        for sender, sources, targets in (("lan", LAN, WAN), ("other", OTHER, WAN), ("wan", ANNA, OTHER),
                                         ("wan", WAN, LAN)):
            for source, target in zip(sources, targets):
                argv = ["python3", "-c", SENDER, source, target, REFUSED, "storm", 0, 0.005]
                self.hosts[sender].start(argv, name=f"tx-{sender}")

    def nothing_came(self, what):
        for label, receiver in self.receivers.items():
            self.assertNotIn("storm", receiver.log(), f"{what}: at {label}")

    def test_none_of_a_thousand(self):
        self.blast()
        self.up()
        table = f"thalweg_{self.interface}_floor"
        for number in range(self.TRIES["reload"]):
            self.reload(policy=POLICY if number % 2 else "")
        self.nothing_came("reload")
        for number in range(self.TRIES["flush"]):
            self.host.run("nft flush ruleset" if number % 2 else f"nft delete table inet {table}",
                          check=False)
        self.nothing_came("flush")
        for _ in range(self.TRIES["rename"]):
            self.host.ip(f"link set {self.interface} name twt-renamed", check=False)
            lib.wait_until(lambda: f" {self.interface}:" in self.host.ip("-o link"), "the old name", 3)
        self.nothing_came("rename")
        for _ in range(self.TRIES["crash"]):
            self.node.signal(signal.SIGKILL)
            self.node.wait()
            self.node = self.start()
        self.nothing_came("crash and start")
        for _ in range(self.TRIES["stop"]):
            self.assertEqual(self.node.stop(20), 0, self.node.log())
            self.node = self.start()
        self.nothing_came("stop and start")
        self.reload()
        self.assertEqual(self.arrives(self.hosts["lan"], LAN, "wan", WAN, ALLOWED), [4, 6], "open to others")


if __name__ == "__main__":
    lib.main()
