"""`thalweg lab wan`: every configuration comes up, delivers what it must, and nothing stays behind."""

import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

import test_demo
from lib import case
from lib.process import wait_until

ALL = ("end-to-end", "end-to-end+fast-open", "routed", "ssh", "haproxy", "split", "+early-syn",
       "+warm-legs", "+turbo", "+fast-open", "+fast-open-server")
NEEDS_MORE = ("ssh", "haproxy")  # programs that may not be installed
SHORT_WAY = ("--rtt", "2,10,2", "--warmups", "0")


class Wan(test_demo.Demo):
    """A running experiment and the traces that its pid would leave."""

    command = ("lab", "wan")


class WanTest(unittest.TestCase):
    def setUp(self):
        self.before = test_demo.machine_state()

    def check_clean(self, wan):
        self.assertEqual(wan.traces(), [], wan.said())
        self.assertEqual(test_demo.machine_state(), self.before)

    def report_of(self, *arguments, timeout=120):
        with Wan(*arguments, "--json") as wan:
            wan.wait_namespaces()
            code = wan.popen.wait(timeout)
            self.assertEqual(code, 0, wan.said())
            self.check_clean(wan)
            return json.loads(wan.printed())

    def check_row(self, row, runs=1):
        self.assertIs(row["sha256_ok"], True, row)
        self.assertEqual(row["failed"], 0, row)
        for metric in ("ttfb_ms", "total_ms"):
            spread = row[metric]
            self.assertEqual(spread["count"], runs)
            self.assertLessEqual(spread["min"], spread["median"])
            self.assertLessEqual(spread["median"], spread["max"])
            self.assertGreater(row["model"][metric], 0)
            # No way is faster than light.
            self.assertGreaterEqual(spread["min"], row["ideal"]["ttfb_ms"] - 1)
        self.assertLessEqual(row["ttfb_ms"]["median"], row["total_ms"]["median"])

    def test_tiny_run(self):
        report = self.report_of("--sizes", "10KB", "--configurations", "split,end-to-end", "--runs", "1",
                                "--warmups", "1")
        for link, nominal in (("client_rc", 32.7), ("rc_rs", 215), ("rs_server", 26)):
            self.assertAlmostEqual(report["rtt_ms"][link], nominal, delta=1.5)
        rows = {row["configuration"]: row for row in report["downloads"]}
        self.assertEqual(set(rows), {"end-to-end", "split"})
        for row in rows.values():
            self.check_row(row)
            # A handshake and a request, each over the whole way, in whatever pieces.
            self.assertAlmostEqual(row["model"]["ttfb_ms"], 547.4, delta=3)
            self.assertGreater(row["ttfb_ms"]["median"], 540)
        self.assertNotIn("cpu_ms_per_mb", rows["end-to-end"])
        self.assertGreater(rows["split"]["cpu_ms_per_mb"], 0)
        self.assertNotIn("system_calls_per_mb", rows["end-to-end"])
        # On two hosts a connection is taken, made, watched, moved and closed.
        self.assertGreater(rows["split"]["system_calls_per_mb"] / 100, 20)
        self.assertEqual([run["counted"] for run in report["runs"]], [False, False, True, True])

    def test_every_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.html"
            report = self.report_of("--sizes", "10KB,200KB", "--runs", "2", *SHORT_WAY, "--html", str(page))
            text = page.read_text(encoding="utf-8")
        for name in report["skipped"]:
            self.assertIn(name, NEEDS_MORE)
        rows = {(row["bytes"], row["configuration"]): row for row in report["downloads"]}
        run = [name for name in ALL if name not in report["skipped"]]
        self.assertEqual(set(rows), {(size, name) for size in (10_000, 200_000) for name in run})
        for row in rows.values():
            self.check_row(row, runs=2)
        self.assertIn("server cubic, client cubic", report["environment"]["congestion control"])
        self.assertIn('"configuration":"+turbo"', text)
        self.assertNotIn("@REPORT@", text)
        self.assertNotRegex(text, "@[A-Z]+_(JS|CSS)@")

    def test_loss_and_rate_are_those_of_the_link(self):
        report = self.report_of("--sizes", "300KB", "--runs", "1", "--configurations", "end-to-end",
                                *SHORT_WAY, "--rate", "100,8,100", "--loss", "middle=2%")
        row = report["downloads"][0]
        self.check_row(row)
        self.assertGreater(row["total_ms"]["median"], 300)  # 300 KB at 8 Mbps
        self.assertGreater(row["retransmitted_percent"], 0)

    def test_the_pops_speak_what_they_are_told(self):
        with Wan("--sizes", "50MB", "--runs", "1", "--configurations", "+turbo", *SHORT_WAY, "--rate",
                 "100", "--pop-congestion", "reno", "--json") as wan:
            spoken = {}

            def both_halves():  # of the download, on R_C: a leg ends at the other overlay address
                rc = f"thalweg-{wan.popen.pid}-rc"
                said = subprocess.run(["ip", "netns", "exec", rc, "ss", "-tinOH"], text=True,
                                      capture_output=True, check=False).stdout
                for line in said.splitlines():
                    if (name := re.search(r" (reno|cubic) wscale", line)):
                        spoken["leg" if " 10.99.1.1:" in line else "client"] = name[1]
                return len(spoken) == 2
            wait_until(both_halves, "a download", 30)
            self.assertEqual(spoken, {"client": "reno", "leg": "cubic"})
            self.assertEqual(wan.popen.wait(60), 0, wan.said())
            self.check_clean(wan)
            self.assertEqual(json.loads(wan.printed())["environment"]["PoPs"],
                             "reno towards client and server, cubic on the relay's legs")

    def test_interrupt_leaves_what_was_measured_and_nothing_else(self):
        with Wan("--sizes", "10KB", "--runs", "500", "--configurations", "end-to-end,+turbo",
                 *SHORT_WAY, "--json") as wan:
            wan.wait_said("run 3 of 500")
            wan.popen.send_signal(signal.SIGINT)
            self.assertEqual(wan.popen.wait(30), 130, wan.said())
            self.check_clean(wan)
            report = json.loads(wan.printed())
        self.assertIs(report["interrupted"], True)
        self.assertGreaterEqual(report["downloads"][0]["total_ms"]["count"], 2)

    def test_refusals_name_the_option(self):
        for arguments, code, words in (
                (["--configurations", "sideways"], 2, "configurations"), (["--rtt", "1,2"], 2, "rtt"),
                (["--rate", "1,2"], 2, "--rate: one for all links"), (["--runs", "0"], 2, "runs"),
                (["--loss", "client=x"], 2, "--loss"), (["--paper", "/no/such.csv"], 1, "--paper"),
                (["--html", "/no/such/folder/x.html"], 1, "--html: cannot write /no/such/folder")):
            with self.subTest(arguments), Wan(*arguments) as wan:
                self.assertEqual(wan.popen.wait(20), code, wan.said())
                self.assertIn(words, wan.said() + wan.printed())
                self.check_clean(wan)


if __name__ == "__main__":
    sys.exit(case.main())
