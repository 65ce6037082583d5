"""`thalweg wg` and Debian's wireguard-go talking to each other, in both roles and over both families."""

import json
import os
import re
import textwrap
import time
import unittest

import lib

WIRES = {4: ("10.77.0.1", "10.77.0.2"), 6: ("[fd77::1]", "[fd77::2]")}
PORTS = (50201, 50202)
INNER = (("10.78.0.1", "fd78::1"), ("10.78.0.2", "fd78::2"))

# Writes what UDP arrives at a port, one JSON list of hex payloads, when it is asked to stop.
SNIFFER = textwrap.dedent("""
    import json, signal, socket, sys
    port, path = int(sys.argv[1]), sys.argv[2]
    sniffer = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    seen = []
    def stop(*_):
        with open(path, "w") as out:
            json.dump(seen, out)
        sys.exit(0)
    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    while True:
        packet = sniffer.recv(65535)
        header = (packet[0] & 15) * 4
        if int.from_bytes(packet[header + 2:header + 4], "big") == port:
            seen.append(packet[header + 8:].hex())
""")

# Sends datagrams, a JSON list of hex payloads on stdin, to an address and port.
SENDER = textwrap.dedent("""
    import json, socket, sys
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for payload in json.load(sys.stdin):
        sender.sendto(bytes.fromhex(payload), (sys.argv[1], int(sys.argv[2])))
""")


class End:
    """One end of a tunnel."""

    def __init__(self, test, side, program):
        self.test, self.side, self.program = test, side, program
        self.host = test.net.namespace("ab"[side])
        self.name = lib.unique_interface()
        self.key = lib.genkey()
        self.process = None

    def start(self):
        run = lib.thalweg_wg if self.program == "thalweg" else lib.wireguard_go
        self.process = run(self.host, self.name)

    def configure(self, peer, wire, psk, knows_endpoint):
        endpoint = f"{WIRES[wire][peer.side]}:{PORTS[peer.side]}" if knows_endpoint else None
        allowed = ",".join(f"{address}/{128 if ':' in address else 32}" for address in INNER[peer.side])
        lib.configure(self.host, self.name, self.key, listen_port=PORTS[self.side],
                      peers=[lib.Peer(lib.pubkey(peer.key), allowed, endpoint, psk)])
        four, six = INNER[self.side]
        self.host.address(self.name, f"{four}/24", f"{six}/64", mtu=1420)

    def show(self, what):
        """The last column of `wg show` for the one peer."""
        return lib.wg(self.host, "show", self.name, what).split()[-1]

    def ping(self, peer, **options):
        return [lib.ping(self.host, address, **options).received for address in INNER[peer.side]]


class Tunnel(lib.NetTest):
    """Two ends; `left` is the one who begins, and the only one to know where the other is."""

    def tunnel(self, left, right, wire=4, psk=None, both_know=False):
        self.left, self.right = End(self, 0, left), End(self, 1, right)
        self.net.veth(self.left.host, self.right.host, ["10.77.0.1/24", "fd77::1/64"],
                      ["10.77.0.2/24", "fd77::2/64"])
        for end in (self.left, self.right):
            end.start()
        self.left.configure(self.right, wire, psk, True)
        self.right.configure(self.left, wire, psk, both_know)

    def works(self):
        self.assertEqual(self.left.ping(self.right), [3, 3])
        self.assertEqual(self.right.ping(self.left), [3, 3])

    def stop(self):
        for end in (self.left, self.right):
            self.assertEqual(end.process.stop(), 0)


class Interop(Tunnel):
    def check(self, left, right, wire, psk):
        self.tunnel(left, right, wire, psk)
        self.works()
        for end in (self.left, self.right):
            self.assertGreater(int(end.show("latest-handshakes")), 0)
            self.assertGreater(int(end.show("transfer")), 1000)
        self.stop()

    def test_initiator_to_wireguard_go_over_ipv4(self):
        self.check("thalweg", "wireguard-go", 4, lib.genpsk())

    def test_initiator_to_wireguard_go_over_ipv6(self):
        self.check("thalweg", "wireguard-go", 6, None)

    def test_responder_to_wireguard_go_over_ipv4(self):
        self.check("wireguard-go", "thalweg", 4, None)

    def test_responder_to_wireguard_go_over_ipv6(self):
        self.check("wireguard-go", "thalweg", 6, lib.genpsk())

    def test_a_wrong_psk_is_no_tunnel(self):
        self.tunnel("wireguard-go", "thalweg", psk=lib.genpsk())
        lib.wg(self.right.host, "set", self.right.name, "peer", lib.pubkey(self.left.key),
               "preshared-key", "/dev/stdin", stdin=lib.genpsk())
        self.assertEqual(self.left.ping(self.right, count=1), [0, 0])
        self.assertEqual(self.right.show("latest-handshakes"), "0")


