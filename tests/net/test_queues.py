"""Queues bounded in time: short under load, overload counted at the edge, and fair between peers."""

import json
import os
import signal
import statistics
import sys
import textwrap

import lib

PORTS = {"g": 50221, "p": 50222, "q": 50223}
INNER = {"g": "10.78.0.1", "p": "10.78.0.2", "q": "10.78.0.3"}
OUTER = {"p": ("10.77.1.1", "10.77.1.2"), "q": ("10.77.2.1", "10.77.2.2")}
SECONDS = 4
FLOW_RATE = 125  # datagrams of 1,000 bytes a second: 1 Mbps

# Sends as fast as it can until it is stopped: trains of 44 datagrams, which enter the TUN whole.
BLAST = textwrap.dedent("""
    import socket, sys
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_UDP, 103, 1372)  # UDP_SEGMENT
    sender.connect((sys.argv[1], 9))
    train = bytes(44 * 1372)
    print("ready", flush=True)
    while True:
        try:
            sender.send(train)
        except OSError:
            pass
""")

# Sends numbered datagrams at a fixed rate; prints how many. Late ones follow at once.
FLOW = textwrap.dedent("""
    import select, socket, sys, time
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    rate, seconds = int(sys.argv[2]), float(sys.argv[3])
    began, sent = time.monotonic(), 0
    while sent < rate * seconds:
        sender.sendto(sent.to_bytes(4, "big") + bytes(996), (sys.argv[1], 7007))
        sent += 1
        select.select([], [], [], max(0, began + sent / rate - time.monotonic()))
    print(sent)
""")

# Counts the different datagrams that come, until two seconds bring none.
SINK = textwrap.dedent("""
    import socket, sys
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind((sys.argv[1], 7007))
    print("ready", flush=True)
    sink.settimeout(20)
    seen = set()
    try:
        while True:
            seen.add(sink.recv(2000)[:4])
            sink.settimeout(2)
    except TimeoutError:
        print("counted", len(seen), flush=True)
""")

# Takes a CPU for 3 ms ten times a second, and nobody can take it back.
BURNER = textwrap.dedent("""
    import os, select, sys, time
    os.sched_setaffinity(0, {int(sys.argv[1])})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    print("ready", flush=True)
    due = time.monotonic() + int(sys.argv[1]) * 0.037
    while True:
        select.select([], [], [], max(0, due - time.monotonic()))
        begun = time.monotonic()
        while time.monotonic() - begun < 0.003:
            pass
        due += 0.1
""")

# A flow of trains of 44 datagrams, at a fixed rate of bits. Late ones follow at once.
TRAINS = textwrap.dedent("""
    import select, socket, sys, time
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_UDP, 103, 1372)  # UDP_SEGMENT
    sender.connect((sys.argv[1], 9))
    rate, seconds = float(sys.argv[2]) / (44 * 1372 * 8), float(sys.argv[3])
    began, sent, train = time.monotonic(), 0, bytes(44 * 1372)
    while sent < rate * seconds:
        try:
            sender.send(train)
        except OSError:
            pass  # the TUN's drop, which is counted there
        sent += 1
        select.select([], [], [], max(0, began + sent / rate - time.monotonic()))
""")

NODE = """
[node]
control_socket = "{folder}/{label}.sock"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/{label}.key"
listen_port = {port}
addresses = ["{inner}/24"]
[[peer]]
public_key = "{peer}"
allowed_ips = ["{peer_inner}/32"]
endpoint = "{endpoint}"
"""


class Queues(lib.NetTest):
    """A gateway g with two peers, p and q, each on a wire of its own."""

    def setUp(self):
        super().setUp()
        self.hosts = {label: self.net.namespace(label) for label in "gpq"}
        self.names = {label: lib.unique_interface() for label in "gpq"}
        keys = {label: lib.genkey() for label in "gpq"}
        peers = {"g": []}
        for label, (near, far) in OUTER.items():
            self.net.veth(self.hosts["g"], self.hosts[label], f"{near}/24", f"{far}/24")
            peers["g"].append(lib.Peer(lib.pubkey(keys[label]), f"{INNER[label]}/32",
                                       f"{far}:{PORTS[label]}"))
            peers[label] = [lib.Peer(lib.pubkey(keys["g"]), f"{INNER['g']}/32", f"{near}:{PORTS['g']}")]
        self.devices = {}
        for label, host in self.hosts.items():
            self.devices[label] = lib.thalweg_wg(host, self.names[label])
            lib.configure(host, self.names[label], keys[label], peers[label],
                          listen_port=PORTS[label])
            host.address(self.names[label], f"{INNER[label]}/24", mtu=1420)
        for label in "pq":
            self.assertEqual(lib.ping(self.hosts["g"], INNER[label]).received, 3)

    def link(self):
        return json.loads(self.hosts["g"].ip(f"-j -s link show dev {self.names['g']}"))[0]

    def dropped_at_tun(self):
        return self.link()["stats64"]["tx"]["dropped"]

    def blast(self, target):
        process = self.hosts["g"].start(["python3", "-c", BLAST, INNER[target]], name="blast")
        process.wait_log("ready")
        return process


