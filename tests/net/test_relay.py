"""The relay on the product's path: a wireguard-go client, two nodes (`thalweg run`), a server behind
the last one. The client's TCP is diverted at the first PoP and carried in a leg inside the tunnel.
"""

import hashlib
import json
import os
import random
import signal

import lib

UNDERLAY = {"client": "198.18.1.1", "first": "198.18.1.2", "last": "198.18.2.2", "server": "192.0.2.80"}
CLIENT, FIRST, LAST = "10.9.1.2", "10.9.0.1", "10.9.0.2"
PORT = 8080

FIRST_TOML = """
[node]
control_socket = "{folder}/first.sock"
log_level = "debug"
[tunnel]
interface = "{first_if}"
private_key_file = "{folder}/first.key"
listen_port = 51820
addresses = ["10.9.0.1/16", "fd09::1/64"]
[[peer]]
name = "anna"
public_key = "{client_public}"
allowed_ips = ["10.9.1.2/32"]
[[peer]]
name = "last"
public_key = "{last_public}"
endpoint = "198.18.2.2:51820"
allowed_ips = ["10.9.0.2/32"]
[relay]
enabled = true
client_devices = ["to-lan"]
[[pop]]
peer = "last"
overlay_address = "10.9.0.2"
routes = ["192.0.2.0/24", "2001:db8:2::/64"]
[[policy]]
from = ["anna", "198.18.4.0/24", "2001:db8:4::/64"]
protocol = "tcp"
action = "relay"
"""

LAST_TOML = """
[node]
control_socket = "{folder}/last.sock"
log_level = "debug"
[tunnel]
interface = "{last_if}"
private_key_file = "{folder}/last.key"
listen_port = 51820
addresses = ["10.9.0.2/16"]
[[peer]]
name = "first"
public_key = "{first_public}"
endpoint = "198.18.2.1:51820"
allowed_ips = ["10.9.0.1/32"]
[relay]
enabled = true
[[pop]]
peer = "first"
overlay_address = "10.9.0.1"
[[policy]]
from = ["10.9.1.0/24", "198.18.4.0/24", "2001:db8:4::/64"]
to = ["192.0.2.0/24", "2001:db8:2::/64"]
protocol = "tcp"
ports = ["8080-8090"]
action = "relay"
"""

# Answers only after it has seen the end of what the client sends: needs half-close both ways.
HASHING_SERVER = """
import hashlib, socket
listener = socket.create_server(("192.0.2.80", 8081))
print("listening", flush=True)
while True:
    connection, peer = listener.accept()
    digest = hashlib.sha256()
    while block := connection.recv(1 << 16):
        digest.update(block)
    connection.sendall((peer[0] + " " + digest.hexdigest()).encode())
    connection.close()
"""

HASHING_CLIENT = """
import random, socket, sys
connection = socket.create_connection(("192.0.2.80", 8081), timeout=30)
connection.sendall(random.Random(7).randbytes(5_000_000))
connection.shutdown(socket.SHUT_WR)
answer = b""
while block := connection.recv(1 << 16):
    answer += block
print(answer.decode())
"""

# Says how the connection ended: in order, or by a reset.
ENDING_CLIENT = """
import socket, sys
try:
    connection = socket.create_connection(("{address}", {port}), timeout=10)
    print("connected", flush=True)
    connection.settimeout(5)
    count = 0
    while block := connection.recv(1 << 16):
        if count == 0:
            print("receiving", flush=True)
        count += len(block)
    print("ended in order")
except ConnectionResetError:
    print("reset")
except TimeoutError:
    print("silence")
"""

# Says whether connect() itself succeeded, and how long it took.
CONNECTING_CLIENT = """
import errno, socket, time
begun = time.monotonic()
try:
    socket.create_connection(("{address}", {port}), timeout=20)
    result = "connected"
except OSError as error:
    result = errno.errorcode.get(error.errno, "timeout")
print(result, time.monotonic() - begun)
"""

# Speaks first, and says what it has heard when the client has ended.
GREETING_SERVER = """
import hashlib, random, socket
listener = socket.create_server(("{address}", {port}))
print("listening", flush=True)
connection, _ = listener.accept()
connection.sendall(random.Random(3).randbytes(1_000_000))
digest = hashlib.sha256()
while block := connection.recv(1 << 16):
    digest.update(block)
print("heard", digest.hexdigest(), flush=True)
connection.close()
"""

