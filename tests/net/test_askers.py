"""Tests that nobody who asks a node something keeps another from an answer: scrapers at the metrics port,
scripts at the control socket and at the UAPI's.
"""

import json
import os
import pathlib
import re
import signal
import time

import lib

BINARY = os.environ.get("TW_BIN", "")

TOML = """
[node]
control_socket = "{folder}/node.sock"
metrics = "{metrics}"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/node.key"
listen_port = 51820
addresses = ["10.9.0.1/24", "fd09::1/64"]
[[peer]]
name = "anna"
public_key = "{anna}"
allowed_ips = ["10.9.0.2/32", "fd09::2/128"]
"""

# Connections to the metrics port that do not behave: `how` is what each of `count` does.
ROUGH = """
import signal, socket, sys, threading
how, address, source, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
REQUEST = b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
def connect(number):
    connection = socket.socket(family)
    if how == "slow_readers":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    from_one = source if source != "many" else f"127.1.{number // 250}.{number % 250 + 1}"
    connection.bind((from_one, 0))
    connection.settimeout(10)
    try:
        connection.connect((address, 9586))
        if how in ("half", "churn_half"):
            connection.sendall(REQUEST[:-2])
        if how == "slow_readers":
            connection.sendall(REQUEST * 50)
        if how == "large":
            connection.sendall(REQUEST[:-2] + b"A: " + b"a" * 100_000)
        if how == "garbage":
            connection.sendall(bytes([0, 255, 10, 10]) * 20_000)
    except OSError:
        pass  # hung up on
    return connection
def drip(connections):
    while True:
        for connection in connections:
            try:
                connection.send(b"a")
            except OSError:
                pass
        threading.Event().wait(0.05)
def read_on(connections):
    # All that many requests at once are answered with.
    while True:
        for number, connection in enumerate(connections):
            try:
                connection.settimeout(0.01)
                connection.send(REQUEST * 50)
                connection.recv(1 << 20)
            except TimeoutError:
                pass
            except OSError:
                connections[number] = connect(number)
connections = [connect(number) for number in range(count)]
print("there", flush=True)
if how == "drip":
    drip(connections)
if how == "pipeline":
    read_on(connections)
while "churn" in how:
    connections = [connect(number) for number in range(count)]
signal.pause()
"""


# A script at a Unix socket that is stuck: `how` is what each of its connections does, `count` how many there
# are. It opens further ones for as long as it lives.
STUCK = """
import os, socket, sys
how, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
asks = b'{"command":"status"}\\n' if path.endswith("node.sock") else b"get=1\\n\\n"
said = {"mute": b"", "half": asks[:5], "unread": asks * 100, "garbage": b"\\0\\xff" * 5000 + b"\\n"}[how]
connections = []
while True:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(5)
    try:
        connection.connect(path)
        connection.setblocking(False)
        connection.send(said)
    except OSError:
        pass  # hung up on
    connections.append(connection)
    if len(connections) == count:
        print("there", flush=True)
    if len(connections) > count:
        connections.pop(0).close()
"""

# Asks a second after it has connected, with many others who connect meanwhile.
SLOW = """
import socket, sys, threading
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.settimeout(10)
threading.Event().wait(1)
connection.sendall(sys.argv[2].encode())
print(connection.recv(4096).decode())
"""


class AskerCase(lib.NetTest):
    METRICS = "127.0.0.1:9586"

    def setUp(self):
        super().setUp()
        self.host, self.folder = self.net.namespace("node"), self.net.folder
        self.interface = lib.unique_interface()
        with open(os.open(f"{self.folder}/node.key", os.O_CREAT | os.O_WRONLY, 0o600), "w",
                  encoding="ascii") as stream:
            stream.write(lib.genkey() + "\n")
        self.file = pathlib.Path(self.folder, "node.toml")
        self.file.write_text(TOML.format(folder=self.folder, interface=self.interface, metrics=self.METRICS,
                                         anna=lib.pubkey(lib.genkey())), encoding="utf-8")
        self.node = lib.thalweg(self.host, "run", "-c", self.file)
        self.node.wait_log("up, port 51820")

    def ask(self, *words):
        return self.host.run([BINARY, *words, "--socket", f"{self.folder}/node.sock"])

    def in_time(self, ask, seconds=1.0):
        """What `ask` returns, which it must soon: a program that starts is slow enough on a busy machine."""
        begin = time.monotonic()
        answer = ask()
        self.assertLess(time.monotonic() - begin, seconds * lib.process.SLOWNESS)
        return answer


