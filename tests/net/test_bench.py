"""bench/tunnel and bench/relay measure who competes, say so in JSON, and leave nothing behind."""

import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import unittest

import lib
from lib.bench import BENCH, BenchTest, bench


class Tunnel(BenchTest):
    def test_figures_of_both_daemons(self):
        path = pathlib.Path(self.net.folder, "run.json")
        page = pathlib.Path(self.net.folder, "run.html")
        process = self.start(bench("tunnel"), "--quick", "--only", "tcp-1", "--seconds", "1", "--json", path,
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
        done = subprocess.run([*bench("tunnel"), "--without", "wireguard-go", "--daemon", "broken=false",
                               "--only", "tcp-1", "--runs", "1", "--seconds", "1", "--json", "-"],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        [entry] = json.loads(done.stdout)["scenarios"]
        self.assertGreater(entry["results"]["thalweg"]["metrics"]["gbps"]["median"], 0)
        [failed] = entry["results"]["broken"]["runs"]
        self.assertIn("ended with 1", failed["failed"])

    def test_interrupted(self):
        path = pathlib.Path(self.net.folder, "run.json")
        process = self.start(bench("tunnel"), "--only", "tcp-1", "--seconds", "60", "--json", path)
        self.interrupt(process, "iperf3", path)

    def test_refuses(self):
        self.assert_refuses(bench("tunnel"), (
            (["--only", "no-such"], "no-such"), (["--daemon", "nothing"], "nothing"),
            (["--thalweg", "/no/such"], "cmake --preset release"), (["--runs", "0"], "--runs"),
            (["--seconds", "nan"], "--seconds")))


class Relay(BenchTest):
    def measured(self, *arguments):
        """{scenario: its results} of a run that succeeds, and its whole record."""
        path = pathlib.Path(self.net.folder, "run.json")
        process = self.start(bench("relay"), "--runs", "1", "--seconds", "1", "--idle", "100", "--json", path,
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
                                   (run["exchange_p50_us"] - run["plain_p50_us"]) / 2,
                                   delta=2e-5 * run["exchange_p50_us"])
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
        process = self.start(bench("relay"), "--only", "bulk-1", "--without", "thalweg", "--seconds", "60",
                             "--json", path)
        self.interrupt(process, "haproxy", path)

    def test_refuses(self):
        self.assert_refuses(bench("relay"), (
            (["--only", "no-such"], "no-such"), (["--without", "nobody"], "nobody"),
            (["--thalweg", "/no/such"], "cmake --preset release"), (["--idle", "0"], "--idle"),
            (["--relay-toml", "/no/such"], "/no/such")))


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
