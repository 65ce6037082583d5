"""A node that is stopped, or killed, and started again: its clients notice next to nothing."""

import json
import os
import pathlib
import re
import signal
import textwrap
import time

import lib

CLIENTS = 50
TOML = """
[node]
control_socket = "{folder}/node.sock"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/node.key"
listen_port = 50271
addresses = ["10.95.0.1/16", "fd95::1/64"]
"""
PEER = """
[[peer]]
name = "c{number}"
public_key = "{key}"
allowed_ips = ["10.95.1.{number}/32", "fd95::1:{number:x}/128"]
"""

# One echo request to the gateway from each address every 100 ms; prints the time (CLOCK_MONOTONIC) and
# the last byte of the address of each answer.
PINGER = textwrap.dedent("""
    import select, socket, struct, sys, time
    target, count = sys.argv[1], int(sys.argv[2])
    def checksum(data):
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        total = (total >> 16) + (total & 0xffff)
        return ~(total + (total >> 16)) & 0xffff
    sockets = {}
    for number in range(1, count + 1):
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        s.bind((f"10.95.1.{number}", 0))
        s.setblocking(False)
        sockets[s] = number
    sequence, due = 0, time.monotonic()
    while True:
        if time.monotonic() >= due:
            due += 0.1
            sequence += 1
            for s, number in sockets.items():
                body = struct.pack("!BBHHH", 8, 0, 0, 7000 + number, sequence & 0xffff)
                body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
                try:
                    s.sendto(body, (target, 0))
                except OSError:
                    pass
        for s in select.select(list(sockets), [], [], max(0, due - time.monotonic()))[0]:
            while True:
                try:
                    data = s.recv(2048)
                except OSError:
                    break
                identity = struct.unpack("!H", data[24:26])[0]
                if data[20] == 0 and identity == 7000 + sockets[s]:
                    print(f"{time.monotonic():.3f} {sockets[s]}", flush=True)
""")


