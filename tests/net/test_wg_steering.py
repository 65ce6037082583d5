"""A peer's messages that would change the host behind the tunnel teach it nothing."""

import textwrap

import lib

PORT = (50261, 50262)
INNER = (("10.88.0.1", "fd88::1"), ("10.88.0.2", "fd88::2"))

# Sends, out of an interface, what its argument names: whole IPv6 or IPv4 packets, as a router would.
SENDER = textwrap.dedent("""
    import socket, struct, sys
    interface, kind = sys.argv[1:3]
    def checksum(data):
        data += bytes(len(data) % 2)
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        return ~total & 0xffff
    six = lambda text: socket.inet_pton(socket.AF_INET6, text)
    four = socket.inet_aton
    def icmp6(source, target, body, extension=b""):
        pseudo = six(source) + six(target) + struct.pack("!IxxxB", len(body), 58)
        body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
        return (struct.pack("!IHBB", 6 << 28, len(extension) + len(body), 60 if extension else 58, 255)
                + six(source) + six(target) + extension + body)
    def icmp4(source, target, body):
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 7, 0, 255, 1, 0, four(source),
                           four(target))
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body
    prefix = struct.pack("!BBBBIIxxxx16s", 3, 4, 64, 0xc0, 3600, 3600, six("2001:db8:bad::"))
    mtu = struct.pack("!BBxxI", 5, 1, 1280)
    route = struct.pack("!BBBBI16s", 24, 3, 64, 0, 3600, six("2001:db8:bad2::"))
    advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix + mtu + route
    victim6, victim4 = sys.argv[3], sys.argv[4]
    quoted6 = struct.pack("!IHBB", 6 << 28, 8, 17, 64) + six(victim6) + six("2001:db8:77::1") + bytes(8)
    quoted4 = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 7, 0, 64, 17, 0, four(victim4),
                          four("198.51.100.77")) + bytes(8)
    packets = {
        "advertisement": icmp6("fe80::bad", "ff02::1", advertisement),
        "to-one": icmp6("fe80::bad", victim6, advertisement),
        "hidden": icmp6("fe80::bad", "ff02::1", advertisement, struct.pack("!BBBBI", 58, 0, 1, 4, 0)),
        "redirect6": icmp6("fe80::1", victim6, struct.pack("!BBHI", 137, 0, 0, 0) + six("fe80::bad")
                           + six("2001:db8:77::1") + struct.pack("!BBxxxxxx", 4, 7) + quoted6),
        "redirect4": icmp4("10.88.0.2", victim4,
                           struct.pack("!BBH4s", 5, 1, 0, four("10.88.0.99")) + quoted4),
        "advertisement4": icmp4("10.88.0.2", "224.0.0.1", struct.pack("!BBHBBH4sI", 9, 0, 0, 1, 2, 1800,
                                                                      four("10.88.0.2"), 0)),
    }
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    for _ in range(3):
        protocol = 0x800 if kind.endswith("4") else 0x86dd
        sender.sendto(packets[kind], (interface, protocol))
""")
KINDS = ("advertisement", "to-one", "hidden", "redirect6", "redirect4", "advertisement4")


