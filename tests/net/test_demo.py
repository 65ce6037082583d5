"""`thalweg demo`: what it finds, and that nothing stays behind, however it ends."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from lib import case, leftovers
from lib.process import SANITIZER_OPTIONS, wait_until

BIN = os.environ.get("TW_BIN", "thalweg")
NETNS = pathlib.Path("/run/netns")
PATHS = ("end-to-end", "tunnelled", "relayed")


def machine_state():
    """What the demonstration could leave in the initial namespace."""
    commands = (["ip", "-brief", "link"], ["ip", "rule"], ["ip", "route", "show", "table", "all"],
                ["nft", "list", "tables"],
                ["sysctl", "net.ipv4.ip_forward", "net.ipv4.tcp_allowed_congestion_control"])
    return {" ".join(command): subprocess.run(command, capture_output=True, text=True, check=True).stdout
            for command in commands}


def pids_in(inodes):
    """The processes in the network namespaces with these inodes."""
    pids = []
    for process in pathlib.Path("/proc").iterdir():
        try:
            if process.name.isdigit() and os.stat(process / "ns/net").st_ino in inodes:
                pids.append(int(process.name))
        except OSError:
            pass  # it has ended meanwhile
    return pids


class Demo:
    """A running demonstration and the traces that its pid would leave."""

    command = ("demo",)

    def __init__(self, *arguments):
        self.out = tempfile.TemporaryFile("w+")
        self.err = tempfile.TemporaryFile("w+")
        self.popen = subprocess.Popen(
            [BIN, *self.command, *arguments], stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
            env={**os.environ, **SANITIZER_OPTIONS}, start_new_session=True,
            preexec_fn=lambda: leftovers.die_with_parent(signal.SIGTERM))
        self.inodes = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.terminate()
            self.popen.wait(30)
        self.out.close()
        self.err.close()

    @staticmethod
    def _text(file):
        file.seek(0)
        return file.read()

    def printed(self):
        return self._text(self.out)

    def said(self):
        return self._text(self.err)

    def namespaces(self):
        found = list(NETNS.glob(f"thalweg-{self.popen.pid}-*")) if NETNS.is_dir() else []
        for path in found:
            try:
                self.inodes.add(os.stat(path).st_ino)
            except FileNotFoundError:
                pass
        return found

    def wait_namespaces(self):
        wait_until(lambda: len(self.namespaces()) == 5 or self.popen.poll() is not None,
                   "five namespaces", 20)
        # A name is there a moment before the namespace is mounted on it.
        wait_until(lambda: self.namespaces() and len(self.inodes) >= 5, "their inodes", 5)

    def wait_said(self, words, timeout=40):
        wait_until(lambda: words in self.said() or self.popen.poll() is not None, words, timeout)
        self.namespaces()

    def traces(self):
        """Everything on this machine that carries the run's pid."""
        pid = self.popen.pid
        found = [str(path) for path in self.namespaces()]
        found += [str(path) for path in pathlib.Path(tempfile.gettempdir()).glob(f"thalweg-{pid}-*")]
        for folder in ("/run/wireguard", "/run/thalweg"):
            found += [str(path) for path in pathlib.Path(folder).glob(f"twd{pid}*")]
        return found + [f"process {pid}" for pid in pids_in(self.inodes)]


