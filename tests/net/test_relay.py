"""The relay on the product's path (lib/relay.py): what is carried and what refused, how it is set,
drained and killed. The client's TCP is diverted at the first PoP and carried in a leg inside the tunnel.
"""

import hashlib
import random
import signal

import lib
from lib.relay import RelayCase

PORT = 8080

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


class RelayTest(RelayCase):
    KEEPALIVE_S = 0  # a PoP that dies is noticed by what is sent to it
    PORTS = "8080-8090"

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
        # Without a delay between the PoPs legs start as any TCP does, and nothing is learned of that.
        path = self.status("last")["pops"][0]["path"]
        self.assertEqual([path[f"probes_{of}"] for of in ("passed", "failed", "undecided")], [0, 0, 0])
        self.assertFalse(path["limited"])
        self.assertRegex(self.control("status").stdout, r"path: [\d.]+ Mbps")

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
        # A route's window is everybody's: it is used only where nothing opens that of single legs.
        self.assertEqual(self.control("set", "relay.turbo.initcwnd", "77").returncode, 0)
        if lib.resumes_transfers():
            self.assertNotIn("initcwnd", self.first.run("ip route show 10.9.0.2").stdout)
        self.assertEqual(self.control("set", "relay.turbo.pacing", "off").returncode, 0)
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
        self.await_warm_legs()
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
        self.await_warm_legs()
        self.assertEqual(self.ending("192.0.2.80", 8089), "reset")  # nobody listens there
        self.assertEqual(self.pop()["warm"]["hits"], 1)  # an answer is no dead leg
        self.assertEqual(self.ending("192.0.2.80", 22), "reset")  # the last PoP's policy
        self.assertEqual(self.ending("192.0.2.1", 8080), "reset")  # the last PoP itself
        self.first.start("python3 -m http.server 8080")
        self.assertEqual(self.ending("10.9.0.1", 8080), "reset")  # the first PoP itself

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
