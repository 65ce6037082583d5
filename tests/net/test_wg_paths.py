"""A tunnel whose paths change under it: addresses come and go, ports, families, the link itself."""

import json
import textwrap
import threading
import time

import lib

PORT = (50211, 50212)
INNER = (("10.78.0.1", "fd78::1"), ("10.78.0.2", "fd78::2"))

# Sends numbered datagrams, one a millisecond, for as many seconds as it is told; prints how many.
SENDER = textwrap.dedent("""
    import select, socket, sys, time
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    target, seconds = (sys.argv[1], int(sys.argv[2])), float(sys.argv[3])
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        sender.sendto(sent.to_bytes(4, "big"), target)
        sent += 1
        select.select([], [], [], 0.001)
    print(sent)
""")

# Counts the different datagrams that come, until two seconds bring none.
RECEIVER = textwrap.dedent("""
    import socket, sys
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    receiver.bind((sys.argv[1], int(sys.argv[2])))
    print("ready", flush=True)
    receiver.settimeout(20)
    seen = set()
    try:
        while True:
            seen.add(receiver.recv(100))
            receiver.settimeout(2)
    except TimeoutError:
        print("counted", len(seen), flush=True)
""")


class Paths(lib.NetTest):
    """Host a is the one that begins; b has two addresses in each family."""

    def setUp(self):
        super().setUp()
        self.hosts = [self.net.namespace(label) for label in "ab"]
        self.names = [lib.unique_interface() for _ in range(2)]
        self.keys = [lib.genkey() for _ in range(2)]
        self.net.veth(*self.hosts, ["10.77.0.1/24", "fd77::1/64"],
                      ["10.77.0.2/24", "10.77.0.22/24", "fd77::2/64", "fd77::22/64"])

    def start(self, endpoint, peer="thalweg", keepalive=None, options=()):
        """The tunnel; a, which runs `peer`, knows b by this endpoint."""
        run = {"thalweg": lib.thalweg_wg, "wireguard-go": lib.wireguard_go}
        self.devices = [run[peer](self.hosts[0], self.names[0], *options),
                        lib.thalweg_wg(self.hosts[1], self.names[1])]
        for side in (1, 0):  # b first: a may begin at once
            other = 1 - side
            known = f"{endpoint}:{PORT[1]}" if side == 0 else None
            allowed = f"{INNER[other][0]}/32,{INNER[other][1]}/128"
            lib.configure(self.hosts[side], self.names[side], self.keys[side], listen_port=PORT[side],
                          peers=[lib.Peer(lib.pubkey(self.keys[other]), allowed, known,
                                          keepalive=keepalive if side == 0 else None)])
            self.hosts[side].address(self.names[side], f"{INNER[side][0]}/24", f"{INNER[side][1]}/64",
                                     mtu=1420)

    def ping(self, side, count=3):
        return lib.ping(self.hosts[side], INNER[1 - side][0], count=count).received

    def show(self, side, what):
        return lib.wg(self.hosts[side], "show", self.names[side], what).split()[-1]

    def set(self, side, *arguments):
        lib.wg(self.hosts[side], "set", self.names[side], *arguments)

    def stop(self):
        for device in self.devices:
            self.assertEqual(device.stop(), 0)


class Source(Paths):
    def check(self, peer, endpoint, second):
        self.start(endpoint, peer)
        self.assertEqual(self.ping(0), 3)
        self.assertEqual(self.ping(1), 3)
        # Had b answered from its first address, a would have roamed there.
        self.assertEqual(self.show(0, "endpoints"), f"{endpoint}:{PORT[1]}")
        handshake = self.show(1, "latest-handshakes")
        self.hosts[1].ip(f"address del {second} dev to-a")
        self.assertEqual(self.ping(1), 3)  # nothing is lost
        self.assertEqual(self.ping(0), 3)
        self.assertNotEqual(self.show(0, "endpoints"), f"{endpoint}:{PORT[1]}")
        self.assertEqual(self.show(1, "latest-handshakes"), handshake)
        self.stop()

    def test_answers_come_from_the_address_spoken_to(self):
        self.check("thalweg", "10.77.0.22", "10.77.0.22/24")

    def test_over_ipv6(self):
        # The kernel prefers the address that was added last: the first is the one to be told.
        self.check("thalweg", "[fd77::2]", "fd77::2/64")

    def test_wireguard_go_agrees(self):
        self.check("wireguard-go", "10.77.0.22", "10.77.0.22/24")

    def test_a_peer_changes_its_family_and_back(self):
        self.start("10.77.0.22")
        key = lib.pubkey(self.keys[1])
        for endpoint in ("10.77.0.22", "[fd77::22]", "10.77.0.2", "[fd77::2]"):
            self.set(0, "peer", key, "endpoint", f"{endpoint}:{PORT[1]}")
            self.assertEqual(self.ping(0), 3, endpoint)
            self.assertEqual(self.ping(1), 3, endpoint)
            self.assertEqual(self.show(0, "endpoints"), f"{endpoint}:{PORT[1]}")
        self.stop()


