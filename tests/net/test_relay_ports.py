"""The node's ports are the node's as long as it lives (lib/relay.py): drained, reloaded, or with its
relay switched off, it leaves none of them for a local user to take; and whoever has one first is named.
"""

import os
import re
import signal

import lib
from lib.relay import SERVER, RelayCase

PORT = 8080
SIZE = 20_000_000
NOBODY = 65534

# An unprivileged user who wants the port in whichever way there is; prints what he got.
SQUATTER = """
import os, socket
os.setgid({uid}); os.setuid({uid})
got = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET, "{own}"), (socket.AF_INET6, "::")):
    for option in (None, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            for port in {tcp} if kind == socket.SOCK_STREAM else {udp}:
                with socket.socket(family, kind) as sock:
                    try:
                        if option is not None:
                            sock.setsockopt(socket.SOL_SOCKET, option, 1)
                        sock.bind((address, port))
                        if kind == socket.SOCK_STREAM:
                            sock.listen()
                        got.append((address, port, option))
                    except OSError:
                        pass
print("got", got)
"""

# Asks each server for its page; prints the answers' codes.
CONNECT_TO = """
import http.client
codes = []
for server in {servers}:
    try:
        connection = http.client.HTTPConnection(server, {port}, timeout=5)
        connection.request("GET", "/")
        codes.append(connection.getresponse().status)
    except OSError as error:
        codes.append(str(error))
print(codes)
"""

HOLDER = """
import signal, socket
sock = socket.socket(socket.{family}, socket.{kind})
sock.bind(("{address}", {port}))
if sock.type == socket.SOCK_STREAM:
    sock.listen()
print("holds", flush=True)
signal.pause()
"""

CONNECT = """
import socket, time
begun = time.monotonic()
try:
    with socket.create_connection(("{address}", {port}), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        print("answered" if connection.recv(100) else "ended", time.monotonic() - begun)
except OSError as error:
    print(type(error).__name__, time.monotonic() - begun)
"""


