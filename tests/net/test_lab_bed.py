"""`lab_bed`: the emulated link as Python makes it, and statistics that agree with Python's own."""

import json
import random
import subprocess
import unittest

import lib
from lib import statistics
from lib.link import Link, lab_bed, link_command


class EmulatedLink(lib.NetTest):
    """Host a, a link, host b: in both address families."""

    def setUp(self):
        super().setUp()
        self.a, self.b = self.net.namespace("a"), self.net.namespace("b")

    def link(self, *options, rate_mbps=50, rtt_ms=40, queue_ms=50):
        argv = link_command(lab_bed(), self.a, self.b, rate_mbps, rtt_ms, queue_ms, options)
        link = Link(self.net, argv, self.a, self.b, ["10.88.0.1/24", "10.88.0.2/24"])
        self.a.ip("address add fd88::1/64 dev to-b nodad")
        self.b.ip("address add fd88::2/64 dev to-a nodad")
        return link

    def test_a_round_trip_takes_what_was_asked_for(self):
        link = self.link()
        for target in ("10.88.0.2", "fd88::2"):
            ping = lib.ping(self.a, target, count=5)
            self.assertEqual(ping.received, 5)
            for rtt_ms in ping.rtt_ms:
                self.assertGreaterEqual(rtt_ms, 39.9)
            self.assertLess(min(ping.rtt_ms), 60)
        self.assertEqual(link.dropped(), 0)

    def test_losses_are_of_their_direction(self):
        self.link("--back-loss-ppm=1000000")
        for target in ("10.88.0.2", "fd88::2"):
            self.assertEqual(lib.ping(self.a, target, count=2, wait=1).received, 0)
        received = self.b.run(["cat", "/sys/class/net/to-a/statistics/rx_packets"]).stdout
        self.assertGreaterEqual(int(received), 4)

    def test_a_full_queue_drops_and_counts_and_the_rate_changes(self):
        link = self.link("--then-mbps=200", rate_mbps=1, rtt_ms=2, queue_ms=200)
        lib.ping(self.a, "10.88.0.2", count=1)
        flood = {"count": 200, "interval": 0.01, "size": 7000, "wait": 1}  # 5.7 Mbps, in five fragments each
        lib.ping(self.a, "10.88.0.2", **flood)
        before = link.dropped()
        self.assertGreater(before, 20)
        link.change_rate()
        self.assertGreater(lib.ping(self.a, "10.88.0.2", **flood).received, 190)
        self.assertEqual(link.dropped(), before)

    def test_wrong_words_are_named(self):
        link = ["link", "no-such", "x", "neither", "y", "1", "1", "1"]
        for words, code, said in ((["link"], 2, "usage"), ([], 2, "usage"), (["sideways"], 2, "usage"),
                                  (link, 1, "/run/netns/no-such"), ([*link, "--back-colour=1"], 2, "colour")):
            done = subprocess.run([lab_bed(), *words], capture_output=True, text=True, timeout=20,
                                  check=False)
            self.assertEqual(done.returncode, code, words)
            self.assertIn(said, done.stderr)


class Statistics(unittest.TestCase):
    """The lab in C++ and bench/ in Python come to the same figures."""

    def check(self, values):
        done = subprocess.run([lab_bed(), "statistics"], input=" ".join(map(repr, values)), text=True,
                              capture_output=True, check=True, timeout=20)
        told = json.loads(done.stdout)
        summary = statistics.summarize(values)
        mean, low, high = statistics.mean_interval(values)
        self.assertEqual(told["count"], len(values))
        self.assertEqual(tuple(told["modes"]), summary.modes, values)
        for name, value in (("median", summary.median), ("min", summary.least), ("max", summary.most),
                            ("mean", mean), ("low", low), ("high", high),
                            ("nearest_p50", statistics.nearest_rank(values, 0.5)),
                            ("nearest_p99", statistics.nearest_rank(values, 0.99))):
            if value is None:
                self.assertNotIn(name, told)
            else:
                self.assertAlmostEqual(told[name], value, delta=1e-9 * max(1.0, abs(value)),
                                       msg=f"{name} {values}")

    def test_of_few_values_and_of_many(self):
        draw = random.Random(1)
        for count in (1, 2, 3, 4, 5, 6, 10, 30, 31, 32, 100, 1000):
            self.check([draw.gauss(100, 20) for _ in range(count)])
            self.check([float(draw.randrange(3)) for _ in range(count)])

    def test_of_two_modes_and_of_what_looks_like_them(self):
        for values in ([1.0, 1.05, 2.0, 2.1, 1.02], [1.0, 1.0, 1.0, 1.0, 2.0], [1.0, 1.0, 5.0, 5.0],
                       [-5.0, -5.1, -1.0, -1.1], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0],
                       [1.0, 1.0, 3.0, 5.0, 5.0], [0.0, 0.0, 0.0, 2.0, 2.0], [-5.0, -5.0, 5.0, 5.0]):
            self.check(values)

    def test_of_what_is_no_number(self):
        for text in ("", "1 2 x", "one"):
            done = subprocess.run([lab_bed(), "statistics"], input=text, capture_output=True, text=True,
                                  timeout=20, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""))


if __name__ == "__main__":
    lib.main()
