"""The arithmetic and the words of bench/legs, without any network. tests/net/test_bench.py runs it."""

import dataclasses
import json
import math
import pathlib
import tomllib
import types
import unittest

from lib.statistics import T_POINTS, student_t

from . import (counters, iperf, leg_bed, leg_nodes, leg_record, leg_scenarios, leg_targets, page, pairs,
               record, table)
from .leg_paths import PATHS
from .leg_settings import Settings
from .results import Results

SETTINGS = Settings(thalweg="thalweg", programs=pathlib.Path("bench"), runs=3,
                    also=(("before", "old/thalweg"),))
NODES = leg_nodes.everybody(SETTINGS)
BY_NAME = {path.name: path for path in PATHS}


def some_results():
    results = Results()
    for ours, theirs in ((100.0, 100.0), (97.0, 100.0), (103.0, 100.0)):
        results.add("200M", "thalweg", {"leg_mbps": ours, "first_resent_bdps": 0.2,
                                        "later_resent_share": 0.1})
        results.add("200M", "unpaced", {"leg_mbps": theirs})
    results.add("200M", "thalweg", {"failed": "a crash"})
    results.add("200M", "unpaced", {"leg_mbps": 1.0})
    results.add("loss", "thalweg", {"leg_mbps": 50.0, "first_resent_bdps": 2.0, "later_resent_share": 0.4})
    results.add("loss", "unpaced", {"leg_mbps": 100.0})
    return results


class Pairs(unittest.TestCase):
    def test_twice_and_half_cancel_each_other(self):
        self.assertAlmostEqual(pairs.of_ratios([2.0, 0.5]).mean, 1.0)

    def test_interval_is_students(self):
        """Of logarithms -s, 0, s: standard deviation s, and 4.303 s / √3 to each side."""
        spread = 0.02
        found = pairs.of_ratios([math.exp(-spread), 1.0, math.exp(spread)])
        half = 4.303 * spread / math.sqrt(3)
        self.assertAlmostEqual(found.mean, 1.0)
        self.assertAlmostEqual(math.log(found.lower), -half)
        self.assertAlmostEqual(math.log(found.upper), half)

    def test_t_table(self):
        self.assertEqual((student_t(1), student_t(9), student_t(30), student_t(31)),
                         (12.706, 2.262, 2.042, 2.042))
        self.assertEqual(list(T_POINTS), sorted(T_POINTS, reverse=True))

    def test_a_single_pair_has_no_bound(self):
        found = pairs.of_ratios([1.5])
        self.assertEqual((found.mean, found.lower, found.upper), (1.5, None, None))
        self.assertIn("one pair", found.text())

    def test_a_round_that_failed_for_one_is_no_pair(self):
        first = [{"x": 2.0}, {"failed": "why"}, {"x": 4.0}, {"x": 9.0}]
        second = [{"x": 1.0}, {"x": 1.0}, {"x": 4.0}]
        self.assertEqual(pairs.of_runs(first, second, "x").ratios, (2.0, 1.0))
        self.assertIsNone(pairs.of_runs(first[1:2], second, "x"))


def some_record():
    return leg_record.to_record(SETTINGS, leg_scenarios.scenarios(SETTINGS), NODES, some_results(),
                                {"kernel": "6.18"}, False)


class Targets(unittest.TestCase):
    def checked(self):
        return {one["what"]: one for one in some_record()["targets"]["checked"]}

    def test_the_lower_bound_is_held_against_the_target(self):
        one = self.checked()["200M: throughput against unpaced, lower 95 % bound of 3 pairs"]
        self.assertAlmostEqual(one["figure"], pairs.of_ratios([1.0, 0.97, 1.03]).lower)
        self.assertFalse(one["met"])  # though the mean is 1: three pairs are not sure enough

    def test_every_run_counts_for_what_is_resent(self):
        checked = self.checked()
        self.assertTrue(checked["200M: resent at first use, most of all runs"]["met"])
        self.assertFalse(checked["loss: resent at first use, most of all runs"]["met"])
        self.assertTrue(checked["loss: resent later, most of all runs"]["met"])
        self.assertEqual(len(checked), 5)  # no bound of the one pair

    def test_targets_name_paths(self):
        self.assertEqual(len(list(leg_targets.targets())), 2 * len(PATHS))


