"""The arithmetic and the words of bench/pop, without any network. tests/net/test_bench.py runs it."""

import dataclasses
import json
import os
import pathlib
import stat
import subprocess
import tempfile
import tomllib
import types
import unittest

from lib.cpu import Meter, switches

from . import (counters, page, pop_cost, pop_overlay, pop_record, pop_scenarios, pop_targets, pops, record,
               table)
from .pop_settings import Settings
from .results import Results
from .targets import check_targets

SETTINGS = Settings(thalweg="thalweg", programs=pathlib.Path("bench"), runs=1, parallel=8,
                    also=(("before", "old/thalweg"),))
EVERYBODY = {pair.name: pair for pair in pops.everybody(SETTINGS)}
OTHER = pop_targets.OTHER
SNMP = """Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: ActiveOpens RetransSegs
Tcp: 7 42
Udp: InDatagrams RcvbufErrors SndbufErrors
Udp: 9 3 2
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier
    lo:       1       2    0    0    0     0          0         0       1       2    0    0    0     0       0
to-last: 1 2 0 5 0 0 0 0 1 2 0 6 0 0 0
"""


def some_cost():
    """Of a pair whose first PoP takes 4 s for its tunnel and 1 for its relay, and the last 2 and 1."""
    cost = pop_cost.Cost()
    cost.meter = Meter()
    cost.meter.machine, cost.meter.seconds, cost.seconds = 20.0, 10.0, 10.0
    cost.meter.used = {"first_tunnels": 4.0, "first_relays": 1.0, "last_tunnels": 2.0, "last_relays": 1.0,
                       "client": 3.0, "hogs": 5.0, "link": 0.0}
    cost.counters = {label: counters.Counters(number, 10 * number, 100 * number)
                     for number, label in enumerate(("client", "first", "last", "server"), 1)}
    cost.switches = {"first": 500, "last": 50}
    return cost


def some_results():
    results = Results()
    for name in ("bulk-1", "bulk-4"):
        results.add(name, "thalweg", {"gbps": 1.6, "pops_cpu_s_per_gb": 2.0})
        results.add(name, OTHER, {"gbps": 0.8, "pops_cpu_s_per_gb": 8.0, "pops_scaled_cpu_s_per_gb": 4.0})
    results.add("rtt-bulk", "thalweg", {"rtt_p99_us": 2500.0})
    return results


class Counting(unittest.TestCase):
    def test_counters_as_the_kernel_writes_them(self):
        host = types.SimpleNamespace(run=lambda _argv: types.SimpleNamespace(stdout=SNMP))
        self.assertEqual(counters.read_counters(host), counters.Counters(42, 11, 5))

    def test_only_what_came_since_counts(self):
        self.assertEqual(counters.Counters(9, 8, 7) - counters.Counters(4, 2, 7), counters.Counters(5, 6, 0))

    def test_switches_grow_and_of_the_ended_there_are_none(self):
        before = switches([os.getpid()])
        child = subprocess.run(["true"], check=True)
        self.assertEqual(child.returncode, 0)
        self.assertGreater(switches([os.getpid()]), before)
        self.assertEqual(switches([1 << 22]), 0)