class Metrics(AskerCase):
    OTHER = "127.0.0.2"  # the address of whoever does behave
    CROWDS = (("half", 60), ("half", 500), ("slow_readers", 60), ("drip", 60), ("large", 100),
              ("pipeline", 10), ("garbage", 100), ("mute", 5000), ("churn", 50), ("churn_half", 50))

    def scrape(self, source):
        done = self.host.run(["curl", "-s", "--noproxy", "*", "-m", "20", "--interface", source,
                              f"http://{self.METRICS}/metrics"], check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("thalweg_build_info{", done.stdout)
        return {found[1]: float(found[2]) for found in
                re.finditer(r'(?m)^thalweg_metrics_requests_total\{outcome="(\w+)"\} (\S+)$', done.stdout)}

    def crowd(self, how, count, source):
        address = self.METRICS.rpartition(":")[0].strip("[]")
        crowd = self.host.start(["python3", "-c", ROUGH, how, address, source, count])
        crowd.wait_log("there", 60)
        return crowd

    def test_whatever_a_crowd_does_others_are_answered_at_once(self):
        mine = self.METRICS.rpartition(":")[0].strip("[]")
        for how, count in self.CROWDS:
            with self.subTest(how=how, count=count):
                crowd = self.crowd(how, count, mine)
                for source in (self.OTHER, mine) * 5:
                    self.in_time(lambda source=source: self.scrape(source))
                self.assertIsNone(crowd.exit_code)
                crowd.end()
        counts = self.scrape(self.OTHER)
        self.assertGreaterEqual(counts["displaced"], 500 - 64)
        self.assertGreaterEqual(counts["answered"], 10 * len(self.CROWDS))
        for outcome in ("too_large", "malformed"):
            self.assertGreater(counts[outcome], 0, outcome)
        again = json.loads(self.ask("status", "--json").stdout)["metrics_requests"]
        self.assertEqual(again["too_large"], counts["too_large"])

    def test_a_half_sent_request_ends_in_time(self):
        crowd = self.crowd("half", 5, self.OTHER)
        lib.wait_until(lambda: self.scrape(self.OTHER)["slow_request"] == 5, "their time to be over", 10)
        crowd.end()
        self.assertEqual(self.ask("status").stdout.count("metrics: "), 1)

    def test_a_scraper_keeps_its_connection(self):
        url = f"http://{self.METRICS}/metrics"
        curl = ["curl", "-s", "--noproxy", "*", "-o", "/dev/null"]
        done = self.host.run([*curl, "-w", "%{num_connects}\n", url, *["-o", "/dev/null", url] * 2])
        self.assertEqual(done.stdout.split(), ["1", "0", "0"])
        for words, code in ((["/"], "404"), (["/metrics", "-XPOST"], "405"), (["/metrics", "-I"], "200")):
            words[0] = f"http://{self.METRICS}{words[0]}"
            done = self.host.run([*curl, "-w", "%{http_code}", *words])
            self.assertEqual(done.stdout, code)


class MetricsFromMany(Metrics):
    """Every connection of the crowd has an address of its own."""

    CROWDS = (("half", 500), ("slow_readers", 100), ("drip", 100))

    def crowd(self, how, count, source):
        return super().crowd(how, count, "many")

    def test_whatever_a_crowd_does_others_are_answered_at_once(self):
        for how, count in self.CROWDS:
            with self.subTest(how=how):
                crowd = self.crowd(how, count, None)
                for _ in range(10):
                    self.in_time(lambda: self.scrape(self.OTHER))
                crowd.end()


class Metrics6(Metrics):
    METRICS = "[::1]:9586"
    OTHER = "::1"


class Sockets(AskerCase):
    """The control socket and the UAPI's, beside scripts that are stuck at either."""

    def setUp(self):
        super().setUp()
        self.sockets = (f"{self.folder}/node.sock", f"/var/run/wireguard/{self.interface}.sock")

    def reload(self):
        before = self.node.log().count("reloaded")
        self.node.signal(signal.SIGHUP)
        lib.wait_until(lambda: self.node.log().count("reloaded") > before, "the reload")

    def is_served(self):
        """All that an operator does works, and soon."""
        self.in_time(lambda: self.ask("status"))
        shown = self.in_time(lambda: lib.wg(self.host, "show", self.interface))
        self.assertIn("listening port: 51820", shown)
        self.in_time(self.reload)
        anna = self.host.run(["wg", "show", self.interface, "peers"]).stdout.strip()
        words = ("set", self.interface, "peer", anna, "persistent-keepalive", 25)
        self.in_time(lambda: lib.wg(self.host, *words))

    def test_a_stuck_script_stops_nobody(self):
        for how in ("mute", "half", "unread", "garbage"):
            for path in self.sockets:
                with self.subTest(how=how, path=path):
                    stuck = self.host.start(["python3", "-c", STUCK, how, path, 1000])
                    stuck.wait_log("there", 60)
                    self.is_served()
                    self.assertIsNone(stuck.exit_code)
                    stuck.end()

    def test_who_asks_late_keeps_his_place(self):
        """It is the script's own connections that make way for its further ones."""
        for path, asks, answer in zip(self.sockets, ('{"command":"no"}\n', "get=1\n\n"),
                                      ("unknown command", "listen_port=51820")):
            stuck = self.host.start(["python3", "-c", STUCK, "half", path, 100])
            stuck.wait_log("there", 60)
            self.assertIn(answer, self.host.run(["python3", "-c", SLOW, path, asks]).stdout)
            stuck.end()

    def test_they_are_roots_only(self):
        nobody = ("import os, socket, sys\nos.setuid(65534)\n"
                  "socket.socket(socket.AF_UNIX).connect(sys.argv[1])\n")
        os.chmod(self.folder, 0o755)
        for path in self.sockets:
            done = self.host.run(["python3", "-c", nobody, path], check=False)
            self.assertIn("PermissionError", done.stderr)


if __name__ == "__main__":
    lib.main()
