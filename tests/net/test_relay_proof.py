"""Tests whose legs are served, and whom a PoP may name, on the product's path: a local user of one PoP who
makes himself a leg, keys that change while the nodes run, and a client that is another peer's.
"""

import os
import re
import signal

import lib
from lib.relay import SERVER, RelayCase

PORT = 8080

# A leg as a PoP makes it, but by whoever is on the PoP's machine: its address, a client of its choice.
FORGER = """
import socket, struct, sys
family, client, target = (socket.AF_INET, "10.9.1.2", "192.0.2.80")
header = b"\\r\\n\\r\\n\\0\\r\\nQUIT\\n" + bytes((0x21, 0x11)) + struct.pack(">H", 12)
header += socket.inet_pton(family, client) + socket.inet_pton(family, target) + struct.pack(">HH", 4000, 8084)
leg = socket.socket()
leg.settimeout(4)
leg.bind(("10.9.0.1", 0))
try:
    leg.connect(("10.9.0.2", 9702))
    leg.sendall(header + b"GET /small HTTP/1.0\\r\\n\\r\\n")
    print("served" if leg.recv(100) else "ended")
except (ConnectionError, TimeoutError, PermissionError) as error:
    print(type(error).__name__)
"""

STRANGER = """
[[peer]]
name = "mallory"
public_key = "{public}"
allowed_ips = ["10.9.1.2/32", "fd09::1:2/128"]
[gateway]
"""


