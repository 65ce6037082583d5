"""A machine with two uplinks that drop foreign sources, as providers do: what leaves by one of them
must come from its own address, whatever a peer has spoken to before."""

import base64
import ipaddress
import socket

import lib

PORT = {"g": 50231, "p": 50232}
INNER = {"g": ("10.83.0.1", "fd83::1"), "p": ("10.83.0.2", "fd83::2")}
# g has an uplink each by r1 and r2; the peer p sits behind both of them.
OUTER = {4: {"g1": "10.81.1.1", "r1": "10.81.1.2", "g2": "10.81.2.1", "r2": "10.81.2.2",
             "r1p": "10.82.1.1", "p1": "10.82.1.2", "r2p": "10.82.2.1", "p2": "10.82.2.2", "p": "10.99.0.1"},
         6: {"g1": "fd81:1::1", "r1": "fd81:1::2", "g2": "fd81:2::1", "r2": "fd81:2::2",
             "r1p": "fd82:1::1", "p1": "fd82:1::2", "r2p": "fd82:2::1", "p2": "fd82:2::2", "p": "fd99::1"}}
LENGTH = {4: 24, 6: 64}
SINGLE = {4: 32, 6: 128}

# Each provider forwards for its own customer's network alone.
FILTER = """
table inet provider {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
    iifname "to-g" {family} saddr != {network} counter drop
  }}
}}
"""


class Uplinks(lib.NetTest):
    family = 4

    def setUp(self):
        super().setUp()
        self.hosts = {label: self.net.namespace(label) for label in ("g", "r1", "r2", "p")}
        self.at = OUTER[self.family]
        at, length = self.at, LENGTH[self.family]
        for host in self.hosts.values():  # link-local addresses are good at once
            host.sysctl("net.ipv6.conf.default.accept_dad", 0)
        g, p = self.hosts["g"], self.hosts["p"]
        p.ip(f"address add {at['p']}/{SINGLE[self.family]} dev lo{' nodad' if self.family == 6 else ''}")
        for number in "12":
            router = self.hosts[f"r{number}"]
            self.net.veth(g, router, f"{at['g' + number]}/{length}", f"{at['r' + number]}/{length}")
            self.net.veth(router, p, f"{at[f'r{number}p']}/{length}", f"{at['p' + number]}/{length}")
            router.sysctl("net.ipv4.ip_forward", 1)
            router.sysctl("net.ipv6.conf.all.forwarding", 1)
            network = f"{at['g' + number]}/{length}"
            router.run(["nft", "-f", "-"], stdin=FILTER.format(
                family="ip" if self.family == 4 else "ip6", network=network))
            router.ip(f"route add {at['p']} via {at['p' + number]}")
            p.ip(f"route add {ipaddress.ip_network(network, strict=False)} via {at[f'r{number}p']} "
                 f"src {at['p']}")
        self.keys = {label: lib.genkey() for label in "gp"}
        self.names = {label: lib.unique_interface() for label in "gp"}

    def endpoint(self, label, key):
        return f"{self.at[key]}:{PORT[label]}" if self.family == 4 else f"[{self.at[key]}]:{PORT[label]}"

    def start(self):
        """p knows g by its first uplink; g knows p by the address that both uplinks lead to."""
        self.devices = {label: lib.thalweg_wg(self.hosts[label], self.names[label]) for label in "gp"}
        for label, other, key in (("p", "g", "g1"), ("g", "p", "p")):
            peer = lib.Peer(lib.pubkey(self.keys[other]), f"{INNER[other][0]}/32,{INNER[other][1]}/128",
                            self.endpoint(other, key))
            lib.configure(self.hosts[label], self.names[label], self.keys[label], [peer], PORT[label])
            self.hosts[label].address(self.names[label], f"{INNER[label][0]}/24", f"{INNER[label][1]}/64",
                                      mtu=1280)

    def uplink(self, number, metric=None, change="add", table=None):
        key = f"r{number}"
        self.hosts["g"].ip(f"{'-6 ' if self.family == 6 else ''}route {change} default via {self.at[key]}"
                           f" dev to-{key}{f' metric {metric}' if metric else ''}"
                           f"{f' table {table}' if table else ''}")

    def ping(self, side, count=3):
        return lib.ping(self.hosts[side], INNER["p" if side == "g" else "g"][0], count=count, wait=1).received

    def heard_from(self):
        """Where p last heard g."""
        return lib.wg(self.hosts["p"], "show", self.names["p"], "endpoints").split()[-1]

    def expect_uplink(self, number, begins="g"):
        """All that either side sends arrives, and p hears g from that uplink's own address."""
        lib.wait_until(lambda: self.ping(begins, 1) == 1, f"uplink {number} to carry", 8)
        self.assertEqual(self.ping("g"), 3)
        self.assertEqual(self.ping("p"), 3)
        self.assertEqual(self.heard_from(), self.endpoint("g", f"g{number}"))

    def stop(self):
        for device in self.devices.values():
            self.assertEqual(device.stop(), 0)

    def test_a_better_route_appears_and_goes(self):
        self.uplink(1, 200)
        self.start()
        self.expect_uplink(1)
        for _ in range(2):
            self.uplink(2, 100)
            self.expect_uplink(2)
            self.uplink(2, 100, "del")
            self.expect_uplink(1)
        self.stop()

    def test_the_far_side_alone_speaks(self):
        # Its packets still come to the first address, and renew what g has remembered.
        self.uplink(1, 200)
        self.start()
        self.expect_uplink(1)
        self.uplink(2, 100)
        self.expect_uplink(2, begins="p")
        self.stop()

    def test_handshakes_too(self):
        # No session yet: the answer to p's first initiation must leave with the right source.
        self.uplink(1, 200)
        self.uplink(2, 100)
        self.start()
        self.expect_uplink(2, begins="p")
        self.stop()

    def test_a_device_goes_down_and_comes_back(self):
        self.uplink(1, 100)
        self.uplink(2, 200)
        self.start()
        self.expect_uplink(1)
        self.hosts["g"].ip("link set to-r1 down")
        self.expect_uplink(2)
        self.hosts["g"].address("to-r1", *([f"{self.at['g1']}/64"] if self.family == 6 else []))
        self.hosts["r1"].ip("neigh flush dev to-g")
        self.uplink(1, 100)
        self.expect_uplink(1)
        self.stop()

    def test_a_mark_has_routes_of_its_own(self):
        self.uplink(1, 100)
        self.uplink(2, table=77)
        self.hosts["g"].ip(f"{'-6 ' if self.family == 6 else ''}rule add fwmark 7 table 77")
        self.start()
        self.expect_uplink(1)
        lib.wg(self.hosts["g"], "set", self.names["g"], "fwmark", "7")
        self.expect_uplink(2)
        self.hosts["g"].ip(f"{'-6 ' if self.family == 6 else ''}rule del fwmark 7 table 77")
        self.expect_uplink(1)
        self.stop()

    def test_a_rule_by_source_keeps_it(self):
        # Whoever routes by source has both uplinks at once, and each peer its own.
        self.uplink(2, 100)
        self.uplink(1, table=78)
        self.hosts["g"].ip(f"{'-6 ' if self.family == 6 else ''}rule add from {self.at['g1']} table 78")
        self.start()
        lib.wait_until(lambda: self.ping("p", 1) == 1, "an answer", 8)
        self.assertEqual(self.ping("p"), 3)
        self.assertEqual(self.ping("g"), 3)
        self.assertEqual(self.heard_from(), self.endpoint("g", "g1"))
        self.stop()

    def test_an_address_moves_to_another_device(self):
        # The first uplink's address is now on the second device, whose provider does not know it.
        self.uplink(1, 100)
        self.start()
        self.expect_uplink(1)
        g, length, nodad = self.hosts["g"], LENGTH[self.family], " nodad" if self.family == 6 else ""
        g.ip(f"address del {self.at['g1']}/{length} dev to-r1")
        g.ip(f"address add {self.at['g1']}/{SINGLE[self.family]} dev to-r2{nodad}")
        if self.family == 4:
            g.ip(f"route replace default via {self.at['r2']} dev to-r2 src {self.at['g2']}")
        else:
            g.ip(f"-6 route replace default via {self.at['r2']} dev to-r2 src {self.at['g2']} metric 50")
        self.expect_uplink(2)
        self.stop()