class Figures(unittest.TestCase):
    def test_throughput_is_of_what_came_late_enough(self):
        report = {"intervals": [{"sum": {"start": start, "seconds": 0.5, "bytes": size}} for start, size in
                                ((0, 9e9), (0.5, 9e9), (1.0001, 1e6), (1.5, 3e6))]}
        self.assertAlmostEqual(iperf.received_mbps(report, 1.0), 32.0)
        self.assertEqual(iperf.received_mbps(report, 2.0), 0.0)

    def test_the_first_transfer_is_two_products_unless_it_is_said(self):
        self.assertEqual(leg_scenarios.first_bytes(SETTINGS, BY_NAME["200M"]), 10_750_000)
        said = dataclasses.replace(SETTINGS, first_mb=3)
        self.assertEqual(leg_scenarios.first_bytes(said, BY_NAME["wide"]), 3_000_000)

    def test_what_counts_begins_early_in_short_transfers(self):
        self.assertEqual((SETTINGS.from_s, SETTINGS.change_s), (5, 10))
        self.assertEqual(dataclasses.replace(SETTINGS, seconds=3).from_s, 1)
        self.assertEqual(dataclasses.replace(SETTINGS, begin=2).from_s, 2)

    def test_segments_as_the_kernel_counts_them(self):
        said = "Tcp: ActiveOpens OutSegs RetransSegs\nTcp: 7 1000 42\n"
        host = types.SimpleNamespace(run=lambda _argv: types.SimpleNamespace(stdout=said))
        self.assertEqual(counters.read_segments(host), (1000, 42))


class Nodes(unittest.TestCase):
    KEYS = {label: (f"{label}-private", f"{label}-public") for label in leg_nodes.OVERLAYS}

    def file(self, node, label, far):
        return tomllib.loads(node.text_of(label, far, self.KEYS, "tw0", "FOLDER", "cubic"))

    def test_only_the_reference_starts_as_tcp_does(self):
        self.assertEqual([node.name for node in NODES], ["thalweg", "unpaced", "before"])
        plain = {"congestion_control": "cubic"}
        found = [self.file(node, "last", (leg_bed.LAST,))["relay"]["turbo"] for node in NODES]
        self.assertEqual(found, [plain, {**plain, "pacing": False, "initcwnd": 10}, plain])

    def test_the_first_pop_calls_every_far_one(self):
        first, other = (self.file(NODES[0], label, leg_bed.TWO) for label in ("first", "other"))
        self.assertEqual([(peer["name"], peer["endpoint"]) for peer in first["peer"]],
                         [("last", "198.18.3.2:51820"), ("other", "198.18.4.2:51820")])
        self.assertEqual([pop["routes"] for pop in first["pop"]], [["192.0.2.0/24"], ["203.0.113.0/24"]])
        self.assertEqual(first["relay"]["client_devices"], ["to-client"])
        self.assertNotIn("endpoint", other["peer"][0])
        self.assertNotIn("client_devices", other["relay"])


class Words(unittest.TestCase):
    def test_names_are_their_own_and_quick_ones_exist(self):
        names = [one.name for one in leg_scenarios.scenarios(SETTINGS)]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual(set(leg_scenarios.QUICK), set(names))

    def test_json_table_and_page_say_the_same(self):
        told = some_record()
        again = json.loads(record.to_text(told))
        self.assertEqual(len(again["scenarios"][0]["pairs"]["thalweg"]["ratios"]), 3)
        for text in (table.to_table(told), page.to_page(told)):
            self.assertIn("thalweg / unpaced, throughput pair by pair: 1.000×", text)
            self.assertIn("lower 95 % bound of 3 pairs", text)
