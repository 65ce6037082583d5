"""bench/tunnel: it measures both daemons, says so in JSON, and leaves nothing behind."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import lib

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
SOCKETS = pathlib.Path("/var/run/wireguard")


def tunnel():
    """The command, with the build under test as its Thalweg."""
    return [sys.executable, "-B", BENCH / "tunnel", "--thalweg", os.environ["TW_BIN"]]


class Tunnel(lib.NetTest):
    def start(self, *arguments):
        """bench/tunnel on the build under test. Its log is stdout and stderr together."""
        return self.net.start([*tunnel(), *arguments], name="bench-tunnel")

    def leftovers(self, pid):
        """What the run of that pid has made and is still there."""
        listing = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        spaces = [line.split()[0] for line in listing.splitlines() if line.startswith(f"twt-{pid}-")]
        return spaces + [path.name for path in SOCKETS.glob(f"tw{pid}n*")]

    def assert_nothing_left(self, process):
        lib.wait_until(lambda: not self.leftovers(process.pid), f"{self.leftovers(process.pid)} to go")

    def test_figures_of_both_daemons(self):
        path = pathlib.Path(self.net.folder, "run.json")
        page = pathlib.Path(self.net.folder, "run.html")
        process = self.start("--quick", "--only", "tcp-1", "--seconds", "1", "--json", path, "--html", page)
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
        process = self.start("--only", "tcp-1", "--seconds", "60", "--json", path)
        lib.wait_until(lambda: self.running(process.pid, "iperf3"), "iperf3 to run", 60)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 128 + signal.SIGTERM)
        self.assertIs(json.loads(path.read_text(encoding="utf-8"))["interrupted"], True)
        self.assert_nothing_left(process)

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

    def test_refuses(self):
        for arguments, words in ((["--only", "no-such"], "no-such"), (["--daemon", "nothing"], "nothing"),
                                 (["--thalweg", "/no/such"], "cmake --preset release"),
                                 (["--runs", "0"], "--runs"), (["--seconds", "nan"], "--seconds")):
            begin = time.monotonic()
            done = subprocess.run([*tunnel(), *arguments], capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(words, done.stderr)
            self.assertLess(time.monotonic() - begin, 30, "it has begun to measure")


class Arithmetic(unittest.TestCase):
    def test_units(self):
        words = [sys.executable, "-B", "-m", "unittest", "-v", "measure.measure_test"]
        done = subprocess.run(words, cwd=BENCH, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


lib.main()
