"""What paths carry less than a tunnel's datagrams: found out, forged, and whose business that is."""

import socket
import struct
import textwrap

import lib

PORT = 50221
INNER = {"g": ("10.79.0.1", "fd79::1"), "a": ("10.79.0.2", "fd79::2"), "c": ("10.79.0.3", "fd79::3")}
# The gateway g reaches peer a by way of a router r, and peer c directly.
OUTER = {4: {"g-r": "10.80.1.1", "r-g": "10.80.1.2", "r-a": "10.80.2.1", "a": "10.80.2.2",
             "g-c": "10.80.3.1", "c": "10.80.3.2"},
         6: {"g-r": "fd80:1::1", "r-g": "fd80:1::2", "r-a": "fd80:2::1", "a": "fd80:2::2",
             "g-c": "fd80:3::1", "c": "fd80:3::2"}}
LENGTH = {4: 24, 6: 64}

# Sends one ICMP error to an address: argv is family, target, and the message in hexadecimal.
SEND_ICMP = textwrap.dedent("""
    import socket, sys
    family, protocol = ((socket.AF_INET, socket.IPPROTO_ICMP) if sys.argv[1] == "4"
                        else (socket.AF_INET6, socket.IPPROTO_ICMPV6))
    sender = socket.socket(family, socket.SOCK_RAW, protocol)
    sender.sendto(bytes.fromhex(sys.argv[3]), (sys.argv[2], 0))
""")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def too_big(family, source, target, mtu):
    """"Fragmentation needed", or "packet too big", about a datagram of the tunnel from source to target."""
    udp = struct.pack("!HHHH", PORT, PORT, 1460, 0) + bytes(24)
    if family == 4:
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1480, 1, 0x4000, 64, 17, 0, socket.inet_aton(source),
                         socket.inet_aton(target))
        message = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + ip + udp
        return message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    ip = struct.pack("!IHBB16s16s", 6 << 28, 1460, 17, 64, socket.inet_pton(socket.AF_INET6, source),
                     socket.inet_pton(socket.AF_INET6, target))
    return struct.pack("!BBHI", 2, 0, 0, mtu) + ip + udp  # the kernel fills its checksum in


