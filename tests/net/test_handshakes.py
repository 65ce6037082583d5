"""Handshakes while the CPUs are busy with data, and while most initiations are forged."""

import json
import os
import unittest

import lib
from lib.clients import SINK

# Stands for a data worker that never sleeps: one ordinary thread, pinned, spinning.
SPIN = "import os,sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
REKEY_TIMEOUT_US = 5e6


class Handshakes(lib.ClientsTest):
    """The generator against our device."""

    def setUp(self):
        super().setUp()
        self.target.ip("route add 198.18.0.0/15 via 10.77.0.1")  # where forged sources are

    def device(self, peers):
        return self.serve(peers, lib.thalweg_wg)

    def clients(self, *arguments, timeout=60):
        """The generator, before all others: it is what measures. Returns its report, if one was wanted."""
        done = self.client.run(["nice", "-n", "-15", *self.generator(*arguments)], timeout=timeout)
        return json.loads(done.stdout) if "--json" in arguments else None

    def saturate(self):
        """Two spinning threads on every CPU."""
        for cpu in sorted(os.sched_getaffinity(0)) * 2:
            self.target.start(["python3", "-c", SPIN, cpu], name=f"spin{cpu}")


class BesideSaturatedWorkers(Handshakes):
    def test_every_handshake_is_answered_before_its_retry(self):
        self.device(50)
        self.saturate()
        handshakes = self.clients("--peers", 50, "--handshakes-only", "--outstanding", 32, "--duration", 3,
                                  "--warmup", 0, "--json")["handshakes"]
        self.assertEqual(handshakes["established"], 50)
        self.assertEqual((handshakes["gave_up"], handshakes["retries"]), (0, 0), handshakes)
        # A tenth of a core is some 400 a second; a sanitizer's build has a few times less.
        self.assertGreater(handshakes["per_second"], 40, handshakes)
        self.assertLess(handshakes["response_us"]["max"], REKEY_TIMEOUT_US / 2, handshakes)

    @unittest.skipUnless(os.environ.get("TW_LONG"), "takes minutes: TW_LONG=1")
    def test_a_thousand_peers_rekey_on_time(self):
        self.device(1000)
        self.saturate()
        report = self.clients("--peers", 1000, "--rate", "40M", "--size", 400, "--duration", 140,
                              "--warmup", 0, "--sink", SINK, "--sink-netns", self.target.name, "--json",
                              timeout=240)
        self.assertEqual(report["handshakes"]["established"], 1000)
        self.assertEqual(report["handshakes"]["gave_up"], 0)
        load = report["load"]
        self.assertGreaterEqual(load["handshakes"], 1000, "each has rekeyed")
        self.assertEqual(load["no_keypair"], 0, "no keypair has expired before its successor came")


class UnderFlood(Handshakes):
    """Forged sources, a mac1 that fits: what anybody can send who knows a public key."""

    def test_peers_get_through_with_a_cookie(self):
        process = self.device(10)
        report = self.clients("--peers", 10, "--rate", "1M", "--size", 400, "--flood", "spoofed",
                              "--flood-rate", 20000, "--duration", 12, "--warmup", 0,
                              "--sink", SINK, "--sink-netns", self.target.name, "--json")
        self.assertEqual(report["handshakes"]["established"], 10)
        # Now and then a packet waits behind the flood for longer than queue_limit: 5 % is too much.
        self.assertLess(report["load"]["loss"], 0.05, report["load"])
        # Beside a flood that goes on, a second set of handshakes. More of it: a quick processor has a curve
        # operation for each of 20,000, and is not under load.
        again = self.clients("--peers", 10, "--handshakes-only", "--flood", "spoofed", "--flood-rate", 60000,
                             "--duration", 12, "--warmup", 0, "--json")
        handshakes = again["handshakes"]
        self.assertEqual((handshakes["established"], handshakes["gave_up"]), (10, 0), handshakes)
        self.assertGreater(handshakes["cookies"], 0, handshakes)
        self.assertEqual(process.stop(), 0)
        self.assertRegex(process.log(), r"\bunder_load \d+")

    def packets_sent(self):
        """By the clients' host."""
        links = json.loads(self.client.ip("-s -j link show"))
        return sum(link["stats64"]["tx"]["packets"] for link in links)

    def test_a_neighbour_behind_the_same_address_keeps_nobody_out(self):
        """As behind a NAT, or forged: initiations without a cookie from the very address of the clients."""
        process = self.device(5)
        flood = self.client.start(self.generator(
            "--peers", 0, "--flood", "spoofed", "--spoof-from", "10.77.0.1/32", "--flood-rate", 25000,
            "--duration", 70, "--warmup", 0), name="flood")
        lib.wait_until(lambda: self.packets_sent() > 20000, "the flood is under way", timeout=20)
        handshakes = self.clients("--peers", 5, "--handshakes-only", "--duration", 40, "--warmup", 0,
                                  "--json", timeout=90)["handshakes"]
        self.assertEqual((handshakes["established"], handshakes["gave_up"]), (5, 0), handshakes)
        self.assertGreater(handshakes["cookies"], 0, handshakes)
        flood.stop()
        self.assertEqual(process.stop(), 0)

    def test_forged_macs_never_reach_the_handshakes(self):
        process = self.device(10)
        handshakes = self.clients("--peers", 10, "--handshakes-only", "--outstanding", 2,
                                  "--flood", "bad-mac1", "--flood-rate", 20000, "--duration", 3,
                                  "--warmup", 0, "--json")["handshakes"]
        self.assertEqual(handshakes["established"], 10)
        self.assertEqual((handshakes["cookies"], handshakes["gave_up"]), (0, 0), handshakes)
        self.assertEqual(process.stop(), 0)
        self.assertRegex(process.log(), r"\bbad_mac1 \d{4,}")


if __name__ == "__main__":
    lib.main()
