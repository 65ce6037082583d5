"""The arithmetic and the words of bench/relay, without any network. tests/net/test_bench.py runs it."""

import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile
import tomllib
import unittest

from lib.cpu import family, family_seconds

from . import (memory, page, record, relay_interactive, relay_record, relay_scenarios, relay_targets, relays,
               runner, table)
from .relay_settings import Settings
from .results import Results
from .targets import check_targets

SETTINGS = Settings(thalweg="thalweg", load_program=pathlib.Path("bench_load"), runs=2, parallel=8)
EVERYBODY = {relay.name: relay for relay in relays.everybody(SETTINGS)}


def some_results():
    results = Results()
    for ours, theirs in ((0.30, 0.60), (0.32, 0.64), (0.50, 0.62)):
        results.add("bulk-1", "thalweg", {"gbps": 20.0, "machine_cpu_s_per_gb": ours})
        results.add("bulk-1", "haproxy", {"gbps": 10.0, "machine_cpu_s_per_gb": theirs,
                                          "others_cpus": 0.5 if theirs == 0.60 else 0.02})
    results.add("connect-1", "thalweg", {"added_p50_us": 31.0, "relay_cpu_us_per_connection": 20.0})
    results.add("interactive", "thalweg", {"added_one_way_p50_us": 55.0, "forwarding_p50_us": 45.0})
    results.add("connect-8", "haproxy", {"relay_cpu_us_per_connection": 40.0, "generator_busiest": 0.95})
    return results


def some_record(competitors):
    chosen = list(relay_scenarios.scenarios(SETTINGS))
    return relay_record.to_record(SETTINGS, chosen, competitors, some_results(), {"kernel": "6.18"}, False)


class Targets(unittest.TestCase):
    def checked(self):
        found = check_targets(some_results(), "thalweg", relay_targets.targets_of(8))
        return {one["what"]: one for one in found}

    def test_cost_is_held_against_haproxys_median(self):
        one = self.checked()["one stream, offloads on: machine's CPU-s/GB against HAProxy"]
        self.assertAlmostEqual(one["figure"], 0.32 / 0.62)
        self.assertTrue(one["met"])

    def test_a_run_in_the_dear_regime_is_no_average(self):
        one = self.checked()["one stream, offloads on: machine, dearest run against cheapest"]
        self.assertAlmostEqual(one["figure"], 0.50 / 0.30)
        self.assertFalse(one["met"])

    def test_a_single_run_has_no_regimes(self):
        results = Results()
        results.add("bulk-1", "thalweg", {"machine_cpu_s_per_gb": 0.3})
        self.assertEqual(check_targets(results, "thalweg", relay_targets.targets_of(8)), [])

    def test_a_byte_is_held_against_one_forwarding_and_not_two(self):
        found = {what.rpartition(": ")[2]: (one["figure"], one["target"], one["met"])
                 for what, one in self.checked().items() if what.startswith("interactive byte")}
        self.assertEqual(found, {
            "forwarding, arrival to departure, p50": (45.0, 50, True),
            "added one way (half of what an exchange takes longer), p50": (55.0, 50, False)})

    def test_only_what_was_measured_of_us_is_checked(self):
        checked = self.checked()
        self.assertFalse(checked["new connection + 1 KB: added latency, p50"]["met"])
        self.assertTrue(checked["new connection, 1 at a time: relay's CPU"]["met"])
        self.assertEqual(len(checked), 6)  # not the eight at a time that only HAProxy ran

    def test_targets_name_what_is_measured(self):
        asked = set()
        def median(name, _metric, _who="thalweg", part="median"):
            asked.add(name)
            return {"median": 2.0, "least": 1.0, "most": 3.0}[part]
        for target in relay_targets.targets_of(SETTINGS.parallel):
            self.assertIsNotNone(target.of(median), target.what)
        self.assertLessEqual(asked, {one.name for one in relay_scenarios.scenarios(SETTINGS)})


