"""The arithmetic and the words of bench/tunnel, without any network. tests/net/test_bench.py runs it."""

import json
import struct
import unittest

from lib.cpu import Sample, count_datagrams, steady_part
from lib.statistics import nearest_rank, ratio, summarize

from . import crowds, daemons, limits, page, prober, record, runner, settings, table, targets
from .results import MACHINE, Results
from .scenario import Kind, Scenario


def scenario(name, kind=Kind.DAEMON, **more):
    return Scenario(name, f"about {name}", lambda settings, daemon: {}, lambda settings: 1, kind, **more)


OURS = daemons.Daemon("thalweg", ("thalweg", "wg", "-f"), True)
OTHER = daemons.Daemon("other", ("other", "-f"))
SETTINGS = settings.Settings(thalweg="thalweg", runs=2)


class Summaries(unittest.TestCase):
    def test_percentiles_are_values_that_occurred(self):
        values = [5, 1, 4, 2, 3]
        self.assertEqual(nearest_rank(values, 0.5), 3)
        self.assertEqual(nearest_rank(values, 0.99), 5)
        self.assertEqual(nearest_rank(range(1, 1001), 0.999), 999)
        self.assertEqual(nearest_rank([7], 0.5), 7)

    def test_what_differs_by_more_than_a_quarter_is_flagged(self):
        self.assertEqual(summarize([1.0, 1.1, 1.2]).shape, "steady")
        self.assertEqual(summarize([1.0, 1.2, 1.4]).shape, "wide")
        self.assertEqual(summarize([3.0]).shape, "steady")
        self.assertEqual(summarize([0, 0, 0]).spread, 0)

    def test_two_regimes_are_told_from_mere_noise(self):
        both = summarize([1.0, 1.05, 2.0, 2.1, 1.02])
        self.assertEqual((both.shape, both.modes), ("two modes", (1.02, 2.05)))
        # One run that went wrong is no regime.
        self.assertEqual(summarize([1.0, 1.0, 1.0, 1.0, 2.0]).shape, "wide")

    def test_a_ratio_to_nothing_is_none(self):
        self.assertEqual(ratio(3, 2), 1.5)
        self.assertIsNone(ratio(3, 0))
        self.assertIsNone(ratio(None, 2))
        self.assertIsNone(ratio(2, None))


class Steady(unittest.TestCase):
    def test_start_and_end_of_a_load_do_not_count(self):
        # A second of handshakes, ten of load at 100 packets and 0.1 CPU-s each, a second of silence.
        samples = [Sample(0, 0, 0), Sample(1, 5, 0)]
        samples += [Sample(1 + i, 5 + 0.1 * i, 100 * i) for i in range(1, 11)]
        samples += [Sample(12, 7, 1000)]
        cpu_s, packets, seconds = steady_part(samples)
        self.assertAlmostEqual(cpu_s / packets, 0.001)
        self.assertEqual(packets / seconds, 100)

    def test_datagrams_of_a_train_are_counted_one_by_one(self):
        lone, train = 28 + 1392, 28 + 16 * 1392
        self.assertEqual(count_datagrams(3, 3 * lone, 1420), 3)
        self.assertEqual(count_datagrams(3, 2 * train + lone, 1420), 33)

    def test_no_packets_give_no_cost(self):
        self.assertIsNone(steady_part([Sample(i, i, 0) for i in range(5)]))
        self.assertIsNone(steady_part([]))
        self.assertIsNone(steady_part([Sample(0, 0, 0), Sample(1, 1, 10), Sample(2, 2, 20)]))