class Restart(lib.NetTest):
    """Clients that never initiate by themselves within a test: devices of a kind that waits its 15 s."""

    def setUp(self):
        super().setUp()
        self.gateway, self.client = (self.net.namespace(label) for label in ("gw", "cl"))
        self.net.veth(self.gateway, self.client, ["10.94.0.1/24", "10.94.0.9/24", "fd94::1/64", "fd94::9/64"],
                      ["10.94.0.2/24", "fd94::2/64"])
        self.interface = lib.unique_interface()
        self.file = f"{self.net.folder}/node.toml"
        self.key = lib.genkey()
        path = pathlib.Path(self.net.folder, "node.key")
        path.write_text(self.key + "\n", encoding="ascii")
        path.chmod(0o600)
        self.keys = [lib.genkey() for _ in range(CLIENTS)]
        self.write(range(CLIENTS))

    def write(self, clients, more=""):
        text = TOML.format(folder=self.net.folder, interface=self.interface)
        text = text.replace("[tunnel]", more + "[tunnel]")
        for index in clients:
            text += PEER.format(number=index + 1, key=lib.pubkey(self.keys[index]))
        pathlib.Path(self.file).write_text(text, encoding="ascii")

    def start_node(self):
        self.node = lib.thalweg(self.gateway, "run", "-c", self.file)
        return self.node

    def ready(self):
        self.node.wait_log("up, port 50271", 20)

    def start_clients(self, count=CLIENTS, endpoints=("10.94.0.1", "[fd94::1]")):
        """Each with a device of its own, and a route of its own by the source of its packets; every other
        one reaches the gateway by IPv6."""
        names = [lib.unique_interface() for _ in range(count)]
        for index, name in enumerate(names):
            lib.thalweg_wg(self.client, name)
            where = endpoints[index % len(endpoints)]
            peer = lib.Peer(lib.pubkey(self.key), "10.95.0.1/32,fd95::1/128", f"{where}:50271")
            lib.configure(self.client, name, self.keys[index], [peer])
            self.client.address(name, f"10.95.1.{index + 1}/32", mtu=1420)
            self.client.ip(f"route add 10.95.0.1/32 dev {name} table {1000 + index}")
            self.client.ip(f"rule add from 10.95.1.{index + 1} table {1000 + index}")
        self.names = names

    def pings(self, count):
        pinger = self.client.start(["python3", "-c", PINGER, "10.95.0.1", count])
        lib.wait_until(lambda: len(self.answers(pinger)) == count, "all clients' first answers", 30)
        return pinger

    def deafen(self, rule):
        """The client's host drops what this nft expression matches; returns what ends that."""
        self.client.run(["nft", "-f", "-"], stdin="table inet deaf { chain in { "
                        f"type filter hook input priority 0; {rule} drop; }}; }}")
        return lambda: self.client.run("nft delete table inet deaf")

    @staticmethod
    def answers(pinger, after=0.0):
        """By client, when it first had an answer after a moment."""
        first = {}
        for when, number in re.findall(r"(?m)^([\d.]+) (\d+)$", pinger.log()):
            if float(when) > after:
                first.setdefault(int(number), float(when))
        return first

    def heard(self, index):
        """The octets that a client has received from the node."""
        return int(lib.wg(self.client, "show", self.names[index], "transfer").split()[1])

    def memory(self):
        found = list(pathlib.Path("/run/thalweg").glob(f"{self.interface}.*.peers"))
        return found[0] if found else None

    def silence(self, pinger, count, how):
        """Ends the node by `how` and starts it again; returns how long the last client waited."""
        how()
        began = time.monotonic()
        self.start_node()
        lib.wait_until(lambda: len(self.answers(pinger, began)) == count, "all clients' answers", 30)
        return max(self.answers(pinger, began).values()) - began

    def stop_node(self):
        self.assertEqual(self.node.stop(), 0, self.node.log())

    def kill_node(self):
        self.node.signal(signal.SIGKILL)
        self.node.end()

    def remembered(self):
        return self.memory().read_text(encoding="ascii").splitlines() if self.memory() else []

    def check_all(self, how, bound):
        self.start_node()
        self.ready()
        self.start_clients()
        pinger = self.pings(CLIENTS)
        if how == self.kill_node:
            lib.wait_until(lambda: len(self.remembered()) == CLIENTS, "all peers to be written", 15)
        waited = self.silence(pinger, CLIENTS, how)
        print(f"the last of {CLIENTS} clients: {waited:.2f} s after the start", flush=True)
        self.assertLess(waited, bound)

    # Sanitizers make a start slow, and fifty devices beside it; without this mend it is 15 s.
    def test_all_of_fifty_clients_are_answered_again(self):
        self.check_all(self.stop_node, 8)

    def test_after_a_kill_too(self):
        self.check_all(self.kill_node, 8)

    def test_a_crash_before_the_answers(self):
        """Who was asked and could not answer yet is asked by the next start, too."""
        self.start_node()
        self.ready()
        self.start_clients(2)
        pinger = self.pings(2)
        self.stop_node()
        hear = self.deafen("udp sport 50271")
        before = self.memory().stat().st_ino
        self.start_node()
        self.ready()
        lib.wait_until(lambda: not self.memory() or self.memory().stat().st_ino != before,
                       "the file to be written anew", 10)
        self.kill_node()
        self.assertEqual(len(self.remembered()), 2)
        self.assertLess(self.silence(pinger, 2, hear), 8)

    def test_a_damaged_file_costs_its_lines(self):
        self.start_node()
        self.ready()
        self.start_clients(4)
        pinger = self.pings(4)
        self.stop_node()
        lines = self.remembered()
        self.assertEqual(len(lines), 4)
        first = lib.pubkey(self.keys[0])
        kept = [line for line in lines if not line.startswith(first)]
        stranger = f"{lib.pubkey(lib.genkey())} 10.94.0.2:9 - 0 {int(time.time())}"
        damaged = ["\0\0", "x" * 100_000, first + " 10.94.0.2:0 - 0 1", "", first + " 10.94.0.2:5"]
        self.memory().write_bytes("\n".join(damaged[:-1] + [stranger] + kept + damaged[-1:]).encode())
        self.assertLess(self.silence(pinger, 3, lambda: None), 8)
        self.assertIn("5 lines are none of ours", self.node.log())
        self.assertIn("3 peers had a session", self.node.log())

    def test_from_the_address_that_was_spoken_to(self):
        self.start_node()
        self.ready()
        self.start_clients(2, ("10.94.0.9", "[fd94::9]"))  # not those that the kernel would choose
        pinger = self.pings(2)
        # Clients behind a filter hear that address alone.
        self.deafen("udp sport 50271 ip saddr 10.94.0.1")
        self.deafen("udp sport 50271 ip6 saddr fd94::1")
        self.assertLess(self.silence(pinger, 2, self.stop_node), 8)

    def test_whom_the_configuration_has_no_more_is_left_alone(self):
        self.start_node()
        self.ready()
        self.start_clients(3)
        self.pings(3).end()
        self.stop_node()
        self.assertEqual(len(self.remembered()), 3)
        self.write([0, 2])
        before = [self.heard(index) for index in range(3)]
        self.start_node()
        self.ready()
        lib.wait_until(lambda: self.heard(0) > before[0] and self.heard(2) > before[2],
                       "the others to be asked", 10)
        self.assertEqual(self.heard(1), before[1])
        status = json.loads(self.gateway.run([os.environ["TW_BIN"], "status", "--json", "--socket",
                                              f"{self.net.folder}/node.sock"]).stdout)
        self.assertEqual({peer["name"] for peer in status["peers"]}, {"c1", "c3"})

    def test_the_file_is_roots(self):
        self.start_node()
        self.ready()
        self.start_clients(1)
        self.pings(1).end()
        self.stop_node()
        memory = self.memory()
        self.assertEqual(memory.stat().st_mode & 0o7777, 0o600)
        self.assertIn(lib.pubkey(self.keys[0]), memory.read_text())
        memory.chmod(0o666)
        self.start_node()
        self.node.wait_log("peers are not remembered: .*nobody else may touch")
        self.ready()
        self.stop_node()

    def test_it_can_be_switched_off(self):
        self.start_node()
        self.ready()
        self.start_clients(1)
        self.pings(1).end()
        lib.wait_until(self.memory, "the file", 10)
        for switch, there in (("false", False), ("true", True), ("false", False)):
            self.write([0], f"remember_peers = {switch}\n")
            self.node.signal(signal.SIGHUP)
            lib.wait_until(lambda there=there: bool(self.memory()) == there, f"{switch} to be followed", 10)
        self.stop_node()
        self.assertIsNone(self.memory())


if __name__ == "__main__":
    lib.main()
