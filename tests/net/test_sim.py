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


if __name__ == "__main__":
    lib.main()