class Steering(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.victim, self.peer, self.other = (self.net.namespace(label) for label in ("v", "p", "o"))
        self.net.veth(self.victim, self.peer, "10.89.0.1/24", "10.89.0.2/24")
        self.names = [lib.unique_interface() for _ in range(2)]
        self.keys = [lib.genkey() for _ in range(2)]

    def start(self):
        hosts = (self.victim, self.peer)
        self.devices = [lib.thalweg_wg(host, name) for host, name in zip(hosts, self.names)]
        for side in (0, 1):
            # The most trusting configuration there is.
            peer = lib.Peer(lib.pubkey(self.keys[1 - side]), "0.0.0.0/0,::/0",
                            f"10.89.0.{2 - side}:{PORT[1 - side]}")
            lib.configure(hosts[side], self.names[side], self.keys[side], [peer], PORT[side])
        self.peer.address(self.names[1], *(f"{at}/{24 if '.' in at else 64}" for at in INNER[1]), mtu=1420)

    def up(self, host):
        host.address(self.names[0], *(f"{at}/{24 if '.' in at else 64}" for at in INNER[0]), mtu=1420)
        # Ways that a redirect could change, by a gateway inside.
        host.ip(f"route add 198.51.100.0/24 via {INNER[1][0]} dev {self.names[0]}")
        host.ip(f"-6 route add 2001:db8:77::/48 via fe80::1 dev {self.names[0]} onlink")
        lib.wait_until(lambda: lib.ping(host, INNER[1][0], count=1).received, "the tunnel")

    def learned(self, host):
        """All that a host knows of ways, addresses and the device."""
        name = self.names[0]
        return (host.ip(f"-6 address show dev {name} scope global") + host.ip("-6 route show")
                + host.ip("route show") + host.ip("-o route get 198.51.100.77")
                + host.ip("-o -6 route get 2001:db8:77::1")
                + host.run(["cat", f"/proc/sys/net/ipv6/conf/{name}/mtu"]).stdout)

    def check(self, host):
        before = self.learned(host)
        for kind in KINDS:
            self.peer.run(["python3", "-c", SENDER, self.names[1], kind, INNER[0][1], INNER[0][0]])
            # A packet that comes after it by the same way has been handled after it.
            self.assertEqual(lib.ping(self.peer, INNER[0][1], count=2).received, 2)
            self.assertEqual(self.learned(host), before, kind)

    def dropped(self):
        self.assertEqual(self.devices[0].stop(), 0)
        self.assertRegex(self.devices[0].log(), rf"from the wire: .*host_steering {3 * len(KINDS)}\b")

    def test_nothing_is_learned(self):
        self.start()
        self.up(self.victim)
        self.check(self.victim)
        self.dropped()

    def test_nor_by_who_asks_for_it(self):
        # A setting of the machine's, or somebody's slip.
        self.start()
        self.up(self.victim)
        for key, value in (("ipv6/conf/{}/accept_ra", 2), ("ipv6/conf/{}/autoconf", 1),
                           ("ipv6/conf/{}/accept_redirects", 1), ("ipv4/conf/{}/accept_redirects", 1)):
            self.victim.sysctl(f"net/{key.format(self.names[0])}", value)
        self.check(self.victim)
        self.dropped()

    def test_nor_in_another_namespace(self):
        # Settings do not move with a device: these are the namespace's own.
        for key in ("accept_ra", "autoconf", "accept_redirects"):
            self.other.sysctl(f"net.ipv6.conf.default.{key}", 1)
        self.start()
        self.victim.ip(f"link set {self.names[0]} netns {self.other.name}")
        self.up(self.other)
        self.check(self.other)
        self.dropped()

    def test_the_settings_are_those_of_a_tunnel(self):
        self.start()
        name = self.names[0]
        for key, value in (("ipv6/conf/{}/accept_ra", 0), ("ipv6/conf/{}/autoconf", 0),
                           ("ipv6/conf/{}/accept_redirects", 0), ("ipv6/conf/{}/addr_gen_mode", 1),
                           ("ipv4/conf/{}/accept_redirects", 0), ("ipv4/conf/{}/send_redirects", 0)):
            path = "/proc/sys/net/" + key.format(name)
            self.assertEqual(self.victim.run(["cat", path]).stdout.strip(), str(value), path)
        self.up(self.victim)
        shown = self.victim.ip(f"link show {name}")
        self.assertNotIn("MULTICAST", shown)
        self.assertIn("POINTOPOINT", shown)
        self.assertNotIn("fe80", self.victim.ip(f"-6 address show dev {name}"))


if __name__ == "__main__":
    lib.main()