class UnderTcp(Queues):
    def test_no_discipline_hides_from_tcp_what_is_turned_away(self):
        self.assertEqual(self.link()["qdisc"], "noqueue")

    def test_a_ping_beside_saturating_tcp_stays_short(self):
        gateway, address = self.hosts["g"], INNER["p"]
        # CUBIC fills what queue it finds; the namespace's default may be another.
        gateway.ip(f"route replace {address}/32 dev {self.names['g']} congctl cubic")
        port = lib.free_port(self.hosts["p"], address)
        server = self.hosts["p"].start(["iperf3", "-s", "-1", "--forceflush", "-B", address, "-p", port])
        server.wait_log(r"Server listening")
        client = gateway.start(["iperf3", "--forceflush", "-c", address, "-p", port, "-t", SECONDS + 2,
                                "-P", 2])
        client.wait_log(r"connected to")
        ping = lib.ping(gateway, address, count=SECONDS * 20, interval=0.05)
        self.assertIsNone(client.exit_code, "TCP went on all the time")
        self.assertGreater(ping.received, ping.sent * 0.9)
        self.assertLess(statistics.median(ping.rtt_ms), 20)


class UnderUdp(Queues):
    def test_overload_is_counted_at_the_tun(self):
        before = self.dropped_at_tun()
        blast = self.blast("p")
        lib.wait_until(lambda: self.dropped_at_tun() > before, "drops of the TUN")
        blast.stop()

    def test_a_blast_to_one_peer_leaves_the_other_its_share(self):
        sink = self.hosts["q"].start(["python3", "-c", SINK, INNER["q"]], name="sink")
        sink.wait_log("ready")
        before = self.dropped_at_tun()
        self.blast("p")
        lib.wait_until(lambda: self.dropped_at_tun() > before, "overload")
        sent = int(self.hosts["g"].run(["python3", "-c", FLOW, INNER["q"], FLOW_RATE, SECONDS]).stdout)
        counted = int(sink.wait_log(r"counted (\d+)", timeout=30).group(1))
        self.assertGreaterEqual(counted, sent * 0.9)


class UnderBurner(lib.NetTest):
    """Two nodes on a wire, and a flow from one to the other."""

    RATES = (1e9, 5e8, 2.5e8, 1.25e8, 6e7)  # half of the fastest that this build carries here is taken

    def setUp(self):
        super().setUp()
        self.hosts = {label: self.net.namespace(label) for label in "gp"}
        near, far = OUTER["p"]
        self.net.veth(self.hosts["g"], self.hosts["p"], f"{near}/24", f"{far}/24")
        keys = {label: lib.genkey() for label in "gp"}
        for label, other, endpoint in (("g", "p", far), ("p", "g", near)):
            path = f"{self.net.folder}/{label}"
            key = os.open(f"{path}.key", os.O_CREAT | os.O_WRONLY, 0o600)
            with open(key, "w", encoding="ascii") as stream:
                stream.write(keys[label] + "\n")
            with open(f"{path}.toml", "w", encoding="ascii") as stream:
                stream.write(NODE.format(
                    folder=self.net.folder, label=label, interface=lib.unique_interface(), port=PORTS[label],
                    inner=INNER[label], peer=lib.pubkey(keys[other]), peer_inner=INNER[other],
                    endpoint=f"{endpoint}:{PORTS[other]}"))
            node = lib.thalweg(self.hosts[label], "run", "-c", f"{path}.toml")
            node.wait_log(r"up, port")
        self.assertEqual(lib.ping(self.hosts["g"], INNER["p"]).received, 3)

    def status(self, label):
        return json.loads(self.hosts[label].run([os.environ["TW_BIN"], "status", "--json", "--socket",
                                                 f"{self.net.folder}/{label}.sock"]).stdout)

    def flow(self, rate, seconds):
        """Sends, and returns what our queues have lost of it: by host and reason."""
        before = self.lost()
        self.hosts["g"].run(["python3", "-c", TRAINS, INNER["p"], rate, seconds])
        lib.ping(self.hosts["g"], INNER["p"])  # comes behind whatever still waits
        return {what: count - before[what] for what, count in self.lost().items() if count != before[what]}

    def is_carried(self, rate, burners):
        """Fails if the burners cost packets, and returns False if the machine is too slow without them."""
        def send_burners(number):
            for burner in burners:
                burner.signal(number)

        send_burners(signal.SIGSTOP)
        if self.flow(2 * rate, 1):  # without reserve no absence could be made up for
            return False
        send_burners(signal.SIGCONT)
        lost = self.flow(rate, SECONDS)
        if not lost:
            return True
        # Another program may have taken the CPU meanwhile.
        send_burners(signal.SIGSTOP)
        if self.flow(rate, SECONDS):
            return False
        self.fail(f"lost at {rate:.0f} bits a second: {lost}")

    def lost(self):
        lost = {}
        for label in self.hosts:
            status = self.status(label)
            lost[f"{label} overdue"] = sum(worker["from_wire"]["drops"].get("overdue", 0)
                                           for worker in status["workers"])
            for queue, count in status["kernel_drops"].items():
                lost[f"{label} {queue}"] = count
        return lost

    def test_a_worker_that_is_sent_away_loses_nothing(self):
        burners = [self.net.start([sys.executable, "-c", BURNER, cpu], name="burner")
                   for cpu in sorted(os.sched_getaffinity(0))]
        try:
            for burner in burners:
                burner.wait_log("ready")
        except AssertionError as refused:
            self.skipTest(f"no real-time priority here: {refused}")
        rate = next((rate for rate in self.RATES if self.is_carried(rate, burners)), None)
        self.assertIsNotNone(rate, "no rate is carried, even by a machine that does nothing else")
        received = self.status("p")["workers"][0]["from_wire"]["received"]
        self.assertGreater(received, rate / (1372 * 8))


if __name__ == "__main__":
    lib.main()