class Mtu(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.hosts = {label: self.net.namespace(label) for label in "grac"}

    def start(self, family, hop_mtu=None, first_mtu=None):
        """The tunnel over outer addresses of one family; the MTU of r's link to a, and of g's link to r."""
        self.family, self.at = family, OUTER[family]
        g, r, a, c = (self.hosts[label] for label in "grac")

        def prefix(key):
            return f"{self.at[key]}/{LENGTH[family]}"
        self.net.veth(g, r, prefix("g-r"), prefix("r-g"), mtu=first_mtu)
        self.net.veth(r, a, prefix("r-a"), prefix("a"), mtu=hop_mtu)
        self.net.veth(g, c, prefix("g-c"), prefix("c"))
        r.sysctl("net.ipv4.ip_forward", 1)
        r.sysctl("net.ipv6.conf.all.forwarding", 1)
        g.ip(f"route add {self.at['a']} via {self.at['r-g']}")
        a.ip(f"route add {self.at['g-r']} via {self.at['r-a']}")
        # A router's first neighbour over IPv6 is found after two seconds, which is no loss of the tunnel's.
        for key in ("a", "c"):
            self.assertEqual(lib.ping(g, self.at[key], count=1, wait=10).received, 1)
        keys = {label: lib.genkey() for label in "gac"}
        self.names = {label: lib.unique_interface() for label in "gac"}
        self.devices = {label: lib.thalweg_wg(self.hosts[label], self.names[label]) for label in "gac"}

        def endpoint(key):
            return f"{self.at[key]}:{PORT}" if family == 4 else f"[{self.at[key]}]:{PORT}"
        for label, others in (("a", {"g": "g-r"}), ("c", {"g": "g-c"}), ("g", {"a": "a", "c": "c"})):
            peers = [lib.Peer(lib.pubkey(keys[other]), ",".join(f"{at}/32" if "." in at else f"{at}/128"
                                                                for at in INNER[other]), endpoint(key))
                     for other, key in others.items()]
            lib.configure(self.hosts[label], self.names[label], keys[label], peers, PORT)
            self.hosts[label].address(self.names[label], f"{INNER[label][0]}/24", f"{INNER[label][1]}/64",
                                      mtu=1420)

    def passes(self, label, count=10):
        """Of `count` inner packets as large as the tunnel's MTU, sent from g, how many are answered."""
        return lib.ping(self.hosts["g"], INNER[label][0], count=count, size=1392).received

    def learn_path(self, label):
        """A session; and over IPv6 one packet lost a direction, as nobody on the way cuts there."""
        self.assertEqual(lib.ping(self.hosts["g"], INNER[label][0], count=1).received, 1)
        if self.family == 6:
            for _ in range(2):
                self.passes(label, 1)

    def fragments(self, label):
        """Fragments that a host has been sent, so far."""
        if self.family == 4:
            lines = self.hosts[label].run(["cat", "/proc/net/snmp"]).stdout.splitlines()
            names, values = (line.split() for line in lines if line.startswith("Ip:"))
            return int(values[names.index("ReasmReqds")])
        text = self.hosts[label].run(["cat", "/proc/net/snmp6"]).stdout
        return int(dict(line.split() for line in text.splitlines())["Ip6ReasmReqds"])

    def train_bytes(self, label, interface, seconds=1):
        """How long what g sends to a peer by this interface is on average: a train, or a datagram."""
        def counted():
            folder = f"/sys/class/net/{interface}/statistics"
            return [int(self.hosts["g"].run(["cat", f"{folder}/tx_{what}"]).stdout)
                    for what in ("packets", "bytes")]
        before = counted()
        lib.iperf3(self.hosts["g"], self.hosts[label], INNER[label][0], seconds=seconds)
        packets, sent = (after - first for after, first in zip(counted(), before))
        return sent / packets

    def forge(self, key, label, mtu):
        message = too_big(self.family, self.at[key], self.at[label], mtu)
        self.hosts["r"].run(["python3", "-c", SEND_ICMP, self.family, self.at["g-r"], message.hex()])
        # Raw sockets send at once; the answer to a ping says that g has taken it in.
        self.assertEqual(lib.ping(self.hosts["r"], self.at["g-r"], count=1).received, 1)

    def stop(self):
        for device in self.devices.values():
            self.assertEqual(device.stop(), 0)


class Hop(Mtu):
    """A peer behind a hop of 1,400 bytes."""

    def check(self, family):
        self.start(family, hop_mtu=1400)
        self.learn_path("a")
        self.assertEqual(self.passes("a"), 10)
        self.assertGreater(self.fragments("a"), 0)
        self.assertEqual(self.passes("c"), 10)
        self.assertEqual(self.fragments("c"), 0)
        result = lib.iperf3(self.hosts["g"], self.hosts["a"], INNER["a"][0], seconds=1)
        self.assertGreater(result.bits_per_second, 5e6)
        self.assertGreater(self.train_bytes("c", "to-c"), 4000)
        self.stop()

    def test_over_ipv4(self):
        self.check(4)

    def test_over_ipv6(self):
        self.check(6)


class Forged(Mtu):
    """What a message costs that somebody made up who knows the addresses alone, and whom."""

    def test_over_ipv4_nobody_pays(self):
        self.start(4)
        self.assertEqual(self.passes("a"), 10)
        for mtu in (68, 552, 1000, 1280):
            self.forge("g-r", "a", mtu)
        self.assertEqual(self.passes("a"), 10)
        self.assertEqual(self.passes("c"), 10)
        self.assertEqual(self.fragments("a"), 0)
        self.assertGreater(self.train_bytes("a", "to-r"), 4000)
        self.assertGreater(self.train_bytes("c", "to-c"), 4000)
        self.stop()

    def test_over_ipv6_that_destination_pays(self):
        self.start(6)
        self.assertEqual(self.passes("a"), 10)
        self.forge("g-r", "a", 100)  # below what IPv6 allows
        self.forge("g-r", "a", 1280)
        self.assertEqual(self.passes("a"), 10)
        fragments = self.fragments("a")
        self.assertLessEqual(fragments, 20)  # two of each, 1,280 bytes the first
        self.assertEqual(self.passes("c"), 10)
        self.assertEqual(self.fragments("c"), 0)
        self.train_bytes("a", "to-r")
        self.assertGreater(self.train_bytes("c", "to-c"), 4000)
        # It ends with what the kernel remembers: 10 minutes, or when it is told to forget.
        self.hosts["g"].ip("-6 route flush cache")
        self.assertEqual(self.passes("a"), 10)
        fragments = self.fragments("a")
        self.assertEqual(self.passes("a"), 10)
        self.assertEqual(self.fragments("a"), fragments)
        self.assertGreater(self.train_bytes("a", "to-r"), 4000)
        self.stop()


class Configured(Mtu):
    """What the administrator says of a link or of a route is obeyed."""

    def check_link(self, family):
        self.start(family, first_mtu=1280)
        self.learn_path("a")
        self.assertEqual(self.passes("a"), 10)
        for _ in range(3):  # hundreds of trains are refused
            self.train_bytes("a", "to-r")
        self.assertGreater(self.train_bytes("c", "to-c"), 4000)
        for host, interface in (("g", "to-r"), ("r", "to-g")):
            self.hosts[host].ip(f"link set {interface} mtu 1500")
        self.assertGreater(self.train_bytes("a", "to-r"), 4000)  # without a restart
        self.stop()

    def test_the_mtu_of_a_link_over_ipv4(self):
        self.check_link(4)

    def test_the_mtu_of_a_link_over_ipv6(self):
        self.check_link(6)

    def check_route(self, family):
        self.start(family)
        self.assertEqual(self.passes("a"), 10)
        self.assertEqual(self.fragments("a"), 0)
        route = f"route replace {self.at['a']} via {self.at['r-g']}"
        self.hosts["g"].ip(f"{route} mtu 1300")
        lib.wait_until(lambda: self.passes("a") == 10 and self.fragments("a") > 0, "the route's MTU")
        before = self.fragments("a")
        self.assertEqual(self.passes("a"), 10)
        self.assertEqual(self.fragments("a"), before + 20)
        self.assertEqual(self.passes("c"), 10)
        self.assertEqual(self.fragments("c"), 0)
        self.hosts["g"].ip(f"{route} mtu lock 1300")
        self.assertEqual(self.passes("a"), 10)
        self.forge("g-r", "a", 552 if family == 4 else 1280)
        self.assertEqual(self.passes("a"), 10)
        self.hosts["g"].ip(route)
        if family == 6:
            self.hosts["g"].ip("-6 route flush cache")
        lib.wait_until(lambda: self.passes("a", 1) == 1 and self.train_bytes("a", "to-r") > 4000,
                       "whole trains")
        self.stop()

    def test_the_mtu_of_a_route_over_ipv4(self):
        self.check_route(4)

    def test_the_mtu_of_a_route_over_ipv6(self):
        self.check_route(6)


if __name__ == "__main__":
    lib.main()
