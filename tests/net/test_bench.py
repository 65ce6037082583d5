"""bench/tunnel, relay, pop, legs: they measure who competes, say so in JSON, and leave nothing behind."""

import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

import lib

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
SOCKETS = pathlib.Path("/var/run/wireguard")


def tunnel():
    """The command, with the build under test as its Thalweg."""
    return [sys.executable, "-B", BENCH / "tunnel", "--thalweg", os.environ["TW_BIN"]]


def relay():
    """The same of the other command."""
    return [sys.executable, "-B", BENCH / "relay", "--thalweg", os.environ["TW_BIN"]]


def pop():
    """And of the third, without what makes its runs longer than they need to be here."""
    return [sys.executable, "-B", BENCH / "pop", "--thalweg", os.environ["TW_BIN"], "--warm-up", "0"]


def legs():
    """And of the fourth, with less to bring at first."""
    return [sys.executable, "-B", BENCH / "legs", "--thalweg", os.environ["TW_BIN"], "--first-mb", "1"]


class BenchTest(lib.NetTest):
    def start(self, command, *arguments):
        """A command of bench. Its log is stdout and stderr together."""
        return self.net.start([*command, *arguments], name="bench")

    def leftovers(self, pid):
        """What the run of that pid has made and is still there."""
        listing = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        spaces = [line.split()[0] for line in listing.splitlines() if line.startswith(f"twt-{pid}-")]
        return spaces + [path.name for path in SOCKETS.glob(f"tw{pid}n*")]

    def assert_nothing_left(self, process):
        lib.wait_until(lambda: not self.leftovers(process.pid), f"{self.leftovers(process.pid)} to go")

    def running(self, pid, name):
        """Whether a program of that name runs in a namespace of that run."""
        for space in (one for one in self.leftovers(pid) if one.startswith("twt-")):
            pids = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True, check=False)
            for one in pids.stdout.split():
                try:
                    if pathlib.Path(f"/proc/{one}/comm").read_text(encoding="utf-8").strip() == name:
                        return True
                except OSError:
                    pass  # it has ended meanwhile
        return False

    def interrupt(self, process, program, path):
        """Ends a run that has begun, when that program of it runs."""
        lib.wait_until(lambda: self.running(process.pid, program), f"{program} to run", 60)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 128 + signal.SIGTERM)
        self.assertIs(json.loads(path.read_text(encoding="utf-8"))["interrupted"], True)
        self.assert_nothing_left(process)

    def assert_refuses(self, command, cases):
        """At once, with words that say what is wrong."""
        for arguments, words in cases:
            begin = time.monotonic()
            done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(words, done.stderr)
            self.assertLess(time.monotonic() - begin, 30, "it has begun to measure")