class Plan(unittest.TestCase):
    def test_names_are_their_own_and_quick_ones_exist(self):
        for settings in (SETTINGS, Settings("", pathlib.Path(), parallel=1)):
            names = [one.name for one in relay_scenarios.scenarios(settings)]
            self.assertEqual(len(names), len(set(names)))
            self.assertLessEqual(set(relay_scenarios.QUICK), set(names))

    def test_relays_take_turns(self):
        chosen = runner.choose(list(relay_scenarios.scenarios(SETTINGS)), ("bulk-1", "idle"))
        steps = [(number, one.name, relay.name) for number, one, relay in
                 runner.plan(chosen, [EVERYBODY["haproxy"], EVERYBODY["direct"]], 2)]
        self.assertEqual(steps, [(number, name, relay) for number in (0, 1) for name in ("bulk-1", "idle")
                                 for relay in ("haproxy", "direct")])

    def test_who_connects_where(self):
        """Through a proxy by its own address; else to the server, who must see what came through whom."""
        ways = {name: (relay.address, relay.seen_as) for name, relay in EVERYBODY.items()}
        self.assertEqual(ways["direct"], ("198.51.100.2", "192.0.2.1"))
        self.assertEqual(ways["thalweg"], ("198.51.100.2", "198.51.100.1"))
        for proxy in ("haproxy", "nginx", "socat", "bare"):
            self.assertEqual(ways[proxy], ("192.0.2.2", "198.51.100.1"))

    def test_a_governor_that_was_chosen_is_the_tunnels(self):
        for name, written in (("", {}), ("busy", {"governor": "busy"})):
            ours = relays.everybody(dataclasses.replace(SETTINGS, governor=name))[0]
            with tempfile.TemporaryDirectory() as folder, open(ours.write_file(folder), "rb") as file:
                tunnel = tomllib.load(file)["tunnel"]
            self.assertEqual({key: tunnel[key] for key in tunnel if key == "governor"}, written)

    def test_the_measuring_stick_is_one_process_with_every_port(self):
        """And stands before `direct`, which is last."""
        self.assertEqual(list(EVERYBODY)[-2:], ["bare", "direct"])
        self.assertEqual(EVERYBODY["bare"].command(), "bench_load pass 192.0.2.2 198.51.100.2 9000 5201")
        self.assertIsNone(relays.missing(EVERYBODY["bare"]))


