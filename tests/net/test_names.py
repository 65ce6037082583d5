"""Endpoints by host name: looked up at start, behind a reload, and again when a peer is silent."""

import json
import os
import pathlib
import signal
import time

import lib

BINARY = os.environ.get("TW_BIN", "")
NAME = "pop.example"

TOML = """
[node]
control_socket = "{folder}/node.sock"
log_level = "debug"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/node.key"
listen_port = 51820
addresses = ["10.9.0.1/24"]
[[peer]]
name = "far"
public_key = "{far}"
endpoint = "{host}:51820"
allowed_ips = ["10.9.0.2/32"]
persistent_keepalive_s = 25
"""


class Names(lib.NetTest):
    """A node, and the peer `far` at two addresses; the node's host finds names in a file of the test."""

    def setUp(self):
        super().setUp()
        self.host, self.far = self.net.namespace("node"), self.net.namespace("far")
        self.net.veth(self.host, self.far, ["198.18.0.1/24"], ["198.18.0.2/24", "198.18.0.3/24"])
        self.folder = self.net.folder
        etc = self.etc(self.host)
        (etc / "nsswitch.conf").write_text("hosts: files\n", encoding="ascii")
        self.hosts = etc / "hosts"
        self.keys = {"node": lib.genkey(), "far": lib.genkey()}
        with open(f"{self.folder}/node.key", "w", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
            stream.write(self.keys["node"] + "\n")
        self.names = {"folder": self.folder, "interface": lib.unique_interface(), "host": NAME,
                      "far": lib.pubkey(self.keys["far"])}
        self.file = f"{self.folder}/node.toml"
        self.node = None

    def points_to(self, address, name=NAME):
        """Changes the file in place: a running program keeps what is mounted."""
        self.hosts.write_text(f"{address} {name}\n" if address else "\n", encoding="ascii")

    def configure(self, **names):
        pathlib.Path(self.file).write_text(TOML.format(**{**self.names, **names}), encoding="ascii")

    def start(self):
        self.configure()
        self.node = lib.thalweg(self.host, "run", "-c", self.file)
        self.node.wait_log(r"up, port 51820")

    def start_far(self):
        interface = lib.unique_interface()
        process = lib.wireguard_go(self.far, interface)
        lib.configure(self.far, interface, self.keys["far"],
                      [lib.Peer(lib.pubkey(self.keys["node"]), "10.9.0.1/32")], listen_port=51820)
        self.far.address(interface, "10.9.0.2/24", mtu=1420)
        return process

    def peer(self):
        status = json.loads(self.host.run([BINARY, "status", "--json", "--socket",
                                           f"{self.folder}/node.sock"]).stdout)
        return status["peers"][0]

    def test_at_start(self):
        self.start_far()
        self.points_to("198.18.0.2")
        self.start()
        self.assertEqual(self.peer()["endpoint"], "198.18.0.2:51820")
        self.assertEqual(lib.ping(self.host, "10.9.0.2", 3).received, 3)
        self.assertEqual(self.node.stop(), 0)

    def test_a_reload_does_not_wait(self):
        self.points_to(None)
        self.start_far()
        self.start()
        self.node.wait_log(rf"endpoint {NAME} does not resolve")
        self.assertIsNone(self.peer()["endpoint"])
        self.points_to("198.18.0.3")
        self.node.signal(signal.SIGHUP)
        self.node.wait_log(r"node\.toml: reloaded")
        self.node.wait_log(r"peer far: its endpoint is now 198\.18\.0\.3:51820")
        # Its keepalive goes at once, and not only 25 s later.
        lib.wait_until(lambda: self.peer()["last_handshake_s"], "the handshake", 5)
        self.points_to("198.18.0.2", "other.example")
        self.configure(host="other.example")
        self.node.signal(signal.SIGHUP)
        self.node.wait_log(r"peer far: its endpoint is now 198\.18\.0\.2:51820")
        self.assertEqual(self.node.stop(), 0)

    def test_a_name_without_an_answer_is_asked_for_again(self):
        """Nobody reloads, and the peer cannot fall silent: there is nowhere to send to."""
        self.points_to(None)
        self.start_far()
        self.start()
        self.node.wait_log(rf"(endpoint {NAME} does not resolve[^§]*){{2}}")
        self.points_to("198.18.0.2")
        self.node.wait_log(r"peer far: its endpoint is now 198\.18\.0\.2:51820")
        lib.wait_until(lambda: self.peer()["last_handshake_s"], "the handshake", 5)
        self.assertEqual(self.node.stop(), 0)

    def test_an_endpoint_that_comes_after_its_keepalive(self):
        """`wg set` in two steps: the keepalive that found no way goes as soon as there is one."""
        self.start_far()
        name = lib.unique_interface()
        lib.thalweg_wg(self.host, name)
        far = self.names["far"]
        lib.configure(self.host, name, self.keys["node"], [lib.Peer(far, "10.9.0.2/32", keepalive=60)])
        self.host.address(name, "10.9.0.1/24", mtu=1420)
        lib.wg(self.host, "set", name, "peer", far, "endpoint", "198.18.0.2:51820")
        lib.wait_until(lambda: not lib.wg(self.host, "show", name, "latest-handshakes").endswith("\t0\n"),
                       "the handshake", 5)

    def test_a_silent_peer_is_looked_up_again(self):
        self.points_to("198.18.0.9")  # nobody's
        self.start_far()
        self.start()
        began = time.monotonic()
        self.points_to("198.18.0.2")
        self.node.wait_log(r"peer far: its endpoint is now 198\.18\.0\.2:51820", 40)
        self.assertGreater(time.monotonic() - began, 10, "three initiations were to be waited for")
        lib.wait_until(lambda: self.peer()["last_handshake_s"], "the handshake", 10)
        self.assertEqual(lib.ping(self.host, "10.9.0.2", 3).received, 3)
        self.assertEqual(self.node.stop(), 0)


if __name__ == "__main__":
    lib.main()
