"""Tests how much one client, one server or one PoP may hold of a relay: bytes of a server for a client who
never comes, kernel memory for readers who have paused, and places.
"""

import os
import re

import lib
from lib.relay import FIRST_TOML, LAST_TOML, SERVER, RelayCase

PORT = 8099
KB, MB = 1024, 1024 * 1024
LEG_PORT = 9702

# Speaks as soon as it is spoken to, for ever: what a server without a question to wait for may do.
PUSHER = """
import socket, sys, threading
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
door = socket.socket(family)
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
door.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 100)
door.bind((sys.argv[1], int(sys.argv[2]))); door.listen(100)
most = int(sys.argv[3])
def push(connection):
    sent = 0
    try:
        while sent < most:
            sent += connection.send(b"x" * min(65536, most - sent))
        connection.close()
    except OSError:
        pass
print("listening", flush=True)
while True:
    connection = door.accept()[0]
    print("accepted", flush=True)
    threading.Thread(target=push, args=(connection,), daemon=True).start()
"""

# Reads so much of each of its connections, and then pauses.
READER = """
import signal, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
connections = []
for _ in range(int(sys.argv[3])):
    connection = socket.socket(family)
    connection.connect((sys.argv[1], int(sys.argv[2])))
    connections.append(connection)
for connection in connections:
    left = int(sys.argv[4])
    while left > 0:
        left -= len(connection.recv(min(left, 65536)))
print("paused", flush=True)
signal.pause()
"""

# A client whose kernel hears no answer to its SYN.
DEAF = ("table inet deaf { chain in { type filter hook input priority 0; "
        "tcp flags & (syn | ack) == syn | ack drop; }; }")


def family_of(address):
    return "AF_INET6" if ":" in address else "AF_INET"


class ShareCase(RelayCase):
    def push_from(self, address, most=1 << 40):
        server = self.server.start(["python3", "-c", PUSHER, address, PORT, most])
        server.wait_log("listening")
        return server

    def sent_by_server(self):
        """Bytes that the server's connections have had acknowledged, each."""
        text = self.server.run(["ss", "-tinH", "state", "established", "sport", f"= :{PORT}"]).stdout
        return [int(found) for found in re.findall(r"bytes_acked:(\d+)", text)]

    def await_quiet(self):
        """Until the server has sent nothing for a while; returns what it has, of each connection."""
        seen = [self.sent_by_server()]

        def is_quiet():
            seen.append(self.sent_by_server())
            return len(seen) > 25 and seen[-25:] == [seen[-1]] * 25
        lib.wait_until(is_quiet, "the server to stop", 60)
        return seen[-1]

    def knock(self, host, address, times=1):
        """SYNs of clients who will not hear the answer to them."""
        host.run(["nft", DEAF])
        return host.start(["python3", "-c", "import signal, socket\nknockers = []\n"
                           f"for _ in range({times}):\n"
                           f" knocker = socket.socket(socket.{family_of(address)})\n"
                           " knocker.setblocking(False)\n"
                           f" knocker.connect_ex(('{address}', {PORT}))\n"
                           " knockers.append(knocker)\nsignal.pause()\n"])


class UnclaimedTest(ShareCase):
    RELAY = "[relay.early_syn]\nclaim_timeout_s = 60\nmax_unclaimed_per_client = 5\n"

    def test_a_syn_alone_moves_next_to_nothing(self):
        self.await_warm_legs()
        for host in (self.client, self.lan):
            for address in SERVER.values():
                server = self.push_from(address)
                knocker = self.knock(host, address)
                server.wait_log("accepted")
                sent = self.await_quiet()
                self.assertEqual((len(sent), self.early()["unclaimed"]), (1, 1))
                self.assertLessEqual(sent[0], 64 * KB)
                self.assertGreater(sent[0], KB)
                # Whoever comes after all is served, with all that there is.
                host.run("nft delete table inet deaf")
                lib.wait_until(lambda: self.early()["unclaimed"] == 0, "the client to come", 20)
                lib.wait_until(lambda: self.sent_by_server()[0] > 500 * KB, "the server to go on")
                knocker.end()
                server.end()
                self.await_idle()

    def test_one_client_has_its_share_of_unclaimed_halves(self):
        for address in SERVER.values():
            before = self.early()["over_budget"]
            server = self.push_from(address)
            knocker = self.knock(self.client, address, times=12)
            lib.wait_until(lambda before=before: self.early()["over_budget"] >= before + 7, "the rest")
            self.assertEqual(self.early()["unclaimed"], 5)
            # A connection that is not begun early is served when it has come.
            self.client.run("nft delete table inet deaf")
            lib.wait_until(lambda: self.status("last")["active"] == 12, "all to be served", 20)
            knocker.end()
            server.end()
            self.await_idle()


