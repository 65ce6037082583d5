"""The relay begins at a client's SYN, whether it comes out of the tunnel or in at another device; what is
seen there, counted, refused and turned off.
"""

import signal

import lib
from lib.relay import SERVER, RelayCase

PORT = 8080


class EarlySynTest(RelayCase):
    def test_the_server_is_connected_before_the_client(self):
        """The SYN is seen by the lane, the half it begins takes a warm leg, and the client claims it."""
        self.await_warm_legs()
        lib.wait_until(lambda: self.status("last")["waiting_legs"] >= 4, "them at the other end")
        digests = lib.serve_files(self.server, "192.0.2.80", {"small": b"x" * 10_000}, PORT)
        for _ in range(3):
            self.assertEqual(lib.curl(self.client, f"http://192.0.2.80:{PORT}/small").sha256,
                             digests["small"])
        early = self.early()
        self.assertEqual((early["begun"], early["claimed"], early["unclaimed"]), (3, 3, 0))
        self.assertEqual((self.pop()["legs_opened"], self.pop()["warm"]["hits"]), (3, 3))

    def test_a_client_of_another_device_is_seen_at_its_syn(self):
        """Answers to its SYN are held back: what is begun meanwhile was begun by the SYN."""
        self.await_warm_legs()
        self.control("set", "relay.early_syn.claim_timeout_s", "60")
        for begun, address in enumerate(SERVER.values(), 1):
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


if __name__ == "__main__":
    lib.main()
