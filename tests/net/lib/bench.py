"""What the tests of bench/* have in common: a command is started, interrupted, and leaves nothing."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from .case import NetTest
from .process import wait_until

BENCH = pathlib.Path(__file__).resolve().parents[3] / "bench"
SOCKETS = pathlib.Path("/var/run/wireguard")


def bench(name, *arguments):
    """A command of bench, with the build under test as its Thalweg."""
    return [sys.executable, "-B", BENCH / name, "--thalweg", os.environ["TW_BIN"], *arguments]


class BenchTest(NetTest):
    def start(self, command, *arguments):
        """A command of bench. Its log is stdout and stderr together."""
        return self.net.start([*command, *arguments], name="bench")

    def leftovers(self, pid):
        """What the run of that pid has made and is still there."""
        listing = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        spaces = [line.split()[0] for line in listing.splitlines() if line.startswith(f"twt-{pid}-")]
        return spaces + [path.name for path in SOCKETS.glob(f"tw{pid}n*")]

    def assert_nothing_left(self, process):
        wait_until(lambda: not self.leftovers(process.pid), f"{self.leftovers(process.pid)} to go")

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
        wait_until(lambda: self.running(process.pid, program), f"{program} to run", 60)
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