class ListenPort(Paths):
    def check(self, changing, peer="thalweg"):
        """A stream from a to b while one of them changes its port, there and back."""
        self.start("10.77.0.2", peer)
        self.assertEqual(self.ping(0), 3)
        port = lib.free_port(self.hosts[1], udp=True)
        receiver = self.hosts[1].start(["python3", "-c", RECEIVER, INNER[1][0], port])
        receiver.wait_log("ready")
        sent = []
        sender = threading.Thread(target=lambda: sent.append(int(self.hosts[0].run(
            ["python3", "-c", SENDER, INNER[1][0], port, 4]).stdout)))
        sender.start()
        for listen_port in (50291, 50292, PORT[changing], 50293):
            later = time.monotonic() + 0.7
            lib.wait_until(lambda later=later: time.monotonic() > later, "the stream to go on")
            self.set(changing, "listen-port", str(listen_port))
        sender.join()
        counted = receiver.wait_log(r"counted (\d+)")
        self.assertGreater(sent[0], 1000)
        self.assertEqual(int(counted.group(1)), sent[0])
        self.assertEqual(self.show(changing, "listen-port"), "50293")

    def test_of_the_receiver_loses_nothing(self):
        self.check(1)

    def test_of_the_receiver_with_wireguard_go(self):
        self.check(1, "wireguard-go")

    def test_of_the_sender_loses_nothing(self):
        self.check(0)

    def test_the_port_before_is_given_back(self):
        self.start("10.77.0.2")
        self.assertEqual(self.ping(0), 3)
        self.set(1, "listen-port", "50294")

        def ports():
            lines = self.hosts[1].run(["ss", "-Hlun"]).stdout.splitlines()
            return {int(line.split()[3].rpartition(":")[2]) for line in lines}
        self.assertEqual(ports(), {PORT[1], 50294})
        lib.wait_until(lambda: ports() == {50294}, "the end of the drain", 8)
        self.assertEqual(self.ping(0), 3)
        self.stop()


class Link(Paths):
    def ports(self, side):
        return self.hosts[side].run(["ss", "-Hlun"]).stdout

    def test_down_is_deaf_and_up_begins_anew(self):
        self.start("10.77.0.2")
        self.assertEqual(self.ping(0), 3)
        self.hosts[1].ip(f"link set {self.names[1]} down")
        lib.wait_until(lambda: f":{PORT[1]} " not in self.ports(1), "the socket to close")
        self.assertEqual(self.show(1, "listen-port"), str(PORT[1]))
        self.assertEqual(self.ping(0, count=1), 0)
        handshake = int(self.show(1, "latest-handshakes"))
        self.set(1, "listen-port", "50295")  # for later
        self.hosts[1].address(self.names[1], f"{INNER[1][1]}/64")  # addresses of IPv6 went with the link
        lib.wait_until(lambda: ":50295 " in self.ports(1), "the socket to open")
        # a believes in a session that b has wiped: b is the one to begin.
        lib.wait_until(lambda: time.time() > handshake + 1, "the next second: handshakes are told in those")
        self.assertEqual(self.ping(1), 3)
        self.assertGreater(int(self.show(1, "latest-handshakes")), handshake)
        self.assertEqual(self.ping(0), 3)
        self.stop()

    def test_up_sends_persistent_keepalives(self):
        self.start("10.77.0.2", keepalive=60)
        self.assertEqual(self.ping(0), 3)
        handshake = int(self.show(1, "latest-handshakes"))
        self.hosts[0].ip(f"link set {self.names[0]} down")
        lib.wait_until(lambda: f":{PORT[0]} " not in self.ports(0), "the socket to close")
        lib.wait_until(lambda: time.time() > handshake + 1, "the next second: handshakes are told in those")
        self.hosts[0].ip(f"link set {self.names[0]} up")
        lib.wait_until(lambda: int(self.show(1, "latest-handshakes")) > handshake, "a handshake")
        self.stop()

    def test_a_port_taken_meanwhile_is_waited_for(self):
        self.start("10.77.0.2")
        self.hosts[1].ip(f"link set {self.names[1]} down")
        lib.wait_until(lambda: f":{PORT[1]} " not in self.ports(1), "the socket to close")
        hold = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
                f"s.bind(('', {PORT[1]})); print('ready', flush=True); s.recv(1)")
        holder = self.hosts[1].start(["python3", "-c", hold])
        holder.wait_log("ready")
        self.hosts[1].ip(f"link set {self.names[1]} up")
        self.devices[1].wait_log("deaf")
        holder.end()
        lib.wait_until(lambda: f":{PORT[1]} " in self.ports(1), "the socket to open", 5)
        self.assertEqual(self.ping(0), 3)
        self.stop()

    def test_the_mtu_limits_trains(self):
        """One datagram train each; with tunnels inside, what a VXLAN device makes is taken whole."""
        self.start("10.77.0.2", options=("--no-offload", "tun_udp_tunnel"))

        def longest():
            shown = self.hosts[0].ip(f"-d -j link show {self.names[0]}")
            return json.loads(shown)[0]["gso_max_size"]
        before = longest()
        self.hosts[0].ip(f"link set {self.names[0]} mtu 1300")
        lib.wait_until(lambda: longest() == 49 * 1260 + 40, "a new limit")
        self.hosts[0].ip(f"link set {self.names[0]} mtu 1420")
        lib.wait_until(lambda: longest() == before, "the old limit")
        result = lib.iperf3(self.hosts[0], self.hosts[1], INNER[1][0], seconds=1)
        self.assertGreater(result.bits_per_second, 5e6)
        self.hosts[1].ip(f"link set {self.names[1]} mtu 1300")
        if lib.tun_has_udp_tunnels():
            shown = self.hosts[1].ip(f"-d -j link show {self.names[1]}")
            self.assertEqual(json.loads(shown)[0]["gso_max_size"], 65536)


if __name__ == "__main__":
    lib.main()