class PortsTest(RelayCase):
    def squat(self, tcp=(9701, 9702), udp=(51820,), host="first", own="10.9.0.1"):
        code = SQUATTER.format(uid=NOBODY, own=own, tcp=tcp, udp=udp)
        return getattr(self, host).run(["python3", "-c", code]).stdout.strip()

    def sockets(self, *ports):
        """The inodes of the first PoP's listeners at these ports."""
        found = set()
        for table in ("tcp", "tcp6"):
            for line in self.first.run(["cat", f"/proc/net/{table}"]).stdout.splitlines()[1:]:
                words = line.split()
                if words[3] == "0A" and int(words[1].rsplit(":", 1)[1], 16) in ports:
                    found.add(words[9])
        return found

    def connect(self, family=4):
        """Returns what a client meets, and after how many seconds."""
        code = CONNECT.format(address=SERVER[family], port=PORT)
        what, after = self.client.run(["python3", "-c", code], timeout=30).stdout.split()
        return what, float(after)

    def reload(self, *changes):
        """With each (before, after) changed in the first PoP's file; what the node said."""
        path = f"{self.net.folder}/first.toml"
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        for before, after in changes:
            self.assertIn(before, text)
            text = text.replace(before, after)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        node = self.nodes["first"]
        said = len(node.log())
        node.signal(signal.SIGHUP)
        pattern = re.compile(r"toml: reloaded|reload: .*")
        return lib.wait_until(lambda: pattern.search(node.log(), said), "a reload").group()

    def fetch_by_lan(self):
        """The families in which the plain host beside the first PoP reaches the server."""
        code = CONNECT_TO.format(servers=[SERVER[4], SERVER[6]], port=PORT)
        return self.lan.run(["python3", "-c", code], timeout=30).stdout.strip()

    def test_a_client_device_that_is_made_anew_is_served(self):
        for family in (4, 6):
            server = self.server.start(["python3", "-um", "http.server", PORT, "--bind", SERVER[family]])
            server.wait_log("Serving")
        self.assertEqual(self.fetch_by_lan(), "[200, 200]")
        for _ in range(2):
            self.first.ip("link del to-lan")
            self.net.veth(self.first, self.lan, ["198.18.4.1/24", "2001:db8:4::1/64"],
                          ["198.18.4.2/24", "2001:db8:4::2/64"])
            self.lan.ip("route add default via 198.18.4.1")
            self.lan.ip("-6 route add default via 2001:db8:4::1")
            lib.wait_until(lambda: self.fetch_by_lan() == "[200, 200]", "clients to be served", 10)
        # The tunnel's clients have noticed nothing.
        self.assertEqual(self.connect()[0], "answered")

    def test_a_drained_relay_refuses_and_a_reload_keeps_its_sockets(self):
        lib.serve_files(self.server, SERVER[4], {"small": b"x"}, PORT)
        before = self.sockets(9701, 9702)
        self.assertEqual(len(before), 6)  # by TUN and LAN in both families; for legs at two addresses
        self.assertEqual(self.connect()[0], "answered")
        self.assertEqual(self.control("drain", "--timeout", "10").returncode, 0)
        self.assertEqual(self.squat(), "got []")
        for family in (4, 6):
            what, after = self.connect(family)
            self.assertEqual(what, "ConnectionResetError")
            self.assertLess(after, 2)
        self.assertEqual(self.sockets(9701, 9702), before)
        self.assertIn("reloaded", self.reload())
        self.assertEqual(self.sockets(9701, 9702), before)
        self.assertEqual(self.connect()[0], "answered")
        # Other settings, and a relay that is not wanted for a while.
        self.assertIn("reloaded", self.reload(("[relay]\n", "[relay]\nconnect_timeout_s = 9\n")))
        self.assertEqual(self.sockets(9701, 9702), before)
        relay = ("[relay]\nconnect_timeout_s = 9\nenabled = true", "[relay]\nenabled = false")
        policy = ('action = "relay"', 'action = "refuse"')
        self.assertIn("reloaded", self.reload(relay, policy))
        self.assertEqual(self.sockets(9701, 9702), before)
        self.assertEqual(self.squat(), "got []")
        self.assertIn("reloaded", self.reload(relay[::-1], policy[::-1]))
        self.assertEqual(self.sockets(9701, 9702), before)
        self.await_warm_legs()
        self.assertEqual(self.connect()[0], "answered")

    def test_a_port_change_opens_the_new_before_it_gives_up_the_old(self):
        lib.serve_files(self.server, SERVER[4], {"small": b"x"}, PORT)
        before = self.sockets(9701, 9702)
        holder = self.hold(self.first, "AF_INET", "SOCK_STREAM", "10.9.0.1", 9711)
        change = ("[relay]\n", "[relay]\nlisten_port = 9711\n")
        # A node that runs may not look into other programs: it knows whose they are.
        self.assertRegex(self.reload(change), rf"({holder}|a program of user 0).*relay\.listen_port")
        self.assertEqual(self.sockets(9701, 9702), before)
        self.assertEqual(self.connect()[0], "answered")
        self.assertIn("reloaded", self.reload(("listen_port = 9711", "listen_port = 9721")))
        self.assertEqual(len(self.sockets(9721)), 4)
        self.assertEqual(self.sockets(9702), before & self.sockets(9702))
        self.assertEqual(self.sockets(9701), set())
        self.assertEqual(self.squat(tcp=(9721, 9702)), "got []")
        self.assertEqual(self.connect()[0], "answered")

    def test_a_reload_that_opens_sockets_keeps_what_runs(self):
        lib.serve_files(self.server, SERVER[4], {"large": b"x" * SIZE}, PORT)
        download = self.client.start(["curl", "-s", "--noproxy", "*", "--limit-rate", "5M", "-o", "/dev/null",
                                      "-w", "got %{size_download}\n", f"http://{SERVER[4]}:{PORT}/large"])
        lib.wait_until(lambda: self.status("first")["active"] == 1, "the download to run")
        self.assertIn("reloaded", self.reload(
            ("[relay]\n", "[relay]\nlisten_port = 9731\n"), ('client_devices = ["to-lan"]', ""),
            ('addresses = ["10.9.0.1/16"', 'addresses = ["10.9.8.1/32", "10.9.0.1/16"')))
        self.assertEqual(len(self.sockets(9731)), 2)
        self.assertEqual(len(self.sockets(9702)), 3)
        self.assertEqual(self.status("first")["active"], 1)
        self.assertEqual(download.wait(), 0)
        self.assertIn(f"got {SIZE}\n", download.log())
        self.assertEqual(self.status("first")["outcomes"]["closed"], 1)

    def test_a_target_of_the_machine_itself_is_opened_by_hand(self):
        lib.serve_files(self.last, "192.0.2.1", {"small": b"x" * 10}, PORT)
        url = f"http://192.0.2.1:{PORT}/small"
        self.assertNotEqual(lib.curl(self.client, url).exit_code, 0)
        for targets, opened in (('["192.0.2.1/32"]', True), ("[]", False)):
            self.last.run([os.environ["TW_BIN"], "set", "relay.local_targets", targets, "--socket",
                           f"{self.net.folder}/last.sock"])
            self.assertEqual(lib.curl(self.client, url).exit_code == 0, opened, targets)
        self.assertGreaterEqual(self.status("last")["outcomes"]["refused_special"], 2)

    def test_a_log_that_no_file_names_is_not_promised(self):
        done = self.control("set", "relay.log.file", f"{self.net.folder}/other.log")
        self.assertEqual(done.returncode, 1)
        self.assertIn("write it there and reload", done.stderr)
        self.assertEqual(self.control("set", "relay.log.file", "").returncode, 0)

    def hold(self, host, family, kind, address, port):
        """Somebody has the port; his process id."""
        process = host.start(["python3", "-c", HOLDER.format(family=family, kind=kind, address=address,
                                                             port=port)])
        process.wait_log("holds")
        self.addCleanup(process.stop)
        return process.pid

    def test_who_has_a_port_first_is_named(self):
        self.nodes["first"].stop()
        for family, kind, address, port, key in (
                ("AF_INET", "SOCK_STREAM", "0.0.0.0", 9701, "relay.listen_port"),
                ("AF_INET6", "SOCK_STREAM", "::", 9702, "relay.leg_port"),
                ("AF_INET", "SOCK_DGRAM", "0.0.0.0", 51820, "tunnel.listen_port"),
                ("AF_INET6", "SOCK_DGRAM", "::", 51820, "tunnel.listen_port")):
            process = self.first.start(["python3", "-c", HOLDER.format(
                family=family, kind=kind, address=address, port=port)])
            process.wait_log("holds")
            node = lib.thalweg(self.first, "run", "-c", f"{self.net.folder}/first.toml")
            self.assertNotEqual(node.wait(), 0)
            self.assertRegex(node.log(), rf"python3 \(pid {process.pid}, uid 0\).*{re.escape(key)}")
            process.stop()
            # Nothing is left of the attempt.
            self.assertNotIn(self.interfaces["first"], self.first.run("ip link").stdout)
        self.start_node("first")


if __name__ == "__main__":
    lib.main()