class Metrics(unittest.TestCase):
    REPORT = {"all": 110, "measured": 100, "failed": 10, "per_second": 50.0,
              "latency_us": {"p50": 60.0, "p90": 70.0, "p99": 90.0, "p99_9": 95.0, "max": 99.0},
              "connect_us": {"p50": 20.0}}

    def test_what_a_relay_adds(self):
        plain = {"latency_us": {"p50": 25.0, "p99": 40.0}}
        metrics = relay_scenarios.latency_metrics(self.REPORT, plain)
        self.assertEqual((metrics["added_p50_us"], metrics["added_p99_us"]), (35.0, 50.0))
        self.assertAlmostEqual(metrics["failed_share"], 100 * 10 / 120)
        self.assertNotIn("added_p50_us", relay_scenarios.latency_metrics(self.REPORT, None))

    def test_a_byte_and_its_echo_are_forwarded_once_each(self):
        report = {"measured": 900, "exchange_us": {"p50": 130.0, "p90": 1.0, "p95": 180.0, "p99": 260.0}}
        plain = {"measured": 950, "exchange_us": {"p50": 50.0, "p90": 1.0, "p95": 70.0, "p99": 80.0}}
        metrics = relay_interactive.exchange_metrics(report, plain)
        self.assertEqual((metrics["added_p50_us"], metrics["added_p95_us"], metrics["added_p99_us"]),
                         (80.0, 110.0, 180.0))
        self.assertEqual(metrics["added_one_way_p50_us"], 40.0)
        self.assertEqual((metrics["exchange_p50_us"], metrics["plain_p95_us"]), (130.0, 70.0))
        alone = relay_interactive.exchange_metrics(report)
        self.assertEqual(set(alone), {"exchanges", "exchange_p50_us", "exchange_p95_us", "exchange_p99_us"})

    def test_a_forwarding_that_nobody_saw_is_no_figure(self):
        seen = {"forwarded": 7, "forwarding_us": {"p50": 1.0, "p90": 2.0, "p95": 3.0, "p99": 4.0}}
        self.assertEqual(relay_interactive.forwarding_metrics(seen), {
            "forwarding_p50_us": 1.0, "forwarding_p95_us": 3.0, "forwarding_p99_us": 4.0})
        with self.assertRaisesRegex(AssertionError, "no byte was seen"):
            relay_interactive.forwarding_metrics({**seen, "forwarded": 0})

    def test_the_ends_memory_is_not_the_relays(self):
        through, plain = memory.Memory(2000, 1000, 16_000, 50), memory.Memory(0, 0, 9000, 40)
        moved = memory.Memory(3000, 2000, 18_000, 50)
        metrics = relay_scenarios.memory_metrics(1000, through, moved, plain, plain)
        self.assertEqual((metrics["user_kb"], metrics["user_rss_kb"], metrics["kernel_kb"]), (1.0, 2.0, 7.0))
        self.assertEqual((metrics["user_bulk_kb"], metrics["kernel_bulk_kb"]), (2.0, 9.0))

    def test_memory_as_the_kernel_writes_it(self):
        text = "Slab:   1000 kB\nKernelStack:  20 kB\nPageTables:   3 kB\nSecPageTables: 9 kB\n"
        self.assertEqual(memory.parse_fields(text, ["Slab", "KernelStack", "PageTables"]), 1023)
        said = "sockets: used 9\nTCP: inuse 4 orphan 0 tw 2 alloc 6 mem 5\nUDP: inuse 1 mem 2\n"
        self.assertEqual(memory.parse_socket_pages(said), 20)

    def test_children_count_as_well(self):
        """Also those that have ended, and it is no failure if one ends meanwhile."""
        child = subprocess.Popen(["sleep", "60"])
        try:
            self.assertIn(child.pid, family([os.getpid()]))
        finally:
            child.kill()
            child.wait()
        self.assertNotIn(child.pid, family([os.getpid()]))
        before = family_seconds([os.getpid()])
        subprocess.run(["python3", "-c", "sum(range(3_000_000))"], check=True)
        self.assertGreater(family_seconds([os.getpid()]), before)
        self.assertEqual((family([child.pid]), family_seconds([child.pid])), ([], 0))


class Words(unittest.TestCase):
    def test_json_table_and_page_say_the_same(self):
        told = some_record([EVERYBODY["thalweg"], EVERYBODY["haproxy"]])
        again = json.loads(record.to_text(told))
        self.assertEqual(again["scenarios"][0]["results"]["haproxy"]["ratios"]["gbps"], 0.5)
        self.assertEqual(again["settings"]["parallel"], 8)
        for text in (table.to_table(told), page.to_page(told)):
            self.assertIn("against HAProxy", text)
            self.assertIn("had no time left", text)
            self.assertIn("in 1 of 3 runs the machine was busy", text)
            self.assertIn("from connect() to the last byte of the answer", text)
            self.assertIn("one way is half of what it", text)
        self.assertIn("<h1>Relays side by side</h1>", page.to_page(told))

    def test_targets_are_ours_alone(self):
        told = some_record([EVERYBODY["haproxy"], EVERYBODY["direct"]])
        self.assertEqual(told["targets"]["checked"], [])
        self.assertNotIn("target", table.to_table(told))

    def test_a_build_that_refuses_the_file_says_so_in_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "thalweg")
            for code, words, expected in ((1, "toml:9:1: unknown key\\nand more", "toml:9:1: unknown key"),
                                          (3, "", "`check` ended with 3"), (0, "", None)):
                program.write_text(f"#!/bin/sh\nprintf '{words}' >&2\nexit {code}\n", encoding="ascii")
                program.chmod(0o755)
                self.assertEqual(relays.Thalweg("thalweg", binary=str(program)).refusal(), expected)
