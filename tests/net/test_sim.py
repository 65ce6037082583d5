"""`thalweg sim`: what it prints for people and scripts, that a seed plays the same, what it refuses."""

import csv
import json
import os
import pathlib
import re
import signal
import subprocess

import lib

SMALL = ["sim", "steer", "--cores", "4", "--flows", "3000", "--step", "10", "--runs", "2",
         "--loads", "0.2,0.7"]


def sim(*arguments):
    return subprocess.run([os.environ["TW_BIN"], *arguments], capture_output=True, text=True,
                          timeout=300, check=False)


class Steer(lib.NetTest):
    def test_a_table_for_people(self):
        told = sim(*SMALL)
        self.assertEqual(told.returncode, 0, told.stderr)
        for word in ("Simulation: 4 cores", "indirection", "modulo", "flow-table", "prefill", "mixed", "p99"):
            self.assertIn(word, told.stdout)

    def test_json_has_a_row_for_each_policy_and_load_and_a_seed_plays_the_same(self):
        first, again = (json.loads(sim(*SMALL, "--json", "--seed", "7").stdout) for _ in range(2))
        self.assertEqual(first["rows"], again["rows"])
        other = json.loads(sim(*SMALL, "--json", "--seed", "8").stdout)
        self.assertNotEqual(first["rows"], other["rows"])
        self.assertEqual((first["experiment"], first["machine"]), ("steer", "simulation"))
        self.assertEqual(len(first["rows"]), 5 * 2)
        for row in first["rows"]:
            self.assertEqual(row["p99_us"]["runs"], 2)
            self.assertLessEqual(row["p50_us"]["mean"], row["p99_us"]["mean"])
            self.assertEqual(row["dropped"]["mean"], 0)
        by_policy = {row["policy"]: row for row in first["rows"] if row["load"] == 0.7}
        self.assertEqual(by_policy["prefill"]["moved"]["mean"], 0)
        self.assertEqual(by_policy["indirection"]["reordered"]["mean"], 0)

    def test_only_what_is_asked_for_and_a_file(self):
        file = pathlib.Path(self.net.folder, "steer.csv")
        told = sim(*SMALL, "--policies", "modulo", "--csv", str(file))
        self.assertEqual(told.returncode, 0, told.stderr)
        with file.open(encoding="utf-8") as stream:
            self.assertEqual([row["policy"] for row in csv.DictReader(stream)], ["modulo"] * 4)

    def test_a_page(self):
        page = pathlib.Path(self.net.folder, "steer.html")
        told = sim(*SMALL, "--policies", "modulo,mixed", "--html", str(page))
        self.assertEqual(told.returncode, 0, told.stderr)
        report = re.search(r'<script id="report" type="application/json">(.*?)</script>',
                           page.read_text(encoding="utf-8"), re.S).group(1)
        self.assertEqual([row["policy"] for row in json.loads(report)["rows"]], ["modulo", "mixed"] * 2)

    def test_what_is_refused_says_what_and_why(self):
        for arguments, words in ((["--cores", "65"], "--cores"), (["--loads", "0"], "--loads"),
                                 (["--policies", "rss"], "indirection"),
                                 (["--csv", "/no/such/folder/x"], "--csv: cannot write")):
            told = sim("sim", "steer", *arguments)
            self.assertNotEqual(told.returncode, 0)
            self.assertIn(words, told.stderr + told.stdout)

    def test_an_interrupt_ends_it_soon(self):
        process = subprocess.Popen([os.environ["TW_BIN"], "sim", "steer", "--runs", "1000"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        lib.wait_until(lambda: b"run 1 of 1000" in process.stderr.readline(), "the first run", 30)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130)


SMALL_CONTEXTS = ["sim", "contexts", "--cores", "3", "--clients", "20,40", "--time", "3",
                  "--runs", "2"]


class Contexts(lib.NetTest):
    def test_a_table_for_people(self):
        told = sim(*SMALL_CONTEXTS)
        self.assertEqual(told.returncode, 0, told.stderr)
        for word in ("Simulation: 3 cores", "Costs, ns (paper, stages times", "Costs, ns (own)", "affine",
                     "softirq", "thread-pinned", "workqueue", "Shapes of the paper"):
            self.assertIn(word, told.stdout)

    def test_json_has_a_row_for_each_level_and_a_seed_plays_the_same(self):
        first, again = (json.loads(sim(*SMALL_CONTEXTS, "--json", "--seed", "3").stdout) for _ in range(2))
        self.assertEqual(first["rows"], again["rows"])
        self.assertEqual((first["experiment"], first["machine"]), ("contexts", "simulation"))
        self.assertEqual(len(first["rows"]), 5 * 2 * 2 * 2)
        self.assertEqual(set(first["costs_ns"]), {"paper", "own"})
        for row in first["rows"]:
            self.assertEqual(row["gbps"]["runs"], 2)
            self.assertEqual(row["reordered"]["mean"], 0)
            self.assertLessEqual(row["p50_us"]["mean"], row["p99_us"]["mean"])
            self.assertLessEqual(row["gbps"]["mean"], row["offered"] * 1.2)
            self.assertEqual([core["core"] for core in row["deliver_by_core"]], [0, 1, 2])
            busy = [core["busy"]["mean"] for core in row["deliver_by_core"]]
            self.assertEqual(busy, sorted(busy, reverse=True))
            self.assertAlmostEqual(sum(core["calls"]["mean"] for core in row["deliver_by_core"]),
                                   row["deliver_calls"]["mean"], delta=1)
            self.assertNotIn("paper", row)  # the paper's machine is another
            if row["context"] != "softirq":
                self.assertEqual(row["preempted_share"]["mean"], 0)

    def test_the_papers_figures_stand_beside_what_is_played_as_it_did(self):
        told = json.loads(sim("sim", "contexts", "--clients", "1000", "--contexts", "workqueue",
                              "--costs", "paper", "--direction", "receive", "--time", "1",
                              "--runs", "1", "--json").stdout)
        self.assertEqual([row["paper"] for row in told["rows"]], [{"gbps": 18.0, "p99_us": 7300.0}])

    def test_a_page_and_a_file(self):
        page, file = pathlib.Path(self.net.folder, "page.html"), pathlib.Path(self.net.folder, "file.csv")
        told = sim(*SMALL_CONTEXTS, "--contexts", "affine,softirq", "--costs", "own",
                   "--direction", "transmit", "--html", str(page), "--csv", str(file))
        self.assertEqual(told.returncode, 0, told.stderr)
        report = re.search(r'<script id="report" type="application/json">(.*?)</script>',
                           page.read_text(encoding="utf-8"), re.S).group(1)
        self.assertEqual([row["context"] for row in json.loads(report)["rows"]], ["affine", "softirq"] * 2)
        with file.open(encoding="utf-8") as stream:
            self.assertEqual(len(list(csv.DictReader(stream))), 2 * 2 * 2)

    def test_what_is_refused_says_what_and_how(self):
        for arguments, words in ((["--clients", "5..1"], "write 100..1000"),
                                 (["--clients", "0"], "--clients"),
                                 (["--rate", "fast"], "write 25M"), (["--rate", "1"], "--rate"),
                                 (["--rate", "nan"], "--rate"), (["--cores", "0"], "--cores"),
                                 (["--cores", "65"], "--cores"),
                                 (["--contexts", "tasklet"], "softirq"), (["--direction", "up"], "receive"),
                                 (["--costs", "mine"], "paper"), (["--time", "0"], "--time")):
            told = sim("sim", "contexts", *arguments)
            self.assertNotEqual(told.returncode, 0, arguments)
            self.assertIn(words, told.stderr + told.stdout)


if __name__ == "__main__":
    lib.main()