class Cost(unittest.TestCase):
    def test_a_pop_is_all_that_it_runs(self):
        metrics = pop_cost.of_bytes(some_cost(), 2.0, EVERYBODY["thalweg"])
        self.assertEqual((metrics["first_cpu_s_per_gb"], metrics["last_cpu_s_per_gb"],
                          metrics["pops_cpu_s_per_gb"], metrics["client_cpu_s_per_gb"]), (2.5, 1.5, 4.0, 1.5))
        self.assertEqual(metrics["resent_per_gb"], 5.0)
        self.assertNotIn("pops_scaled_cpu_s_per_gb", metrics)

    def test_the_machine_is_without_the_hogs(self):
        self.assertEqual(pop_cost.of_bytes(some_cost(), 2.0, EVERYBODY["wire"]),
                         {"machine_cpu_s_per_gb": 7.5, "resent_per_gb": 5.0})

    def test_only_an_old_tunnels_part_is_scaled(self):
        """HAProxy's remains: 0.4 of 6 s, and 2."""
        with tempfile.TemporaryDirectory() as folder:
            for version, scaled in (("v0.0.20220316", 2.2), ("v0.0.20250522", None), ("1.2.3", None)):
                program = pathlib.Path(folder, "daemon")
                program.write_text(f"#!/bin/sh\necho wireguard-go {version}\n", encoding="ascii")
                program.chmod(program.stat().st_mode | stat.S_IXUSR)
                pair = pops.everybody(dataclasses.replace(SETTINGS, wireguard_go=str(program)))[2]
                self.assertEqual(pair.name, OTHER)
                metrics = pop_cost.of_bytes(some_cost(), 2.0, pair)
                self.assertAlmostEqual(metrics.get("pops_scaled_cpu_s_per_gb", 0.0), scaled or 0.0)
                per_connection = pop_cost.of_connections(some_cost(), 1000, pair)
                self.assertEqual(per_connection["pops_cpu_us_per_connection"], 8000.0)
                self.assertEqual("pops_scaled_cpu_us_per_connection" in per_connection, scaled is not None)

    def test_what_stands_beside(self):
        bed = types.SimpleNamespace(others_cpus=0.25)
        metrics = pop_cost.beside(bed, EVERYBODY["routed"], some_cost())
        self.assertEqual((metrics["first_switches_per_s"], metrics["machine_cpus"]), (50.0, 1.5))
        self.assertEqual((metrics["server_resent"], metrics["last_dropped"], metrics["client_overflowed"]),
                         (4, 30, 100))
        self.assertNotIn("link_dropped", metrics)
        far = some_cost()
        far.link_dropped = 6
        self.assertEqual(pop_cost.beside(bed, EVERYBODY["wire"], far)["link_dropped"], 6)
        self.assertNotIn("first_switches_per_s", pop_cost.beside(bed, EVERYBODY["wire"], some_cost()))


class Targets(unittest.TestCase):
    def checked(self, **how):
        targets = pop_targets.targets_of(dataclasses.replace(SETTINGS, **how))
        return {one["what"]: (one["figure"], one["target"], one["met"])
                for one in check_targets(some_results(), "thalweg", targets)}

    def test_measured_against_the_competitor_as_it_is_and_as_if_it_were_new(self):
        found = self.checked()
        self.assertEqual(found[f"one stream, down: PoPs' CPU-s/GB against {OTHER}"], (0.25, 0.45, True))
        self.assertEqual(found["4 streams, down: the same, scaled to a wireguard-go of 2025"],
                         (0.5, 0.4, False))
        self.assertEqual(found[f"one stream, down: throughput against {OTHER}"], (2.0, 1.6, True))
        self.assertEqual(found["round trips beside one stream, p99"], (2500.0, 2000, False))
        self.assertEqual(len(found), 7)

    def test_more_is_asked_for_with_our_client(self):
        found = self.checked(client="thalweg")
        self.assertEqual(found[f"one stream, down: throughput against {OTHER}"], (2.0, 2.0, True))

    def test_beside_hogs_nothing_is_worse(self):
        found = self.checked(competing=2)
        self.assertEqual(found[f"4 streams, down: PoPs' CPU-s/GB against {OTHER}"], (0.25, 1, True))
        self.assertEqual(found[f"4 streams, down: throughput against {OTHER}"], (2.0, 1.3, True))
        self.assertEqual(len(found), 4)

    def test_targets_name_what_is_measured(self):
        for competing in (0, 2):
            asked = set()
            def median(name, _metric, _who="thalweg", asked=asked):
                asked.add(name)
                return 2.0
            settings = dataclasses.replace(SETTINGS, competing=competing)
            for target in pop_targets.targets_of(settings):
                self.assertIsNotNone(target.of(median), target.what)
            self.assertLessEqual(asked, {one.name for one in pop_scenarios.scenarios(settings)})


