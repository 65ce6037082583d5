"""bench/pop, which measures the whole path: the same as of the others in test_bench.py."""

import json
import os
import pathlib

import lib
from lib.bench import BenchTest, bench


def pop():
    """Without what makes its runs longer than they need to be here."""
    return bench("pop", "--warm-up", "0")


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
                    both = run["first_cpu_s_per_gb"] + run["last_cpu_s_per_gb"]
                    # Figures are written with six digits, wherever their point is.
                    self.assertAlmostEqual(run["pops_cpu_s_per_gb"], both, delta=2e-5 * both)
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


lib.main()