class DemoTest(unittest.TestCase):
    def setUp(self):
        self.before = machine_state()

    def check_clean(self, demo):
        self.assertEqual(demo.traces(), [], demo.said())
        self.assertEqual(machine_state(), self.before)

    def interrupt(self, number, words):
        with Demo("--quick") as demo:
            demo.wait_said(words)
            self.assertIsNone(demo.popen.poll(), demo.said())
            demo.popen.send_signal(number)
            self.assertEqual(demo.popen.wait(20), 130, demo.said())
            self.assertIn("interrupted", demo.said())
            self.assertEqual(demo.printed(), "")
            self.check_clean(demo)

    def test_quick_run(self):
        with Demo("--quick", "--json") as demo:
            demo.wait_namespaces()
            self.assertEqual(demo.popen.wait(120), 0, demo.said())
            self.check_clean(demo)
            report = json.loads(demo.printed())
        self.check_report(report)

    def check_report(self, report):
        for link, nominal in (("client_rc", 32.7), ("rc_rs", 215), ("rs_server", 26)):
            self.assertAlmostEqual(report["rtt_ms"][link], nominal, delta=1.5)
        self.assertAlmostEqual(report["ideal_ttfb_ms"], 273.7, delta=4)
        rows = {(row["bytes"], row["path"]): row for row in report["downloads"]}
        self.assertEqual(set(rows), {(size, path) for size in (10_000, 1_000_000) for path in PATHS})
        for row in rows.values():
            self.assertIs(row["sha256_ok"], True, row)
            for metric in ("ttfb_ms", "total_ms"):
                spread = row[metric]
                self.assertLessEqual(spread["min"], spread["median"])
                self.assertLessEqual(spread["median"], spread["max"])
            self.assertLessEqual(row["ttfb_ms"]["median"], row["total_ms"]["median"])
        direct, relayed = rows[1_000_000, "end-to-end"], rows[1_000_000, "relayed"]
        self.assertGreaterEqual(direct["ttfb_ms"]["median"], 2 * report["ideal_ttfb_ms"] - 5)
        self.assertGreaterEqual(direct["total_ms"]["median"], 2 * relayed["total_ms"]["median"])
        self.assertIn("server cubic, client cubic", report["environment"]["congestion control"])
        self.assertEqual(len(report["runs"]), 3 * len(rows))

    def test_page_and_table(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.html"
            arguments = ("--runs", "1", "--sizes", "10KB", "--paths", "end-to-end", "--html", page)
            with Demo(*map(str, arguments)) as demo:
                self.assertEqual(demo.popen.wait(60), 0, demo.said())
                self.assertIn("10 KB", demo.printed())
                self.check_clean(demo)
            text = page.read_text(encoding="utf-8")
            self.assertEqual(os.listdir(folder), ["page.html"])
        self.assertIn('"path":"end-to-end"', text)
        self.assertNotRegex(text, "@[A-Z]+_(JS|CSS)@")
        self.assertNotIn("@REPORT@", text)
        self.assertNotRegex(text, r"<(script|link|img)[^>]+(src|href)=")

    def test_interrupts_at_different_moments(self):
        self.interrupt(signal.SIGINT, "building hosts")
        self.interrupt(signal.SIGHUP, "starting the server")
        self.interrupt(signal.SIGTERM, "[2/")

    def test_killed_run_is_cleaned_up_by_the_next(self):
        # A program that lives may be a run, whatever its name: what has its pid stays.
        living = self.enterContext(tempfile.TemporaryDirectory(prefix=f"thalweg-{os.getpid()}-"))
        with Demo("--quick") as demo:
            demo.wait_said("[2/")
            demo.popen.kill()
            demo.popen.wait(10)
            # The programs it had started are told to end by the kernel.
            wait_until(lambda: not pids_in(demo.inodes), "the programs ended", 15)
            self.assertEqual(len(demo.namespaces()), 5)
            with Demo("--runs", "1", "--sizes", "10KB", "--paths", "end-to-end") as after:
                self.assertEqual(after.popen.wait(60), 0, after.said())
                self.assertIn("removed what a killed run had left", after.said())
                self.assertNotIn(f"thalweg-{os.getpid()}-", after.said())
                self.assertTrue(os.path.isdir(living))
                self.check_clean(after)
            self.check_clean(demo)

    def test_refusals_are_one_clear_error(self):
        for arguments, code, words in (
                (["--html", "/no/such/folder/x.html"], 1, "cannot write /no/such/folder"),
                (["--paths", "sideways"], 2, "sideways"), (["--sizes", "0"], 2, "sizes"),
                (["--runs", "0"], 2, "runs")):
            with self.subTest(arguments), Demo(*arguments) as demo:
                self.assertEqual(demo.popen.wait(20), code)
                self.assertIn(words, demo.said() + demo.printed())
                self.check_clean(demo)

    def test_without_root(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            program = shutil.copy(BIN, folder)
            done = subprocess.run([program, "demo", "--quick"], user=65534, group=65534, extra_groups=[],
                                  capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"^thalweg demo: .*needs root.*\n$")


if __name__ == "__main__":
    sys.exit(case.main())