class Plan(unittest.TestCase):
    def test_daemons_take_turns_within_a_scenario(self):
        chosen = [scenario("a"), scenario("machine", Kind.MACHINE), scenario("ours", Kind.OURS),
                  scenario("once", once=True)]
        steps = [(number, one.name, daemon and daemon.name)
                 for number, one, daemon in runner.plan(chosen, [OURS, OTHER], 2)]
        self.assertEqual(steps, [
            (0, "a", "thalweg"), (0, "a", "other"), (0, "machine", None), (0, "ours", "thalweg"),
            (0, "once", "thalweg"), (0, "once", "other"),
            (1, "a", "thalweg"), (1, "a", "other"), (1, "machine", None), (1, "ours", "thalweg")])

    def test_what_is_chosen(self):
        every = [scenario("tcp-1"), scenario("tcp-4"), scenario("rekey", on_request=True)]
        def names(*arguments):
            return [one.name for one in runner.choose(every, *arguments)]
        self.assertEqual(names(), ["tcp-1", "tcp-4"])
        self.assertEqual(names((), False, True), ["tcp-1", "tcp-4", "rekey"])
        self.assertEqual(names(("tcp-*",)), ["tcp-1", "tcp-4"])
        self.assertEqual(names(("rekey",)), ["rekey"])
        self.assertEqual(names((), True), ["tcp-1"])
        with self.assertRaises(ValueError):
            names(("tcp",))

    def test_every_scenario_has_a_name_of_its_own_and_quick_ones_exist(self):
        names = [one.name for one in runner.all_scenarios(SETTINGS)]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual(set(runner.QUICK), set(names))

    def test_a_failure_is_noted_and_the_rest_goes_on(self):
        def fails(_settings, daemon):
            if daemon.name == "other":
                raise AssertionError("it crashed")
            return {"gbps": 2.0}
        results = Results()
        with open("/dev/null", "w", encoding="utf-8") as nowhere:
            one = Scenario("tcp-1", "", fails, lambda s: 1)
            runner.measure(SETTINGS, [one], [OTHER, OURS], results, nowhere)
        self.assertEqual(results.failures("tcp-1", "other"), ["it crashed"] * 2)
        self.assertEqual(results.median("tcp-1", "thalweg", "gbps"), 2.0)


def some_results():
    results = Results()
    for gbps, receiver in ((6.0, 0.8), (5.0, 0.9), (5.5, 1.0)):
        results.add("tcp-1", "thalweg", {"gbps": gbps, "receiver_cpu_s_per_gb": receiver})
        results.add("tcp-1", "other", {"gbps": gbps / 2})
    results.add("tcp-1", "other", {"failed": "it <crashed>\nand said so"})
    results.add("limit-cipher", MACHINE, {"cipher_s_per_gb": 0.2, "odd_seal_ns": 400.0})
    results.add("limit-io", MACHINE, {"io_receive_s_per_gb": 0.1})
    return results


def some_record(interrupted=False):
    chosen = [scenario("limit-cipher", Kind.MACHINE), scenario("tcp-1"), scenario("never-ran")]
    return record.to_record(SETTINGS, chosen, [OURS, OTHER], some_results(), {"kernel": "6.18"}, interrupted)


class Targets(unittest.TestCase):
    def checked(self):
        return {(one["what"], one["unit"]): one for one in targets.check_targets(some_results(), "thalweg")}

    def test_met_missed_and_not_measured(self):
        checked = self.checked()
        self.assertTrue(checked["TCP, one stream, offloads on", "Gbps"]["met"])
        missed = checked["TCP, one stream, offloads on: receiver", "CPU-s/GB"]
        self.assertEqual((missed["figure"], missed["met"]), (0.9, False))
        self.assertEqual(len(checked), 2)

    def test_targets_and_limits_name_what_is_measured(self):
        asked = set()
        def median(name, metric):
            asked.add((name, metric))
            return 1.0
        for target in targets.TARGETS:
            self.assertIsNotNone(target.of(median), target.what)
        names = {one.name for one in runner.all_scenarios(SETTINGS)}
        asked.update(where for _what, own, limits, _unit in targets.LIMITS for where in (own, *limits))
        self.assertLessEqual({name for name, _metric in asked}, names)

    def test_a_bound_belongs_to_what_meets_it(self):
        below = targets.Target("", "", "≤", 2, None)
        above = targets.Target("", "", "≥", 2, None)
        self.assertEqual([below.is_met(2), below.is_met(2.01), above.is_met(2), above.is_met(1.99)],
                         [True, False, True, False])

    def test_a_limit_is_the_machines(self):
        found = targets.distances(some_results(), "thalweg")
        self.assertEqual([round(one["times"], 6) for one in found], [3.0])


