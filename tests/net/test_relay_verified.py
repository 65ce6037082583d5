"""`relay.accept = "verified"`: a client of the tunnel is accepted when its server has been heard."""

import hashlib
import json
import random

import lib
from lib.relay import RelayCase

PORT = 8080

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


class VerifiedTest(RelayCase):
    PORTS = "8080-8090"

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
        self.await_warm_legs()
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
        """2 s: a client repeats its SYN after 1 s and after 3 s, and not at the moment of the refusal."""
        self.await_warm_legs()
        self.verify()
        self.assertEqual(self.control("set", "relay.connect_timeout_s", "2").returncode, 0)
        self.server.run(["nft", "table inet silent { chain in { type filter hook input priority 0;"
                                " tcp dport 8085 drop; }; }"])
        result, seconds = self.connecting("192.0.2.80", 8085)
        self.assertEqual(result, "ECONNREFUSED")
        self.assertGreater(seconds, 1.9)
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


if __name__ == "__main__":
    lib.main()