class RelayProofTest(RelayCase):
    def setUp(self):
        super().setUp()
        self.digests = {family: lib.serve_files(self.server, SERVER[family], {"small": b"x" * 10_000},
                                                PORT + family) for family in SERVER}
        self.await_warm_legs()

    def fetch(self, family=4):
        address = f"[{SERVER[6]}]" if family == 6 else SERVER[4]
        got = lib.curl(self.client, f"http://{address}:{PORT + family}/small", timeout=30)
        return got.exit_code == 0 and got.sha256 == self.digests[family]["small"]

    def rewrite(self, host, old, new):
        path = f"{self.net.folder}/{host}.toml"
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text.replace(old, new, 1))

    def reload(self, *hosts):
        for host in hosts:
            before = self.nodes[host].log().count(": reloaded")
            self.nodes[host].signal(signal.SIGHUP)
            node = self.nodes[host]
            lib.wait_until(lambda node=node, before=before: node.log().count(": reloaded") > before,
                           f"{host} to reload")

    def last_leg(self, host):
        return self.status(host)["pops"][0]["last_leg"]

    def test_a_local_user_is_not_served_as_his_pop(self):
        self.assertTrue(self.fetch())
        for user in ((), ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")):
            said = self.first.run([*user, "python3", "-c", FORGER]).stdout.strip()
            self.assertIn(said, ("ConnectionResetError", "ConnectionRefusedError", "TimeoutError",
                                 "PermissionError"))
        self.assertTrue(self.last_leg("first")["to_authenticated"])
        # Served where that is asked for, and said; unless the firewall of the first PoP is before it.
        self.rewrite("last", 'overlay_address = "10.9.0.1"', 'overlay_address = "10.9.0.1"\nlegs = "any"')
        self.reload("last")
        self.assertEqual(self.status("last")["pops"][0]["legs"], "any")
        checked = self.last.run([os.environ["TW_BIN"], "check", "-c", f"{self.net.folder}/last.toml"])
        self.assertIn("warning: ", checked.stderr)
        self.assertIn("pop[1].legs", checked.stderr)
        self.assertTrue(self.fetch())
        self.rewrite("last", '\nlegs = "any"', "")
        self.reload("last")
        self.assertTrue(self.fetch())

    def test_the_status_says_who_was_authenticated(self):
        for family in (4, 6):
            self.assertTrue(self.fetch(family))
        for host in ("first", "last"):
            pop = self.status(host)["pops"][0]
            self.assertEqual(pop["legs"], "authenticated")
            self.assertEqual(sum(pop["last_leg"]["refused"].values()), 0)
        self.assertTrue(self.last_leg("first")["to_authenticated"])
        self.assertTrue(self.last_leg("last")["from_authenticated"])
        self.assertIsNone(self.last_leg("last")["to_authenticated"])
        self.assertIn("legs: authenticated; last from it: none yet, to it: authenticated",
                      self.control("status").stdout)

    def test_keys_are_followed_while_the_nodes_run(self):
        self.assertTrue(self.fetch())
        opened = self.pop()["warm"]["opened"]
        psk = lib.genpsk()
        for host, other in (("first", "last"), ("last", "first")):
            path = f"{self.net.folder}/{host}.psk"
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as stream:
                stream.write(psk + "\n")
            self.rewrite(host, f'name = "{other}"', f'name = "{other}"\npreshared_key_file = "{path}"')
        self.reload("last", "first")
        lib.wait_until(lambda: self.pop()["warm"]["idle"] >= 4 and self.pop()["warm"]["opened"] >= opened + 4,
                       "new warm legs", 30)
        self.assertTrue(self.fetch())
        # By hand, at both ends: the legs go by what the tunnel goes by.
        by_hand = lib.genpsk() + "\n"
        opened = self.pop()["warm"]["opened"]
        for host, other in (("first", "last"), ("last", "first")):
            lib.wg(getattr(self, host), "set", self.interfaces[host], "peer", lib.pubkey(self.keys[other]),
                   "preshared-key", "/dev/stdin", stdin=by_hand)
        lib.wait_until(lambda: self.pop()["warm"]["idle"] >= 4 and self.pop()["warm"]["opened"] >= opened + 4,
                       "new warm legs", 30)
        self.assertTrue(self.fetch())
        self.assertTrue(self.last_leg("last")["from_authenticated"])

    def test_a_pop_names_no_client_of_another_peer(self):
        for family in (4, 6):
            self.assertTrue(self.fetch(family))
        stranger = STRANGER.format(public=lib.pubkey(lib.genkey()))
        self.rewrite("last", "[relay]", stranger + "[relay]")
        self.reload("last")
        for family in (4, 6):
            self.assertFalse(self.fetch(family))
        self.assertEqual(self.status("last")["outcomes"]["refused_client"],
                         self.status("last")["pops"][0]["refused_clients"])
        self.assertGreaterEqual(self.status("last")["outcomes"]["refused_client"], 2)
        line = self.nodes["last"].wait_log(r"write (clients = \[.*\]) in its").group(1)
        self.assertEqual(line, 'clients = ["10.9.1.2/32"]')
        line = line.replace("]", ', "fd09::1:2"]')
        self.rewrite("last", 'overlay_address = "10.9.0.1"', f'overlay_address = "10.9.0.1"\n{line}')
        self.reload("last")
        for family in (4, 6):
            self.assertTrue(self.fetch(family))

    def test_an_impostor_at_the_leg_port_hears_nothing(self):
        self.assertTrue(self.fetch())
        # The last PoP gives up its relay, and one of its users takes the port.
        self.rewrite("last", "enabled = true", "enabled = false")
        self.rewrite("last", 'action = "relay"', 'action = "route"')
        self.reload("last")
        impostor = self.last.start(["python3", "-uc", """
import socket
listener = socket.create_server(("10.9.0.2", 9702))
print("ready", flush=True)
while True:
    leg, _ = listener.accept()
    leg.settimeout(3)
    try:
        print("heard", leg.recv(1000), flush=True)
        leg.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nforged")
    except OSError:
        pass
"""])
        impostor.wait_log("ready")
        got = lib.curl(self.client, f"http://192.0.2.80:{PORT + 4}/small", timeout=20)
        self.assertNotEqual(got.exit_code, 0)
        self.assertEqual(re.findall(r"GET", impostor.log()), [])


if __name__ == "__main__":
    lib.main()