class UplinksIpv6(Uplinks):
    family = 6


class LinkLocal(lib.NetTest):
    """Two machines on two wires that know each other by link-local addresses."""

    def test_the_address_of_the_wire_is_used(self):
        hosts = [self.net.namespace(label) for label in "gp"]
        self.net.veth(*hosts, ["fe80::1:1/64"], ["fe80::1:2/64"])
        names = [lib.unique_interface() for _ in range(2)]
        keys = [lib.genkey() for _ in range(2)]
        devices = [lib.thalweg_wg(host, name) for host, name in zip(hosts, names)]
        inner = [INNER["g"], INNER["p"]]
        for side in (0, 1):
            peer = lib.Peer(lib.pubkey(keys[1 - side]), f"{inner[1 - side][0]}/32")
            lib.configure(hosts[side], names[side], keys[side], [peer], PORT["gp"[side]])
            hosts[side].address(names[side], f"{inner[side][0]}/24", mtu=1280)
        # By number: `wg` writes zones by name.
        index = hosts[1].run(["cat", "/sys/class/net/to-g/ifindex"]).stdout.strip()
        key = lib.wg(hosts[1], "show", names[1], "peers").strip()
        text = (f"set=1\npublic_key={self.hexadecimal(key)}\n"
                f"endpoint=[fe80::1:1%{index}]:{PORT['g']}\n\n")
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(lib.tunnel.SOCKETS / f"{names[1]}.sock"))
            control.sendall(text.encode())
            self.assertEqual(control.recv(100), b"errno=0\n\n")
        self.assertEqual(lib.ping(hosts[1], inner[0][0]).received, 3)
        self.assertEqual(lib.ping(hosts[0], inner[1][0]).received, 3)
        for device in devices:
            self.assertEqual(device.stop(), 0)

    @staticmethod
    def hexadecimal(key):
        return base64.b64decode(key).hex()


if __name__ == "__main__":
    lib.main()