class Pairs(unittest.TestCase):
    def test_who_takes_part_and_in_which_order(self):
        self.assertEqual(list(EVERYBODY),
                         ["thalweg", "before", OTHER, "thalweg-wg+haproxy", "routed", "wire"])
        self.assertEqual([name for name, pair in EVERYBODY.items() if pair.is_ours], ["thalweg", "before"])
        self.assertEqual(EVERYBODY["before"].binary, "old/thalweg")

    def test_who_connects_where(self):
        """To HAProxy by its address; else to the server, who must see what came through whom."""
        ways = {name: (pair.address, pair.seen_as) for name, pair in EVERYBODY.items()}
        self.assertEqual(ways["wire"], ("192.0.2.80", "198.18.1.1"))
        self.assertEqual(ways["routed"], ("192.0.2.80", "10.9.1.2"))
        self.assertEqual(ways["thalweg"], ("192.0.2.80", "192.0.2.1"))
        self.assertEqual(ways[OTHER], ("10.9.0.1", "192.0.2.1"))

    def test_the_nodes_files_are_a_pair(self):
        keys = types.SimpleNamespace(private=dict.fromkeys(pop_overlay.ADDRESSES, "private"),
                                     public={label: f"public of {label}" for label in pop_overlay.ADDRESSES})
        ours = pops.everybody(dataclasses.replace(SETTINGS, more_toml="coalesce_us = 0\n"))[0]
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            for label in ("first", "last"):
                path = ours.write_file(folder, label, f"tw-{label}", keys, "cubic")
                found[label] = tomllib.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        for label, other in (("first", "last"), ("last", "first")):
            self.assertEqual(found[label]["pop"][0]["peer"], other)
            self.assertEqual(found[label]["pop"][0]["overlay_address"], pop_overlay.ADDRESSES[other])
            self.assertEqual(found[label]["relay"]["coalesce_us"], 0)
            self.assertEqual(found[label]["relay"]["turbo"]["congestion_control"], "cubic")
        self.assertEqual([peer["name"] for peer in found["first"]["peer"]], ["client", "last"])
        self.assertEqual(found["first"]["pop"][0]["routes"], ["192.0.2.0/24"])
        self.assertNotIn("routes", found["last"]["pop"][0])
        self.assertEqual(found["first"]["peer"][1]["endpoint"], "198.18.2.2:51820")
        self.assertNotIn("endpoint", found["last"]["peer"][0])

    def test_what_is_not_there_is_said(self):
        self.assertFalse(pops.is_program("no-such-program"))
        lacking = pops.everybody(dataclasses.replace(SETTINGS, wireguard_go="no-such-program"))[2]
        self.assertEqual(lacking.missing(), "no-such-program")
        self.assertIsNone(EVERYBODY["wire"].missing())


class Plan(unittest.TestCase):
    def test_names_are_their_own_and_quick_ones_exist(self):
        for parallel in (1, 8):
            names = [one.name for one in
                     pop_scenarios.scenarios(dataclasses.replace(SETTINGS, parallel=parallel))]
            self.assertEqual(len(names), len(set(names)))
            self.assertLessEqual(set(pop_scenarios.QUICK), set(names))

    def test_every_kind_of_bulk_is_there(self):
        names = {one.name for one in pop_scenarios.scenarios(SETTINGS)}
        self.assertLessEqual({f"bulk-{streams}{way}{ending}" for streams in (1, 4, 32) for way in ("", "-up")
                              for ending in ("", "-off", "-20ms", "-215ms")}, names)


class Words(unittest.TestCase):
    def told(self, pairs):
        chosen = list(pop_scenarios.scenarios(SETTINGS))
        return pop_record.to_record(SETTINGS, chosen, pairs, some_results(), {"kernel": "6.18"}, False)

    def test_json_table_and_page_say_the_same(self):
        told = self.told([EVERYBODY["thalweg"], EVERYBODY[OTHER]])
        again = json.loads(record.to_text(told))
        self.assertEqual(again["scenarios"][0]["results"][OTHER]["ratios"]["gbps"], 0.5)
        self.assertEqual(again["settings"]["rate_mbps"], 2000)
        for text in (table.to_table(told), page.to_page(told)):
            self.assertIn("as with wireguard-go of 2025", text)
            self.assertIn("scaled to a wireguard-go of 2025", text)
        self.assertIn("<h1>Pairs of PoPs side by side</h1>", page.to_page(told))

    def test_targets_are_ours_alone(self):
        self.assertEqual(self.told([EVERYBODY[OTHER]])["targets"]["checked"], [])