class Transfer(Tunnel):
    """One end counts as received what the other counts as sent: handshakes, keepalives and data."""

    def bytes_of(self, end):
        """Received and sent."""
        return [int(word) for word in lib.wg(end.host, "show", end.name, "transfer").split()[-2:]]

    def agree(self):
        left, right = self.bytes_of(self.left), self.bytes_of(self.right)
        return left and left == right[::-1]

    def check(self, left, right, wire=4):
        self.tunnel(left, right, wire)
        self.works()
        lib.wait_until(self.agree, "both ends count alike")
        # One initiation and one response, and echoes of 84 and 104 bytes and their answers, padded.
        received, sent = self.bytes_of(self.left)
        self.assertGreaterEqual(sent, 148 + 3 * (96 + 32) + 3 * (112 + 32))
        self.assertGreaterEqual(received, 92 + 3 * (96 + 32) + 3 * (112 + 32))
        # One end alone sends keepalives: a packet from the far end counts against sending one.
        lib.wg(self.right.host, "set", self.right.name, "peer", lib.pubkey(self.left.key),
               "persistent-keepalive", "1")
        lib.wait_until(lambda: self.bytes_of(self.left)[0] >= received + 2 * 32, "keepalives came")
        lib.wait_until(self.agree, "both ends count alike")

    def test_beside_wireguard_go(self):
        self.check("thalweg", "wireguard-go")

    def test_as_the_responder_of_wireguard_go_over_ipv6(self):
        self.check("wireguard-go", "thalweg", 6)

    def test_beside_itself(self):
        self.check("thalweg", "thalweg")


class Traffic(Tunnel):
    def both_ways(self):
        for address in INNER[1]:
            for reverse in (False, True):
                result = lib.iperf3(self.left.host, self.right.host, address, seconds=1, reverse=reverse)
                self.assertGreater(result.bits_per_second, 5e6)

    def test_with_wireguard_go(self):
        self.tunnel("thalweg", "wireguard-go")
        self.both_ways()

    def test_with_ourselves(self):
        self.tunnel("thalweg", "thalweg", 6, lib.genpsk())
        self.works()
        self.both_ways()
        # Full-size packets, and such as have to be fragmented inside.
        for size in (1392, 4000):
            self.assertEqual(self.left.ping(self.right, size=size)[0], 3)
        self.stop()


class Change(Tunnel):
    def roams(self, left, right):
        self.tunnel(left, right)
        self.works()
        handshake = self.right.show("latest-handshakes")
        self.assertEqual(self.right.show("endpoints"), f"10.77.0.1:{PORTS[0]}")
        self.left.host.ip("address add 10.77.0.9/24 dev to-b")
        self.left.host.ip("address del 10.77.0.1/24 dev to-b")
        self.left.host.ip("address add 10.77.0.9/24 dev to-b", check=False)  # it was a secondary
        if left == "thalweg":  # wireguard-go keeps to the address it had, until its port changes
            self.assertEqual(self.left.ping(self.right), [3, 3])
            self.assertEqual(self.right.show("endpoints"), f"10.77.0.9:{PORTS[0]}")
        lib.wg(self.left.host, "set", self.left.name, "listen-port", "50299")
        self.assertEqual(self.left.ping(self.right), [3, 3])
        self.assertEqual(self.right.show("endpoints"), "10.77.0.9:50299")
        self.assertEqual(self.right.ping(self.left), [3, 3])
        if left == "thalweg":  # its sessions outlive its sockets
            self.assertEqual(self.right.show("latest-handshakes"), handshake)

    def test_we_roam(self):
        self.roams("thalweg", "wireguard-go")

    def test_a_peer_roams(self):
        self.roams("wireguard-go", "thalweg")

    def test_a_peer_restarts(self):
        self.tunnel("thalweg", "wireguard-go", both_know=True)
        self.works()
        self.right.process.stop()
        self.right.start()
        self.right.configure(self.left, 4, None, True)
        # Whoever has lost the session begins anew; the old one is in nobody's way.
        self.assertEqual(self.right.ping(self.left), [3, 3])
        self.assertEqual(self.left.ping(self.right), [3, 3])

    def test_sessions_outlive_a_syncconf(self):
        self.tunnel("wireguard-go", "thalweg")
        self.works()
        name, host = self.right.name, self.right.host
        handshake = self.right.show("latest-handshakes")
        shown = lib.wg(host, "showconf", name)
        other = lib.Peer(lib.pubkey(lib.genkey()), "10.80.0.0/16")
        lib.wg(host, "syncconf", name, "/dev/stdin", stdin=shown + other.section())
        lib.wg(host, "setconf", name, "/dev/stdin", stdin=shown)
        self.works()
        self.assertEqual(self.right.show("latest-handshakes"), handshake)

    def test_a_new_private_key(self):
        self.tunnel("thalweg", "wireguard-go")
        self.works()
        new = lib.genkey()
        # The peer takes packets of the old identity no more; the new one has to shake hands.
        lib.wg(self.right.host, "set", self.right.name, "peer", lib.pubkey(new), "allowed-ips",
               ",".join(INNER[0]))
        lib.wg(self.left.host, "set", self.left.name, "private-key", "/dev/stdin", stdin=new)
        self.works()


