"""`lab_bed`: the emulated link as Python makes it, and statistics that agree with Python's own."""

import json
import subprocess
import unittest

import lib
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
        link = self.link("--then-mbps=200", rate_mbps=1, rtt_ms=2, queue_ms=20)
        lib.ping(self.a, "10.88.0.2", count=1)
        flood = {"count": 200, "interval": 0.002, "size": 1400, "wait": 1}  # 5.7 Mbps
        lib.ping(self.a, "10.88.0.2", **flood)
        before = link.dropped()
        self.assertGreater(before, 20)
        link.change_rate()
        self.assertGreater(lib.ping(self.a, "10.88.0.2", **flood).received, 190)
        self.assertEqual(link.dropped(), before)

    def test_wrong_words_are_named(self):
        for words, code, said in ((["link"], 2, "usage"), ([], 2, "usage"), (["sideways"], 2, "usage"),
                                  (["link", "no-such", "x", "neither", "y", "1", "1", "1"], 1, "/run/netns/no-such"),
                                  (["link", "a", "x", "b", "y", "1", "1", "1", "--back-colour=1"], 2, "colour")):
            done = subprocess.run([lab_bed(), *words], capture_output=True, text=True, timeout=20, check=False)
            self.assertEqual(done.returncode, code, words)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    lib.main()
