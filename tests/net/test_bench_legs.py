"""bench/legs, which measures how legs start: the same as of the others in test_bench.py."""

import json
import pathlib

import lib
from lib.bench import BenchTest, bench


def legs():
    """With less to bring at first."""
    return bench("legs", "--first-mb", "1")


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
        # The far PoP sends, on legs that it has accepted and that have waited: those are resumed, too.
        [run] = entry["results"]["thalweg"]["runs"]
        self.assertGreater(sum(run[f"starts_{what}"] for what in ("passed", "failed", "undecided")), 0)
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


lib.main()