class Tunnel(BenchTest):
    def test_figures_of_both_daemons(self):
        path = pathlib.Path(self.net.folder, "run.json")
        page = pathlib.Path(self.net.folder, "run.html")
        process = self.start(tunnel(), "--quick", "--only", "tcp-1", "--seconds", "1", "--json", path,
                             "--html", page)
        self.assertEqual(process.wait(120), 0)
        told = json.loads(path.read_text(encoding="utf-8"))
        self.assertEqual(told["daemons"], ["thalweg", "wireguard-go"])
        self.assertIs(told["interrupted"], False)
        [entry] = told["scenarios"]
        for daemon in told["daemons"]:
            metrics = entry["results"][daemon]["metrics"]
            for name in ("gbps", "sender_cpu_s_per_gb", "receiver_cpu_s_per_gb", "machine_cpu_s_per_gb"):
                self.assertGreater(metrics[name]["median"], 0, f"{name} of {daemon}")
        self.assertGreater(entry["results"]["wireguard-go"]["ratios"]["gbps"], 0)
        self.assertTrue(told["targets"]["checked"])
        self.assertIn("<svg", page.read_text(encoding="utf-8"))
        self.assert_nothing_left(process)

    def test_json_alone_on_stdout(self):
        """And a daemon that does not start is a failure of its own, not the end."""
        done = subprocess.run([*tunnel(), "--without", "wireguard-go", "--daemon", "broken=false",
                               "--only", "tcp-1", "--runs", "1", "--seconds", "1", "--json", "-"],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        [entry] = json.loads(done.stdout)["scenarios"]
        self.assertGreater(entry["results"]["thalweg"]["metrics"]["gbps"]["median"], 0)
        [failed] = entry["results"]["broken"]["runs"]
        self.assertIn("ended with 1", failed["failed"])

    def test_interrupted(self):
        path = pathlib.Path(self.net.folder, "run.json")
        process = self.start(tunnel(), "--only", "tcp-1", "--seconds", "60", "--json", path)
        self.interrupt(process, "iperf3", path)

    def test_refuses(self):
        self.assert_refuses(tunnel(), (
            (["--only", "no-such"], "no-such"), (["--daemon", "nothing"], "nothing"),
            (["--thalweg", "/no/such"], "cmake --preset release"), (["--runs", "0"], "--runs"),
            (["--seconds", "nan"], "--seconds")))


class Relay(BenchTest):
    def measured(self, *arguments):
        """{scenario: its results} of a run that succeeds, and its whole record."""
        path = pathlib.Path(self.net.folder, "run.json")
        process = self.start(relay(), "--runs", "1", "--seconds", "1", "--idle", "100", "--json", path,
                             *arguments)
        self.assertEqual(process.wait(300), 0)
        self.assert_nothing_left(process)
        told = json.loads(path.read_text(encoding="utf-8"))
        return {entry["name"]: entry["results"] for entry in told["scenarios"]}, told

    def assert_measured(self, results, scenario, competitor, *names):
        runs = results[scenario][competitor]["runs"]
        self.assertNotIn("failed", runs[0], f"{scenario} of {competitor}")
        for name in names:
            self.assertGreater(runs[0][name], 0, f"{name} of {competitor}")

    def test_figures_of_every_kind(self):
        results, told = self.measured("--only", "bulk-1,connect-*,idle", "--without", "nginx",
                                      "--without", "socat", "--parallel", "8")
        self.assertEqual([one for one in told["daemons"] if one != "thalweg"], ["haproxy", "bare", "direct"])
        for who in told["daemons"]:
            self.assert_measured(results, "bulk-1", who, "gbps", "machine_cpu_s_per_gb")
            self.assert_measured(results, "connect-1", who, "latency_p50_us", "connections_per_s")
            self.assert_measured(results, "connect-8", who, "machine_cpu_us_per_connection")
            self.assert_measured(results, "idle", who, "idle_connections")
            # Of so few connections the kernel's part is not far above the machine's noise.
            self.assertIn("kernel_kb", results["idle"][who]["runs"][0])
        for who in told["daemons"][:-1]:
            self.assert_measured(results, "bulk-1", who, "relay_cpu_s_per_gb")
            self.assert_measured(results, "connect-1", who, "plain_p50_us", "relay_cpu_us_per_connection")
        # It keeps a session and two streams for each.
        self.assertGreater(results["idle"]["haproxy"]["runs"][0]["user_rss_kb"], 1)

    def test_single_bytes(self):
        results, told = self.measured("--only", "interactive*", "--without", "nginx", "--without", "socat")
        for who in told["daemons"]:
            self.assert_measured(results, "interactive", who, "exchanges", "exchange_p50_us")
            self.assert_measured(results, "interactive", who, "forwarding_p50_us")
            self.assert_measured(results, "interactive-beside-bulk", who, "exchange_p99_us",
                                 "forwarding_p50_us", "beside_gbps")
        for who in told["daemons"][:-1]:
            run = results["interactive"][who]["runs"][0]
            # Both forwardings are parts of the exchange.
            self.assertLess(run["forwarding_p50_us"], run["exchange_p50_us"])
            self.assertAlmostEqual(run["added_one_way_p50_us"],
                                   (run["exchange_p50_us"] - run["plain_p50_us"]) / 2, places=3)
        self.assertNotIn("added_one_way_p50_us", results["interactive"]["direct"]["runs"][0])

    def test_the_other_relays_carry_what_is_measured(self):
        results, _ = self.measured("--only", "connect-1,idle", "--without", "thalweg",
                                   "--without", "haproxy")
        for who in ("nginx", "socat", "bare", "direct"):
            self.assert_measured(results, "connect-1", who, "connections_per_s")
            self.assertEqual(results["connect-1"][who]["runs"][0]["failed_share"], 0)
            self.assert_measured(results, "idle", who, "idle_connections")

    def test_interrupted(self):
        path = pathlib.Path(self.net.folder, "run.json")
        process = self.start(relay(), "--only", "bulk-1", "--without", "thalweg", "--seconds", "60",
                             "--json", path)
        self.interrupt(process, "haproxy", path)

    def test_refuses(self):
        self.assert_refuses(relay(), (
            (["--only", "no-such"], "no-such"), (["--without", "nobody"], "nobody"),
            (["--thalweg", "/no/such"], "cmake --preset release"), (["--idle", "0"], "--idle"),
            (["--relay-toml", "/no/such"], "/no/such")))


class Pop(BenchTest):
    OTHER = "wireguard-go+haproxy"

    def measured(self, *arguments):
        """{scenario: {pair: its only run}} of a run that succeeds, and its whole record."""
        path = pathlib.Path(self.net.folder, "run.json")
        process = self.start(pop(), "--runs", "1", "--seconds", "1", "--parallel", "8", "--json", path,
                             *arguments)
        self.assertEqual(process.wait(300), 0)
        self.assert_nothing_left(process)
        told = json.loads(path.read_text(encoding="utf-8"))
        runs = {entry["name"]: {who: result["runs"][0] for who, result in entry["results"].items()}
                for entry in told["scenarios"]}
        for name, by_whom in runs.items():
            self.assertEqual(list(by_whom), told["daemons"])
            for who, run in by_whom.items():
                self.assertNotIn("failed", run, f"{name} of {who}")
        return runs, told

    def test_figures_of_every_pair(self):
        runs, told = self.measured("--only", "bulk-4,bulk-1-up-off")
        self.assertEqual(told["daemons"], ["thalweg", self.OTHER, "thalweg-wg+haproxy", "routed", "wire"])
        for by_whom in runs.values():
            for who, run in by_whom.items():
                self.assertGreater(run["gbps"], 0)
                self.assertGreater(run["machine_cpu_s_per_gb"], 0)
                if who != "wire":
                    self.assertGreater(run["first_cpu_s_per_gb"], 0, who)
                    self.assertAlmostEqual(run["pops_cpu_s_per_gb"], places=4,
                                           second=run["first_cpu_s_per_gb"] + run["last_cpu_s_per_gb"])
            # Debian's is from 2022.
            self.assertLess(by_whom[self.OTHER]["pops_scaled_cpu_s_per_gb"],
                            by_whom[self.OTHER]["pops_cpu_s_per_gb"])
        self.assertEqual(len(told["targets"]["checked"]), 6)

    def test_far_and_with_company(self):
        """Two Thalwegs, a link of 20 ms, a hog, our own client."""
        runs, told = self.measured("--only", "bulk-1-20ms,connect-8-20ms,rtt-bulk", "--competing", "1",
                                   "--client", "thalweg", "--also", f"again={os.environ['TW_BIN']}",
                                   "--without", "thalweg-wg+haproxy", "--without", self.OTHER)
        self.assertEqual(told["daemons"], ["thalweg", "again", "routed", "wire"])
        for who in told["daemons"]:
            self.assertGreater(runs["bulk-1-20ms"][who]["link_cpu_s_per_gb"], 0)
            self.assertGreaterEqual(runs["bulk-1-20ms"][who]["link_dropped"], 0)
            self.assertGreater(runs["connect-8-20ms"][who]["latency_p50_us"], 20_000)
            self.assertGreater(runs["rtt-bulk"][who]["rtt_p99_us"], 0)
            self.assertGreater(runs["rtt-bulk"][who]["beside_gbps"], 0)
        self.assertGreater(runs["bulk-1-20ms"]["again"]["last_learned_mbps"], 0)

    def test_cpus_that_are_taken_away(self):
        runs, _ = self.measured("--only", "bursts", "--without", "thalweg-wg+haproxy", "--without", "wire")
        for who in ("thalweg", self.OTHER, "routed"):
            self.assertGreaterEqual(runs["bursts"][who]["resent_per_gb"], 0)

    def test_interrupted(self):
        path = pathlib.Path(self.net.folder, "run.json")
        process = self.start(pop(), "--only", "bulk-1-20ms", "--without", "thalweg", "--seconds", "60",
                             "--json", path)
        self.interrupt(process, "iperf3", path)

    def test_refuses(self):
        self.assert_refuses(pop(), (
            (["--only", "no-such"], "no-such"), (["--without", "nobody"], "nobody"),
            (["--thalweg", "/no/such"], "cmake --preset release"), (["--competing", "-1"], "--competing"),
            (["--also", "thalweg=true"], "a name of its own"), (["--client", "/no/such"], "--client"),
            (["--programs", "/no/such"], "--programs"), (["--relay-toml", "/no/such"], "/no/such")))


class Legs(BenchTest):
    def measured(self, *arguments):
        """The whole record of a run that succeeds."""
        path = pathlib.Path(self.net.folder, "run.json")
        process = self.start(legs(), "--runs", "1", "--seconds", "2", "--json", path, *arguments)
        self.assertEqual(process.wait(300), 0)
        self.assert_nothing_left(process)
        return json.loads(path.read_text(encoding="utf-8"))

    def test_figures_of_a_pair(self):
        told = self.measured("--only", "200M", "--rtt-ms", "20")
        self.assertEqual(told["daemons"], ["thalweg", "unpaced"])
        [entry] = told["scenarios"]
        for who in told["daemons"]:
            [run] = entry["results"][who]["runs"]
            self.assertNotIn("failed", run, who)
            self.assertGreater(run["leg_mbps"], 0)
            self.assertGreater(run["first_s"], 0)
            self.assertGreaterEqual(run["later_resent_share"], 0)
        self.assertGreater(entry["pairs"]["thalweg"]["mean"], 0)
        self.assertEqual(len(told["targets"]["checked"]), 2)

    def test_two_senders_and_a_rate_that_changes(self):
        told = self.measured("--only", "two-to-one,rises", "--rtt-ms", "20", "--without", "unpaced")
        for entry in told["scenarios"]:
            [run] = entry["results"]["thalweg"]["runs"]
            self.assertNotIn("failed", run, entry["name"])
            self.assertGreater(run["leg_mbps"], 0)

    def test_interrupted(self):
        path = pathlib.Path(self.net.folder, "run.json")
        process = self.start(legs(), "--only", "200M", "--seconds", "60", "--json", path)
        self.interrupt(process, "iperf3", path)

    def test_refuses(self):
        self.assert_refuses(legs(), (
            (["--only", "no-such"], "no-such"), (["--without", "nobody"], "nobody"),
            (["--thalweg", "/no/such"], "cmake --preset release"), (["--from", "30"], "--from"),
            (["--also", "unpaced=true"], "a name of its own"), (["--programs", "/no/such"], "--programs")))


class Bare(lib.NetTest):
    """The measuring stick must carry what it is measured with: whole, both ways, and each to its end."""

    def setUp(self):
        super().setUp()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.server.close)
        self.server.settimeout(30)
        self.port = self.server.getsockname()[1]
        program = pathlib.Path(os.environ["TW_BIN"]).parent / "bench/bench_load"
        self.process = self.net.start([program, "pass", "127.0.0.2", "127.0.0.1", self.port], name="bare")
        self.process.wait_log("^ready$")

    def pair(self):
        """Both ends of a connection through it."""
        client = socket.create_connection(("127.0.0.2", self.port), timeout=30)
        server = self.server.accept()[0]
        server.settimeout(30)
        for end in (client, server):
            self.addCleanup(end.close)
        return client, server

    def send_all(self, end, data):
        """Meanwhile, and then this direction is over."""
        def send():
            end.sendall(data)
            end.shutdown(socket.SHUT_WR)
        thread = threading.Thread(target=send)
        thread.start()
        self.addCleanup(thread.join)

    def receive_all(self, end):
        return b"".join(iter(lambda: end.recv(100_000), b""))

    def test_bytes_and_both_ends_arrive(self):
        """One direction after the other."""
        for size in (0, 1, 1024, 65_536, 65_537, 40_000_000):
            client, server = self.pair()
            there, back = os.urandom(size), os.urandom(size)
            self.send_all(client, there)
            self.assertEqual(self.receive_all(server), there)
            self.send_all(server, back)
            self.assertEqual(self.receive_all(client), back)

    def test_neither_direction_waits_for_the_other(self):
        """More than the sockets between hold: the second is stuck until somebody begins to read."""
        client, server = self.pair()
        there, back = os.urandom(20_000_000), os.urandom(20_000_000)
        self.send_all(client, there)
        self.send_all(server, back)
        self.assertEqual(self.receive_all(server), there)
        self.assertEqual(self.receive_all(client), back)

    def test_a_reset_is_no_end(self):
        client, server = self.pair()
        server.sendall(b"a")
        self.assertEqual(client.recv(1), b"a")
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        self.assertRaises(ConnectionResetError, client.recv, 1)
        self.assertIsNone(self.process.exit_code)


class Arithmetic(unittest.TestCase):
    def test_units(self):
        words = [sys.executable, "-B", "-m", "unittest", "-v", "measure.measure_test", "measure.relay_test",
                 "measure.pop_test", "measure.leg_test"]
        done = subprocess.run(words, cwd=BENCH, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


lib.main()