class FastOpenTest(ShareCase):
    def test_a_syn_with_data_moves_little_without_a_handshake(self):
        """Its sender has a cookie, which proves an address once, and not that anybody is there now."""
        self.client.sysctl("net.ipv4.tcp_fastopen", 3)
        self.await_warm_legs()
        for address in SERVER.values():
            server = self.push_from(address)
            ask = ("import signal, socket, sys\n"
                   f"client = socket.socket(socket.{family_of(address)})\n"
                   "client.setblocking('later' not in sys.argv)\n"
                   f"client.sendto(b'GET', socket.MSG_FASTOPEN, ('{address}', {PORT}))\n"
                   "if 'later' in sys.argv: print('sent', flush=True); signal.pause()\n"
                   "client.recv(10)\n")
            self.client.run(["python3", "-c", ask])
            self.await_idle()
            self.client.run(["nft", DEAF])
            asker = self.client.start(["python3", "-c", ask, "later"])
            lib.wait_until(lambda server=server: server.log().count("accepted") == 2, "a question")
            sent = self.await_quiet()
            self.client.run("nft delete table inet deaf")
            self.assertLessEqual(max(sent), 96 * KB)
            lib.wait_until(lambda: self.sent_by_server()[0] > 500 * KB, "the server to go on", 20)
            asker.end()
            server.end()
            self.await_idle()


class PausedTest(ShareCase):
    """Sixteen downloads whose readers pause, at once or after they have been fast."""

    def kernel_memory(self, host):
        """Returns the memory of one PoP: what its sockets hold, and as much as its pipes can."""
        text = getattr(self, host).run(["ss", "-tmnH"]).stdout
        # Reserved memory (f) may be below nothing, which is printed as nearly 2^32.
        held = sum(int(r) + int(w) + (int(f) if int(f) < 1 << 31 else 0) for r, f, w in
                   re.findall(r"skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+)", text))
        folder = f"/proc/{self.nodes[host].pid}/fd"
        pipes = {os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)
                 if os.readlink(f"{folder}/{fd}").startswith("pipe:")}
        return held + len(pipes) * 256 * KB

    def assert_little_is_held(self):
        self.await_quiet()
        for host in self.nodes:
            held = self.kernel_memory(host)
            self.assertLessEqual(held, 256 * MB, f"{host}: {held / MB:.0f} MB")

    def pause(self, address, after):
        reader = self.client.start(["python3", "-c", READER, address, PORT, 8, after])
        reader.wait_log("paused", 120)
        return reader

    def test_who_never_reads(self):
        servers = [self.push_from(address) for address in SERVER.values()]
        readers = [self.pause(address, 0) for address in SERVER.values()]
        self.assert_little_is_held()
        self.assertGreater(self.status("first")["buffers"]["promised_bytes"], 0)
        for process in readers + servers:
            process.end()
        self.await_idle()
        self.assertEqual({host: self.status(host)["buffers"]["promised_bytes"] for host in self.nodes},
                         {"first": 0, "last": 0})

    def test_who_has_been_fast_before(self):
        for address in SERVER.values():
            self.push_from(address)
        for address in SERVER.values():
            self.pause(address, 20 * MB)
        self.assert_little_is_held()
        # Others find room.
        digests = lib.serve_files(self.server, SERVER[4], {"large": b"x" * 20_000_000}, 8080)
        self.assertEqual(lib.curl(self.lan, f"http://{SERVER[4]}:8080/large").sha256, digests["large"])