class Words(unittest.TestCase):
    def test_json_has_medians_runs_and_ratios(self):
        told = json.loads(record.to_text(some_record()))
        self.assertEqual([entry["name"] for entry in told["scenarios"]], ["limit-cipher", "tcp-1"])
        results = told["scenarios"][1]["results"]
        self.assertEqual(results["thalweg"]["metrics"]["gbps"]["median"], 5.5)
        self.assertEqual(len(results["thalweg"]["runs"]), 3)
        self.assertEqual(results["other"]["ratios"], {"gbps": 0.5})
        self.assertNotIn("ratios", results["thalweg"])

    def test_table_says_figures_failures_and_targets(self):
        told = table.to_table(some_record(True))
        self.assertIn("5.50 (5.00–6.00)", told)
        self.assertIn("0.50×", told)
        self.assertIn("other: 1 of 4 runs failed: it <crashed>\n", told)
        self.assertIn("1 of 2 met", told)
        self.assertIn("MISSED", told)
        self.assertIn("interrupted", told)

    def test_a_generator_that_fell_behind_is_said(self):
        results = Results()
        results.add("peers", "thalweg", {"gbps": 1.0, "generator_offered_share": 95.0})
        results.add("peers", "thalweg", {"gbps": 1.0, "generator_offered_share": 99.9})
        told = record.to_record(SETTINGS, [scenario("peers")], [OURS], results, {}, False)
        self.assertIn("in 1 of 2 runs the load generator", table.to_table(told))
        self.assertIn("in 1 of 2 runs the load generator", page.to_page(told))

    def test_page_lets_no_markup_in_and_needs_nothing_else(self):
        told = page.to_page(some_record())
        self.assertIn("it &lt;crashed&gt;", told)
        self.assertNotIn("<crashed>", told)
        self.assertNotIn("http", told)
        self.assertIn("<svg", told)


class Options(unittest.TestCase):
    def test_rates(self):
        self.assertEqual([settings.parse_rate(one) for one in ("200M", "1.5G", "64k", "2000")],
                         [200e6, 1.5e9, 64e3, 2000])
        for wrong in ("", "M", "x", "-1G", "nan", "1e99"):
            with self.assertRaises(ValueError, msg=wrong):
                settings.parse_rate(wrong)
        self.assertEqual(settings.rate_name(1.5e9), "1.5G")

    def test_daemons(self):
        other = daemons.parse("mine=sh -c 'a b'")
        self.assertEqual((other.name, other.words[1:]), ("mine", ("-c", "a b")))
        self.assertEqual(daemons.parse("mine=sh").words[1:], ("-f",))
        for wrong in ("", "mine", "mine=", "=sh", "a b=sh", "mine=no-such-program-anywhere", "mine='"):
            with self.assertRaises(ValueError, msg=wrong):
                daemons.parse(wrong)


class Echoes(unittest.TestCase):
    def test_an_answer_is_told_from_everything_else(self):
        request = prober.echo_request(7, 70_000)
        self.assertEqual(prober.checksum(request), 0)
        ip = bytes([0x45]) + bytes(19)
        reply = bytes([prober.ECHO_REPLY]) + request[1:]
        self.assertEqual(prober.parse_reply(ip + reply, 7), 70_000)
        self.assertIsNone(prober.parse_reply(ip + reply, 8))
        self.assertIsNone(prober.parse_reply(ip + request, 7))
        self.assertIsNone(prober.parse_reply(ip + reply[:12], 7))
        self.assertIsNone(prober.parse_reply(b"", 7))

    def test_time_stamps_are_in_nanoseconds(self):
        content = struct.pack("qq", 3, 5)
        self.assertEqual(prober.stamp_ns([(1, prober.TIMESTAMPNS, content)]), 3_000_000_005)


class Limits(unittest.TestCase):
    def test_openssl_says_operations_a_second(self):
        said = "+DT:253:ecdh:1\n+R17:10:253-bits ECDH ops in 1s\n+F5:22:253:25000.5:0.000040\n"
        self.assertAlmostEqual(limits.parse_speed(said), 40, places=2)
        self.assertIsNone(limits.parse_speed("+F5:22:256:25000.5:0.000040\n"))


class Crowds(unittest.TestCase):
    REPORT = {"handshakes": {"established": 50}, "cpu": {"load": {"share": 0.5}, "sink": {"share": 0.25}},
              "load": {"offered_bps": 3e9, "intended_bps": 3e9, "delivered_bps": 2.7e9, "loss": 0.1,
                       "reordered": 3, "corrupt": 0, "kept_schedule": True},
              "bystander": {"received": 2, "rtt_us": {"p50": 50, "p99": 90, "p99_9": 95, "max": 99}}}

    def test_the_generators_report_in_our_units(self):
        metrics = crowds.load_metrics(self.REPORT, (2.0, 1_000_000, 4.0))
        self.assertEqual(metrics["delivered_mbps"], 2700)
        self.assertEqual(metrics["loss_share"], 10)
        self.assertEqual(metrics["cpu_ns_per_packet"], 2000)
        self.assertEqual((metrics["daemon_cpus"], metrics["generator_cpus"]), (0.5, 0.75))
        self.assertEqual(metrics["bystander_p999_us"], 95)

    def test_a_bystander_that_heard_nothing_has_no_figures(self):
        silent = {**self.REPORT, "bystander": {"received": 0}}
        self.assertNotIn("bystander_p99_us", crowds.load_metrics(silent, None))