class Garbage(Tunnel):
    def send(self, payloads):
        text = json.dumps([payload.hex() for payload in payloads])
        self.left.host.run(["python3", "-c", SENDER, "10.77.0.2", PORTS[1]], stdin=text)

    def test_is_counted_and_harmless(self):
        self.tunnel("wireguard-go", "thalweg")
        seen = os.path.join(self.net.folder, "seen")
        sniffer = self.right.host.start(["python3", "-c", SNIFFER, PORTS[1], seen])
        sniffer.wait_log("ready")
        self.works()
        sniffer.stop()
        with open(seen, encoding="utf-8") as captured:
            real = [bytes.fromhex(payload) for payload in json.load(captured)]
        self.assertIn(1, {payload[0] for payload in real})
        self.assertIn(4, {payload[0] for payload in real})
        endpoint = self.right.show("endpoints")

        # Nothing, too little, too much, noise of every type and of none, and with reserved bits.
        self.send([b"", b"\x01", b"\x04\0\0\0", os.urandom(65000)])
        for kind, size in ((1, 148), (2, 92), (3, 64), (4, 32), (4, 1452), (0, 64), (5, 148)):
            head = bytes([kind, 0, 0, 0])
            self.send([head + os.urandom(size - 4), head + bytes(size - 4), head + os.urandom(size - 5),
                       head + os.urandom(size), bytes([kind, 0, 1, 0]) + os.urandom(size - 4)])
        # What was real once: again, cut short, and with a bit that is wrong.
        self.send(real)
        self.send([payload[:-1] for payload in real])
        self.send([payload[:-1] + bytes([payload[-1] ^ 1]) for payload in real])

        self.assertEqual(self.right.show("endpoints"), endpoint)  # none of it was taken for a peer
        self.works()
        self.stop()
        log = self.right.process.log()
        for reason in ("malformed", "no_keypair", "bad_mac1", "replayed", "bad_tag", "stale_handshake"):
            self.assertRegex(log, rf"dropped.*\b{reason} \d+", log[-2000:])

    def test_a_flood_does_not_stop_it(self):
        self.tunnel("wireguard-go", "thalweg")
        noise = bytes([1, 0, 0, 0]) + os.urandom(144)
        self.send([noise] * 20_000)
        self.works()


@unittest.skipUnless(os.environ.get("TW_LONG"), "takes minutes: TW_LONG=1")
class Long(Tunnel):
    def rekeys(self, left, right):
        self.tunnel(left, right)
        self.works()
        first = int(self.left.show("latest-handshakes"))
        lost, end_at = 0, time.monotonic() + 135  # REKEY_AFTER_TIME is 120 s
        while time.monotonic() < end_at:
            result = lib.ping(self.left.host, INNER[1][0], count=5, interval=1)
            lost += result.sent - result.received
        self.assertEqual(lost, 0)
        for end in (self.left, self.right):
            self.assertGreaterEqual(int(end.show("latest-handshakes")), first + 119)

    def test_we_rekey(self):
        self.rekeys("thalweg", "wireguard-go")

    def test_a_peer_rekeys(self):
        self.rekeys("wireguard-go", "thalweg")

    def test_a_peer_that_forgot_us(self):
        self.tunnel("thalweg", "wireguard-go")
        self.works()
        self.right.process.stop()
        self.right.start()
        self.right.configure(self.left, 4, None, False)
        begin = time.monotonic()
        lib.wait_until(lambda: self.left.ping(self.right, count=1) == [1, 1], "a new handshake", 40)
        self.assertLess(time.monotonic() - begin, 30)  # KEEPALIVE_TIMEOUT + REKEY_TIMEOUT, and some
        self.assertRegex(self.left.show("endpoints"), re.escape(WIRES[4][1]))


if __name__ == "__main__":
    lib.main()