class LegShareTest(ShareCase):
    """A PoP that opens legs and does not use them, or asks for what never answers. Root on the first PoP's
    machine plays it: its sockets have the mark by which the firewall knows a node's, and the last PoP takes
    legs without proof.
    """

    TOML = {host: text.replace('overlay_address = "10.9.0.1"', 'overlay_address = "10.9.0.1"\nlegs = "any"')
            for host, text in ShareCase.TOML.items()}

    RELAY = "max_connections = 200\nmax_waiting_legs_per_pop = 40\n[relay.pool]\nhigh = 8\n"
    OVERLAY = {"first": "10.9.0.1", "last": "10.9.0.2"}

    HOARDER = """
import signal, socket, sys
ours, theirs, header = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[4])
family = socket.AF_INET6 if ":" in ours else socket.AF_INET
legs = []
for _ in range(int(sys.argv[3])):
    leg = socket.socket(family)
    leg.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(sys.argv[5]))
    leg.bind((ours, 0)); leg.settimeout(10)
    try:
        leg.connect((theirs, 9702))
        leg.sendall(header)
    except OSError:
        pass
    legs.append(leg)
print("done", flush=True)
signal.pause()
"""

    def hoard(self, legs, header=b""):
        index = self.first.run(["cat", f"/sys/class/net/{self.interfaces['first']}/ifindex"]).stdout
        mark = 0x54580000 + int(index)
        hoarder = self.first.start(["python3", "-c", self.HOARDER, self.OVERLAY["first"],
                                    self.OVERLAY["last"], legs, header.hex(), mark])
        hoarder.wait_log("done", 60)
        return hoarder

    def last_of(self):
        return self.status("last")["pops"][0]

    def test_legs_without_a_target_are_few(self):
        self.await_warm_legs()
        digests = lib.serve_files(self.server, SERVER[4], {"small": b"x" * 10_000}, 8080)
        for header in (b"", bytes.fromhex("0d0a0d0a000d0a515549540a21")):
            before = self.last_of()["refused_here"]
            hoarder = self.hoard(100, header)
            lib.wait_until(lambda before=before: self.last_of()["refused_here"] >= before + 50, "refusals")
            self.assertLessEqual(self.last_of()["waiting_here"], 40)
            self.assertGreater(self.status("last")["outcomes"]["pop_limit"], 0)
            self.nodes["last"].wait_log(r"PoP first has \d+ legs here")
            # A leg that was warm before is not touched, and serves.
            self.assertEqual(lib.curl(self.client, f"http://{SERVER[4]}:8080/small").sha256, digests["small"])
            hoarder.end()
            lib.wait_until(lambda: self.last_of()["legs_here"] <= 10, "its legs to go", 20)

    def test_one_pop_leaves_places_to_the_others(self):
        """Its targets do not answer: the connections are on their way until that is given up."""
        self.last.ip("route add blackhole 198.51.100.0/24")
        self.last.run(["nft", "table inet silent { chain out { type filter hook output priority 0; "
                       f"ip daddr {SERVER[4]} tcp dport 81 drop; }}; }}"])
        target = bytes([192, 0, 2, 80])
        header = (bytes.fromhex("0d0a0d0a000d0a515549540a2111000c") + bytes([10, 9, 1, 2]) + target
                  + (40000).to_bytes(2, "big") + (81).to_bytes(2, "big"))
        self.hoard(300, header)
        pop = self.last_of()
        self.assertLessEqual(pop["legs_here"], 150)
        self.assertGreater(pop["refused_here"], 100)


class LegShare6Test(LegShareTest):
    """The same with IPv6 between the PoPs."""

    OVERLAY = {"first": "fd09::1", "last": "fd09::2"}
    TOML = {host: text.replace('allowed_ips = ["10.9.0.2/32"', 'allowed_ips = ["10.9.0.2/32", "fd09::2/128"')
            .replace('allowed_ips = ["10.9.0.1/32"', 'allowed_ips = ["10.9.0.1/32", "fd09::1/128"')
            .replace('addresses = ["10.9.0.2/16"]', 'addresses = ["10.9.0.2/16", "fd09::2/64"]')
            .replace('overlay_address = "10.9.0.2"', 'overlay_address = "fd09::2"')
            .replace('overlay_address = "10.9.0.1"', 'overlay_address = "fd09::1"')
            for host, text in LegShareTest.TOML.items()}


if __name__ == "__main__":
    lib.main()
