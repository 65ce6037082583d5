"""What the host hears of packets that a tunnel cannot forward: at once, as from the kernel's device."""

import errno
import re
import textwrap
import time

import lib

# Connects to an address, TCP port 80, and prints the errno and how long it took.
CONNECT = textwrap.dedent("""
    import socket, sys, time
    family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    client = socket.socket(family, socket.SOCK_STREAM)
    client.settimeout(20)
    began = time.monotonic()
    try:
        client.connect((sys.argv[1], 80))
        number = 0
    except OSError as error:
        number = error.errno or -1
    print(number, time.monotonic() - began)
""")

# Sends 2,000 datagrams to an address, as fast as it can.
SCAN = textwrap.dedent("""
    import socket, sys
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for port in range(1, 2001):
        sender.sendto(b"x", (sys.argv[1], port))
""")

NOBODY = ("10.78.0.77", "fd78::77")
UNKNOWN = ("10.78.0.3", "fd78::3")  # a peer's, whose endpoint is not known


class Unreachable(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.host = self.net.namespace("host")
        self.name = lib.unique_interface()
        self.device = lib.thalweg_wg(self.host, self.name)
        peer = lib.Peer(lib.pubkey(lib.genkey()), ",".join(UNKNOWN))
        lib.configure(self.host, self.name, lib.genkey(), [peer])
        self.host.address(self.name, "10.78.0.1/24", "fd78::1/64", mtu=1420)

    def ping(self, address):
        began = time.monotonic()
        done = self.host.run(["ping", "-n", "-c", 1, "-W", 5, address], check=False)
        self.assertEqual(done.returncode, 1)
        self.assertLess(time.monotonic() - began, 3)
        return done.stdout

    def test_a_ping_says_so(self):
        for four, six in (NOBODY, UNKNOWN):
            self.assertRegex(self.ping(four), r"From \S+ icmp_seq=1 Destination Host Unreachable")
            self.assertRegex(self.ping(six),
                             r"From \S+ icmp_seq=1 Destination unreachable: Address unreachable")

    def test_a_connection_fails_at_once(self):
        for address in NOBODY + UNKNOWN:
            number, seconds = self.host.run(["python3", "-c", CONNECT, address]).stdout.split()
            self.assertEqual(errno.errorcode[int(number)], "EHOSTUNREACH", address)
            self.assertLess(float(seconds), 1, address)

    def test_strict_reverse_path_filtering_lets_it_in(self):
        for key in ("all", self.name):
            self.host.sysctl(f"net.ipv4.conf.{key}.rp_filter", 1)
        self.assertIn("Destination Host Unreachable", self.ping(NOBODY[0]))

    def test_a_scan_gets_a_few(self):
        began = time.monotonic()
        self.host.run(["python3", "-c", SCAN, NOBODY[0]])
        self.device.stop()
        answered = int(re.search(r"from the wire: 0 in, (\d+) out", self.device.log()).group(1))
        self.assertGreaterEqual(answered, 50)
        self.assertLessEqual(answered, 50 + 100 * (time.monotonic() - began))


if __name__ == "__main__":
    lib.main()
