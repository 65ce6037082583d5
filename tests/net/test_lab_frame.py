"""What every experiment of the lab reports: rows, where they come from, a line for each measurement."""

import csv
import json
import pathlib
import sys
import tempfile
import unittest

import test_demo
from lib import case

ONE_DOWNLOAD = ("--sizes", "10KB", "--paths", "end-to-end")


class LabFrame(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_warm_ups_do_not_count_but_are_told(self):
        told, page = self.folder / "told.csv", self.folder / "page.html"
        arguments = (*ONE_DOWNLOAD, "--runs", "2", "--warmups", "1", "--seed", "7", "--json",
                     "--csv", str(told), "--html", str(page))
        with test_demo.Demo(*arguments) as demo:
            self.assertEqual(demo.popen.wait(60), 0, demo.said())
            self.assertEqual(demo.traces(), [])
            self.assertRegex(demo.said(), r"\[1/3\] warm-up 1 of 1: 10 KB end-to-end; \d+ s left")
            report = json.loads(demo.printed())
        [row] = report["rows"]
        self.assertEqual((row["bytes"], row["path"]), (10_000, "end-to-end"))
        for name in ("ttfb_ms", "total_ms"):
            figure = row[name]
            self.assertEqual(figure["runs"], 2)
            self.assertLessEqual(figure["low"], figure["mean"])
            self.assertLessEqual(figure["mean"], figure["high"])
        # The demonstration's own figures are of the same downloads.
        self.assertEqual(len(report["runs"]), 2)
        self.assertAlmostEqual(row["total_ms"]["mean"], report["downloads"][0]["total_ms"]["median"],
                               delta=0.01)
        with told.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        self.assertEqual([(line["round"], line["counted"]) for line in lines],
                         [("0", "0"), ("0", "1"), ("1", "1")])
        self.assertAlmostEqual(float(lines[1]["total_ms"]), report["runs"][0]["total_ms"], delta=0.01)
        self.assertIn('"experiment":"demo"', page.read_text(encoding="utf-8"))
        self.check_provenance(report)

    def check_provenance(self, report):
        self.assertEqual(report["experiment"], "demo")
        self.assertEqual(report["seed"], 7)
        self.assertIn("--seed 7", report["command"])
        self.assertRegex(report["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(report["settings"]["warmups"], "1")
        self.assertEqual(report["settings"]["rate"], "1000")  # a default is a setting, too
        self.assertGreaterEqual(report["machine"]["cpus"], 1)
        self.assertIn("Linux", report["machine"]["kernel"])
        self.assertGreaterEqual(report["noise"]["busy_cores_before"], 0)
        self.assertGreaterEqual(report["noise"]["disturbed"], 0)
        self.assertIs(report["interrupted"], False)

    def test_a_file_that_cannot_be_written_is_refused_before_anything_is_made(self):
        for option in ("--csv", "--html"):
            with self.subTest(option), test_demo.Demo(*ONE_DOWNLOAD, option, "/no/such/folder/x") as demo:
                self.assertEqual(demo.popen.wait(20), 1)
                self.assertEqual(demo.said(), f"thalweg demo: {option}: cannot write /no/such/folder/x: "
                                              "no such folder, or no permission\n")


if __name__ == "__main__":
    sys.exit(case.main())