GREETED_CLIENT = """
import hashlib, random, socket
connection = socket.create_connection(("{address}", {port}), timeout=20)
greeting = b""
while len(greeting) < 1_000_000:
    block = connection.recv(1 << 16)
    if not block:
        break
    greeting += block
connection.sendall(random.Random(4).randbytes(1_000_000))
connection.shutdown(socket.SHUT_WR)
print(hashlib.sha256(greeting).hexdigest(), connection.recv(1))
"""


class RelayTest(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.client, self.first = self.net.namespace("client"), self.net.namespace("first")
        self.last, self.server = self.net.namespace("last"), self.net.namespace("server")
        self.net.veth(self.client, self.first, "198.18.1.1/24", "198.18.1.2/24")
        self.net.veth(self.first, self.last, "198.18.2.1/24", "198.18.2.2/24")
        self.net.veth(self.last, self.server, ["192.0.2.1/24", "2001:db8:2::1/64"],
                      ["192.0.2.80/24", "2001:db8:2::80/64"])
        self.lan = self.net.namespace("lan")
        self.net.veth(self.first, self.lan, ["198.18.4.1/24", "2001:db8:4::1/64"],
                      ["198.18.4.2/24", "2001:db8:4::2/64"])
        self.lan.ip("route add default via 198.18.4.1")
        self.lan.ip("-6 route add default via 2001:db8:4::1")
        self.start_nodes()
        self.start_client()

    def start_nodes(self):
        keys = {host: lib.genkey() for host in ("client", "first", "last")}
        self.client_key = keys["client"]
        self.first_public = lib.pubkey(keys["first"])
        names = {"folder": self.net.folder, "first_if": lib.unique_interface(),
                 "last_if": lib.unique_interface(),
                 **{f"{host}_public": lib.pubkey(key) for host, key in keys.items()}}
        self.nodes = {}
        for host, text in (("first", FIRST_TOML), ("last", LAST_TOML)):
            with open(os.open(f"{self.net.folder}/{host}.key", os.O_CREAT | os.O_WRONLY, 0o600), "w",
                      encoding="ascii") as stream:
                stream.write(keys[host] + "\n")
            with open(f"{self.net.folder}/{host}.toml", "w", encoding="utf-8") as stream:
                stream.write(text.format(**names))
        for host in ("first", "last"):
            self.start_node(host)

    def start_node(self, host):
        node = lib.thalweg(getattr(self, host), "run", "-c", f"{self.net.folder}/{host}.toml")
        node.wait_log(r"up, port")
        self.nodes[host] = node

    def start_client(self):
        interface = lib.unique_interface()
        lib.wireguard_go(self.client, interface)
        lib.configure(self.client, interface, self.client_key, [lib.Peer(
            self.first_public, "10.9.0.0/16,192.0.2.0/24,198.18.4.0/24", "198.18.1.2:51820")])
        self.client.address(interface, "10.9.1.2/32", mtu=1420)
        self.client.ip(f"route add 10.9.0.0/16 dev {interface}")
        self.client.ip(f"route add 192.0.2.0/24 dev {interface}")
        self.client.ip(f"route add 198.18.4.0/24 dev {interface}")

    def status(self, host):
        done = getattr(self, host).run([os.environ["TW_BIN"], "status", "--json", "--socket",
                              f"{self.net.folder}/{host}.sock"])
        return json.loads(done.stdout)["relay"]

    def pop(self):
        return self.status("first")["pops"][0]

    def control(self, *words):
        """A command to the first PoP's node; its failures are for the caller to judge."""
        return self.first.run([os.environ["TW_BIN"], *words, "--socket",
                               f"{self.net.folder}/first.sock"], check=False)

    def ending(self, address, port):
        code = ENDING_CLIENT.format(address=address, port=port)
        return self.client.run(["python3", "-c", code]).stdout.split("\n")[-2]

    def test_downloads_arrive_whole(self):
        files = {"small": b"x" * 10_000, "large": random.Random(1).randbytes(20_000_000)}
        digests = lib.serve_files(self.server, "192.0.2.80", files, PORT)
        for name in files:
            got = lib.curl(self.client, f"http://192.0.2.80:{PORT}/{name}")
            self.assertEqual((got.exit_code, got.code, got.sha256), (0, 200, digests[name]))
        for host, accepted in (("first", "accepted_clients"), ("last", "accepted_legs")):
            lib.wait_until(lambda host=host: self.status(host)["active"] == 0, f"{host} to be idle")
            relay = self.status(host)
            self.assertEqual(relay["outcomes"]["closed"], 2)
            self.assertGreaterEqual(relay[accepted], 2)  # warm legs are legs
            self.assertGreater(relay["bytes_downstream"], 20_010_000)

    def test_the_server_is_connected_before_the_client(self):
        """The SYN is seen by the lane, the half it begins takes a warm leg, and the client claims it."""
        lib.wait_until(lambda: self.pop()["warm"]["idle"] >= 4, "warm legs")
        lib.wait_until(lambda: self.status("last")["waiting_legs"] >= 4, "them at the other end")
        digests = lib.serve_files(self.server, "192.0.2.80", {"small": b"x" * 10_000}, PORT)
        for _ in range(3):
            self.assertEqual(lib.curl(self.client, f"http://192.0.2.80:{PORT}/small").sha256,
                             digests["small"])
        early = self.status("first")["early_syn"]
        self.assertEqual((early["begun"], early["claimed"], early["unclaimed"]), (3, 3, 0))
        self.assertEqual((self.pop()["legs_opened"], self.pop()["warm"]["hits"]), (3, 3))

    def test_a_client_of_another_device_is_relayed(self):
        digests = lib.serve_files(self.server, "192.0.2.80", {"small": b"x" * 10_000}, PORT)
        got = lib.curl(self.lan, f"http://192.0.2.80:{PORT}/small")
        self.assertEqual((got.exit_code, got.sha256), (0, digests["small"]))
        self.assertEqual(self.status("first")["accepted_clients"], 1)
        # What it says to the PoP itself is not the relay's business, whatever the policy relays.
        own = lib.serve_files(self.first, "198.18.4.1", {"small": b"y" * 10}, PORT)
        self.assertEqual(lib.curl(self.lan, f"http://198.18.4.1:{PORT}/small").sha256, own["small"])
        self.assertEqual(self.status("first")["accepted_clients"], 1)
        # And what the policy does not relay is not simply forwarded.
        self.first.run("sysctl -qw net.ipv4.ip_forward=1")
        self.assertNotEqual(self.lan.run("ping -c 1 -W 1 192.0.2.80", check=False).returncode, 0)

    def early(self):
        return self.status("first")["early_syn"]

    def device_syns(self):
        """What the program at the LAN's device has counted."""
        return self.early()["devices"][0]

    def test_a_client_of_another_device_is_seen_at_its_syn(self):
        """Answers to its SYN are held back: what is begun meanwhile was begun by the SYN."""
        lib.wait_until(lambda: self.pop()["warm"]["idle"] >= 4, "warm legs")
        self.control("set", "relay.early_syn.claim_timeout_s", "60")
        for begun, address in enumerate(("192.0.2.80", "2001:db8:2::80"), 1):
            family = "AF_INET6" if ":" in address else "AF_INET"
            server = self.server.start(["python3", "-uc", "import socket\n"
                                        f"door = socket.socket(socket.{family})\n"
                                        f"door.bind(('{address}', 8083)); door.listen()\n"
                                        "print('listening')\n"
                                        "connection = door.accept()[0]\nprint('accepted')\n"
                                        "connection.sendall(b'hello')\nconnection.close()\n"])
            server.wait_log("listening")
            self.lan.run(["nft", "table inet deaf { chain in { type filter hook input priority 0; "
                          "tcp flags & (syn | ack) == syn | ack drop; }; }"])
            client = self.lan.start(["python3", "-c", "import socket\nprint(socket.create_connection("
                                     f"('{address}', 8083), timeout=30).recv(9))"])
            server.wait_log("accepted")
            early = self.early()
            self.assertEqual((early["begun"], early["claimed"], early["unclaimed"]),
                             (begun, begun - 1, 1))
            self.lan.run("nft delete table inet deaf")
            client.wait_log("b'hello'")
            early = self.early()
            self.assertEqual((early["begun"], early["claimed"], early["unclaimed"]), (begun, begun, 0))
        syns = self.device_syns()
        self.assertEqual(syns["device"], "to-lan")
        self.assertEqual(syns["reported"], syns["seen"])
        self.assertEqual(early["begun"] + early["late"], syns["reported"])

    def test_a_forged_source_begins_nothing(self):
        """At a device anybody may write any address, a tunnel client's for one."""
        self.lan.address("lo", "10.9.1.2/32")
        self.lan.run(["python3", "-c", "import socket; forger = socket.socket()\n"
                      "forger.bind(('10.9.1.2', 0)); forger.setblocking(False)\n"
                      "forger.connect_ex(('192.0.2.80', 8080))"])
        lib.wait_until(lambda: self.early()["seen"] > 0, "the SYN to be reported")
        early = self.early()
        self.assertGreaterEqual(early["wrong_device"], 1)
        self.assertEqual(early["begun"], 0)

    def test_a_client_that_has_been_here_is_known(self):
        """Strangers have half of the burst. Who has completed a handshake has all of it."""
        digests = lib.serve_files(self.server, "192.0.2.80", {"small": b"x"}, PORT)
        # Answered, it has been accepted: the kernel alone completes handshakes faster than that.
        first = lib.curl(self.lan, f"http://192.0.2.80:{PORT}/small")
        self.assertEqual(first.sha256, digests["small"])
        for key, value in (("per_source_burst", "200"), ("total_rate", "1"), ("total_burst", "100")):
            self.assertEqual(self.control("set", f"relay.early_syn.{key}", value).returncode, 0)
        self.lan.run(["python3", "-c", "import socket\nfor _ in range(80):\n"
                      f" socket.create_connection(('192.0.2.80', {PORT}), timeout=10).close()"])
        syns = self.device_syns()
        self.assertEqual((syns["seen"], syns["reported"]), (81, 81))

    def test_early_syn_of_devices_is_turned_off_and_on(self):
        digests = lib.serve_files(self.server, "192.0.2.80", {"small": b"x" * 10_000}, PORT)
        url = f"http://192.0.2.80:{PORT}/small"
        self.assertEqual(self.control("set", "relay.early_syn", "off").returncode, 0)
        self.assertEqual(self.early()["devices"], [])
        self.assertEqual(lib.curl(self.lan, url).sha256, digests["small"])
        self.assertEqual(self.early()["seen"], 0)
        self.assertEqual(self.control("set", "relay.early_syn", "on").returncode, 0)
        self.assertEqual(self.device_syns()["seen"], 0)
        self.assertEqual(lib.curl(self.lan, url).sha256, digests["small"])
        self.assertEqual(self.device_syns()["reported"], 1)
        self.assertEqual(self.early()["seen"], 1)
        # As a reload does it, from a file that says so.
        path = f"{self.net.folder}/first.toml"
        with open(path, "a", encoding="utf-8") as stream:
            stream.write("[relay.early_syn]\nenabled = false\n")
        self.nodes["first"].signal(signal.SIGHUP)
        self.nodes["first"].wait_log("reloaded")
        self.assertEqual(self.early()["devices"], [])

    def test_settings_are_changed_by_hand(self):
        digests = lib.serve_files(self.server, "192.0.2.80", {"small": b"x" * 10_000}, PORT)
        self.assertEqual(self.control("set", "relay.early_syn", "off").returncode, 0)
        self.assertEqual(self.control("set", "relay.pool", "off").returncode, 0)
        lib.wait_until(lambda: self.pop()["warm"]["idle"] == 0, "the pool to be empty")
        self.assertEqual(lib.curl(self.client, f"http://192.0.2.80:{PORT}/small").sha256,
                         digests["small"])
        relay = self.status("first")
        self.assertEqual(relay["early_syn"]["begun"], 0)
        self.assertEqual((self.pop()["legs_opened"], self.pop()["warm"]["hits"]), (1, 0))
        self.assertEqual(self.control("set", "relay.turbo.initcwnd", "77").returncode, 0)
        self.assertIn("initcwnd 77", self.first.run("ip route show 10.9.0.2").stdout)
        for key, value, said in (("relay.pool.lov", "1", "did you mean"),
                                 ("relay.turbo.initcwnd", "0", "out of range"),
                                 ("relay.listen_port", "5", "change the file and reload")):
            refused = self.control("set", key, value)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(said, refused.stderr)
        # The file is what counts after a reload.
        self.nodes["first"].signal(signal.SIGHUP)
        self.nodes["first"].wait_log("reloaded")
        lib.wait_until(lambda: self.pop()["warm"]["idle"] >= 4, "warm legs again")

    def test_a_drained_relay_finishes_and_takes_nothing_new(self):
        digests = lib.serve_files(self.server, "192.0.2.80", {"small": b"x" * 10_000}, PORT)
        url = f"http://192.0.2.80:{PORT}/small"
        self.assertEqual(lib.curl(self.client, url).sha256, digests["small"])
        self.assertEqual(self.control("drain", "--timeout", "10").returncode, 0)
        self.assertNotEqual(lib.curl(self.client, url).exit_code, 0)
        lib.wait_until(lambda: self.status("last")["waiting_legs"] == 0, "the warm legs to be closed")
        self.nodes["first"].signal(signal.SIGHUP)
        self.nodes["first"].wait_log("reloaded")
        self.assertEqual(lib.curl(self.client, url).sha256, digests["small"])

    def test_a_restarted_last_pop_gets_new_legs(self):
        lib.wait_until(lambda: self.pop()["warm"]["idle"] >= 4, "warm legs")
        digests = lib.serve_files(self.server, "192.0.2.80", {"small": b"x" * 10_000}, PORT)
        self.nodes["last"].stop()
        lib.wait_until(lambda: self.pop()["warm"]["idle"] == 0, "them to be seen dying")
        self.start_node("last")
        # The first PoP's session is of the node before: it finds out when nothing comes back.
        lib.wait_until(lambda: self.pop()["warm"]["idle"] >= 4, "new legs", timeout=60)
        self.assertEqual(lib.curl(self.client, f"http://192.0.2.80:{PORT}/small").sha256,
                         digests["small"])

    def test_an_upload_is_answered_after_its_end(self):
        server = self.server.start(["python3", "-c", HASHING_SERVER])
        server.wait_log("listening")
        answer = self.client.run(["python3", "-c", HASHING_CLIENT], timeout=60).stdout.split()
        expected = hashlib.sha256(random.Random(7).randbytes(5_000_000)).hexdigest()
        self.assertEqual(answer, ["192.0.2.1", expected])  # the server sees the last PoP

    def test_a_refused_port_and_a_refused_target_are_resets(self):
        lib.wait_until(lambda: self.pop()["warm"]["idle"] >= 4, "warm legs")
        self.assertEqual(self.ending("192.0.2.80", 8089), "reset")  # nobody listens there
        self.assertEqual(self.pop()["warm"]["hits"], 1)  # an answer is no dead leg
        self.assertEqual(self.ending("192.0.2.80", 22), "reset")  # the last PoP's policy
        self.assertEqual(self.ending("192.0.2.1", 8080), "reset")  # the last PoP itself
        self.first.start("python3 -m http.server 8080")
        self.assertEqual(self.ending("10.9.0.1", 8080), "reset")  # the first PoP itself

    def connecting(self, address, port):
        """What connect() said, and after how many seconds."""
        code = CONNECTING_CLIENT.format(address=address, port=port)
        result, seconds = self.client.run(["python3", "-c", code], timeout=40).stdout.split()
        return result, float(seconds)

    def verify(self):
        self.assertEqual(self.status("first")["accept"], "early")
        self.assertEqual(self.control("set", "relay.accept", "verified").returncode, 0)
        self.assertEqual(self.status("first")["accept"], "verified")

    def expect_no_syn_held(self):
        lib.wait_until(lambda: self.status("first")["active"] == 0, "the first PoP to be idle")
        done = self.control("status", "--json")
        for worker in json.loads(done.stdout)["workers"]:
            self.assertEqual(worker["from_wire"]["queued"], 0)
        self.assertEqual(self.status("first")["held_syns"]["waiting"], 0)

    def test_verified_a_port_that_refuses_looks_like_one(self):
        lib.wait_until(lambda: self.pop()["warm"]["idle"] >= 4, "warm legs")
        accepted = ("connected", "ECONNRESET")  # or reset before connect() has returned
        self.assertIn(self.connecting("192.0.2.80", 8089)[0], accepted)
        self.verify()
        for address, port in (("192.0.2.80", 8089),  # nobody listens there
                              ("192.0.2.80", 22),  # the last PoP's policy
                              ("192.0.2.1", 8080),  # the last PoP itself
                              ("10.9.0.1", 8080),  # the first PoP itself
                              ("198.18.4.2", 8089)):  # no PoP carries it: connected from the first
            self.assertEqual(self.connecting(address, port)[0], "ECONNREFUSED", (address, port))
        held = self.status("first")["held_syns"]
        self.assertEqual((held["held"], held["refused"], held["passed"]), (5, 5, 0))
        self.assertEqual(self.pop()["legs_failed"], 0)
        self.expect_no_syn_held()
        # And off again: accepted before the server has been heard.
        self.assertEqual(self.control("set", "relay.accept", "early").returncode, 0)
        self.assertIn(self.connecting("192.0.2.80", 8089)[0], accepted)
        refused = self.control("set", "relay.accept", "late")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("verified", refused.stderr)

    def test_verified_bytes_are_those_of_both_sides(self):
        """Whoever speaks first: the far PoP's answer is for the first PoP only."""
        self.verify()
        files = {"small": b"x" * 10_000, "large": random.Random(1).randbytes(20_000_000)}
        digests = lib.serve_files(self.server, "192.0.2.80", files, PORT)
        for name in files:
            got = lib.curl(self.client, f"http://192.0.2.80:{PORT}/{name}")
            self.assertEqual((got.exit_code, got.code, got.sha256), (0, 200, digests[name]))
        for host, address in ((self.server, "192.0.2.80"), (self.lan, "198.18.4.2")):
            names = {"address": address, "port": 8083}
            server = host.start(["python3", "-c", GREETING_SERVER.format(**names)])
            server.wait_log("listening")
            said = self.client.run(["python3", "-c", GREETED_CLIENT.format(**names)], timeout=60)
            greeting = hashlib.sha256(random.Random(3).randbytes(1_000_000)).hexdigest()
            self.assertEqual(said.stdout.split(), [greeting, "b''"])
            server.wait_log("heard " +
                            hashlib.sha256(random.Random(4).randbytes(1_000_000)).hexdigest())
        self.expect_no_syn_held()
        relay = self.status("first")
        self.assertEqual((relay["held_syns"]["passed"], relay["early_syn"]["claimed"]), (4, 4))

    def test_verified_silence_is_refused_after_the_connect_timeout(self):
        lib.wait_until(lambda: self.pop()["warm"]["idle"] >= 4, "warm legs")
        self.verify()
        self.assertEqual(self.control("set", "relay.connect_timeout_s", "3").returncode, 0)
        self.server.run(["nft", "table inet silent { chain in { type filter hook input priority 0;"
                                " tcp dport 8085 drop; }; }"])
        result, seconds = self.connecting("192.0.2.80", 8085)
        self.assertEqual(result, "ECONNREFUSED")
        self.assertGreater(seconds, 2.9)
        # The client has sent its SYN again meanwhile, and that has opened nothing.
        relay = self.status("first")
        self.assertGreaterEqual(relay["held_syns"]["repeated"], 1)
        self.assertEqual((relay["early_syn"]["begun"], self.pop()["legs_opened"]), (1, 1))
        self.expect_no_syn_held()

    def test_verified_is_for_the_tunnels_clients_only(self):
        """Those of other devices are accepted at once, whatever the setting."""
        self.verify()
        code = CONNECTING_CLIENT.format(address="192.0.2.80", port=8089)
        self.assertNotIn("ECONNREFUSED", self.lan.run(["python3", "-c", code], timeout=40).stdout)
        self.assertEqual(self.status("first")["held_syns"]["held"], 0)

    def test_the_leg_port_is_for_pops_only(self):
        code = ("import socket; s = socket.socket(); s.settimeout(2)\n"
                "try:\n s.connect(({!r}, 9702)); print(s.recv(1))\n"
                "except OSError as error: print('refused')")
        # A client of the first PoP, and somebody on the underlay (the weak host model).
        self.assertEqual(self.client.run(["python3", "-c", code.format("10.9.0.2")]).stdout.strip(),
                         "refused")
        self.server.ip("route add 10.9.0.2/32 via 192.0.2.1")
        self.assertEqual(self.server.run(["python3", "-c", code.format("10.9.0.2")]).stdout.strip(),
                         "refused")

    def test_a_killed_last_pop_is_no_clean_end(self):
        server = self.server.start(["python3", "-c", (
            "import socket\nlistener = socket.create_server(('192.0.2.80', 8082))\n"
            "print('listening', flush=True)\nconnection, _ = listener.accept()\n"
            "connection.sendall(b'part')\n"
            "try:\n print('end', connection.recv(1))\n"
            "except ConnectionResetError: print('reset', flush=True)")])
        server.wait_log("listening")
        client = self.client.start(["python3", "-c",
                                    ENDING_CLIENT.format(address="192.0.2.80", port=8082)])
        client.wait_log("receiving")
        self.nodes["last"].signal(signal.SIGKILL)
        server.wait_log("reset")
        # The tunnel has died with the node, so that no reset can come; an end must not either.
        self.assertIsNone(client.exit_code)
        self.nodes["first"].stop()
        client.wait_log("reset|silence", timeout=30)
        self.assertNotIn("ended in order", client.log())


if __name__ == "__main__":
    lib.main()
