"""A node with two data workers: the same tunnel as with one, whoever steers, and both have work."""

import json
import os
import signal

import lib

BINARY = os.environ.get("TW_BIN", "")
CLIENTS = 20
ROAMED_PORT = 40999

TOML = """
[node]
control_socket = "{folder}/node.sock"
metrics = "127.0.0.1:9586"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/node.key"
listen_port = 51820
addresses = [{addresses}]
[workers]
max = 2
steering = "{steering}"
"""
PEER = """
[[peer]]
public_key = "{key}"
allowed_ips = [{allowed}]
"""


class Workers(lib.ClientsTest):
    """`target` is the node; `client` the host of the load generator."""

    def start_node(self, key, peers, addresses, steering):
        """peers: (public key, list of allowed IPs). Returns the node's Process, which is up."""
        self.path = os.path.join(self.net.folder, "node.toml")
        with open(os.path.join(self.net.folder, "node.key"), "w", encoding="utf-8",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
            stream.write(key)
        self.write_toml(peers, addresses, steering)
        node = lib.thalweg(self.target, "run", "-c", self.path)
        node.wait_log(r"up, listening|: up")
        return node

    def write_toml(self, peers, addresses, steering, more=""):
        def quoted(words):
            return ", ".join(f'"{word}"' for word in words)
        with open(self.path, "w", encoding="utf-8") as stream:
            stream.write(TOML.format(folder=self.net.folder, interface=self.name, steering=steering,
                                     addresses=quoted(addresses)) + more)
            for public, allowed in peers:
                stream.write(PEER.format(key=public, allowed=quoted(allowed)))

    def status(self):
        socket = os.path.join(self.net.folder, "node.sock")
        return json.loads(self.target.run([BINARY, "status", "--json", "--socket", socket]).stdout)

    def worker(self, number, direction):
        return self.status()["workers"][number][direction]

    def settled(self):
        """The status once nothing is on its way between the workers."""
        def quiet():
            status = self.status()
            for direction in ("from_wire", "to_wire"):
                counts = [worker[direction] for worker in status["workers"]]
                if sum(count["passed_on"] - count["taken_over"] for count in counts) != 0:
                    return None
            return status
        return lib.wait_until(quiet, "nothing between the workers")

    def check_conservation(self):
        for worker in self.settled()["workers"]:
            for direction in ("from_wire", "to_wire"):
                self.assertEqual(worker[direction]["queued"], 0, worker)


class EverydayCase(Workers):
    """Twenty clients of several programs, each on a host of its own, with traffic both ways."""

    STEERING = "kernel"

    def setUp(self):
        super().setUp()
        self.clients = []
        self.peers = []
        for number in range(CLIENTS):
            host = self.net.namespace(f"n{number}")
            v6 = number % 4 == 3
            outer = (f"fd18:{number:x}::1", f"fd18:{number:x}::2") if v6 else (
                f"198.18.{number}.1", f"198.18.{number}.2")
            bits = 64 if v6 else 24
            self.net.veth(self.target, host, f"{outer[0]}/{bits}", f"{outer[1]}/{bits}")
            key = lib.genkey()
            self.clients.append((host, lib.unique_interface(), key, outer[0], number))
            self.peers.append((lib.pubkey(key), [f"10.9.0.{number + 10}/32", f"fd09::{number + 10:x}/128"]))
        self.key = lib.genkey()
        self.addresses = ["10.9.0.1/24", "fd09::1/64"]
        self.node = self.start_node(self.key, self.peers, self.addresses, self.STEERING)
        for host, name, key, endpoint, number in self.clients:
            if number % 2:
                lib.thalweg_wg(host, name)
            else:
                lib.wireguard_go(host, name)
            endpoint = f"[{endpoint}]" if ":" in endpoint else endpoint
            lib.configure(host, name, key,
                          [lib.Peer(lib.pubkey(self.key), "10.9.0.0/24, fd09::/64", f"{endpoint}:51820")],
                          40000)
            host.address(name, f"10.9.0.{number + 10}/24", f"fd09::{number + 10:x}/64", mtu=1420)

    def check_pings(self, clients=None, count=5):
        def check(client):
            host, _, _, _, number = client
            self.assertEqual(len(lib.ping(host, "10.9.0.1", count).rtt_ms), count, number)
            back = lib.ping(self.target, f"fd09::{number + 10:x}", count)
            self.assertEqual(len(back.rtt_ms), count, number)
        lib.at_once(check, clients or self.clients)

    def await_sessions(self, clients):
        """A client whose session the node has forgotten notices 15 s after it has sent something."""
        lib.at_once(lambda client: lib.wait_until(lambda: lib.ping(client[0], "10.9.0.1", 1, wait=1).rtt_ms,
                                                  f"client {client[4]} to have a session", 30), clients)

    def check_streams(self):
        for host, _, _, _, number in self.clients[:2]:
            for reverse in (False, True):
                done = lib.iperf3(self.target, host, f"10.9.0.{number + 10}", 1, reverse)
                self.assertGreater(done.bits_per_second, 1e6)

    def check_a_day(self):
        self.check_pings()
        self.check_wg_figures()
        self.check_streams()
        for number in (0, 1):
            for direction in ("from_wire", "to_wire"):
                self.assertGreater(self.worker(number, direction)["sent"], 50)
        self.check_conservation()
        self.check_metrics()

        # A peer goes, another comes, the rest does not notice.
        gone, stay = self.peers[0], self.peers[1:]
        self.write_toml(stay, self.addresses, self.STEERING)
        self.node.signal(signal.SIGHUP)
        lib.wait_until(lambda: gone[0] not in lib.wg(self.target, "show", self.name, "peers"), "peer to go")
        self.check_pings(self.clients[1:4])
        self.write_toml(self.peers, self.addresses, self.STEERING)
        self.node.signal(signal.SIGHUP)
        lib.wait_until(lambda: gone[0] in lib.wg(self.target, "show", self.name, "peers"), "peer to be back")
        self.await_sessions(self.clients[:2])

        # Allowed IPs move to a peer of, perhaps, another worker.
        for taker in (2, 3, 4, 5):
            lib.wg(self.target, "set", self.name, "peer", self.peers[taker][0], "allowed-ips",
                   ",".join([*self.peers[taker][1], "10.9.7.7/32"]))
            host, name = self.clients[taker][:2]
            host.address(name, "10.9.7.7/32")
            self.target.ip(f"route replace 10.9.7.7 dev {self.name}")
            self.assertEqual(len(lib.ping(self.target, "10.9.7.7", 3).rtt_ms), 3, taker)

        # Another port of the clients, and then another of the node.
        for host, name, _, _, _ in self.clients[4:8]:
            lib.wg(host, "set", name, "listen-port", str(ROAMED_PORT))
        self.check_pings(self.clients[4:8])
        lib.wg(self.target, "set", self.name, "listen-port", "51999")
        self.check_pings(self.clients[8:12])
        lib.wg(self.target, "set", self.name, "listen-port", "51820")
        self.check_pings(self.clients[:4])

        # The device goes down and up.
        self.target.ip(f"link set {self.name} down")
        self.target.ip(f"link set {self.name} up")
        self.await_sessions(self.clients)
        self.assertNotIn("workers steer", self.node.log())
        self.assertNotIn("eBPF", self.node.log())

    def check_wg_figures(self):
        """`wg show` on both sides of a session agrees, but for what is on its way."""
        rows = dict(line.split("\t", 1) for line in
                    lib.wg(self.target, "show", self.name, "transfer").splitlines())
        self.assertEqual(len(rows), CLIENTS)
        for (host, name, _, _, number), (public, _) in zip(self.clients, self.peers):
            received, sent = (int(word) for word in rows[public].split())
            theirs = lib.wg(host, "show", name, "transfer").split()
            self.assertAlmostEqual(received, int(theirs[2]), delta=2000, msg=number)
            self.assertAlmostEqual(sent, int(theirs[1]), delta=2000, msg=number)
            self.assertGreater(received, 1000)

    def check_metrics(self):
        text = self.target.run(["curl", "-s", "http://127.0.0.1:9586/metrics"]).stdout
        for number in (0, 1):
            self.assertRegex(text, rf'thalweg_segments_total{{[^}}]*worker="{number}"')


class Everyday(EverydayCase):
    def test_a_day(self):
        self.check_a_day()

    def test_the_number_of_workers_waits_for_a_restart(self):
        self.write_toml(self.peers, self.addresses, "user")
        self.node.signal(signal.SIGHUP)
        self.node.wait_log(r"workers\.steering")
        self.check_pings(self.clients[:2], 2)


if __name__ == "__main__":
    lib.main()
