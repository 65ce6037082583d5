"""Two data workers under load from clients by the hundred, all behind one address, whoever steers."""

import json
import re

import lib
from lib.clients import SINK


class Load(lib.ClientsTest):
    """`target` runs `thalweg wg`; `client` is the host of the load generator."""

    def check(self, steering, peers, *arguments):
        """Returns, by worker, the segments from the wire that its socket got, and that left by its queue."""
        device = self.serve(peers, lib.thalweg_wg, "--queue-limit-us", "0", "--workers", "2",
                            "--steering", steering)
        done = self.client.run(self.generator(
            "--peers", peers, "--rate", "20M", "--sink", SINK, "--sink-netns", self.target.name,
            "--bystander", "--bystander-interval", 20, "--duration", 2, "--warmup", 0.5, "--json",
            *arguments), timeout=90)
        report = json.loads(done.stdout)
        load = report["load"]
        self.assertEqual(report["handshakes"]["established"], peers)
        self.assertGreater(load["sent"], 2000)
        self.assertEqual(load["received"], load["sent"], load)
        for wrong in ("lost", "reordered", "repeated", "corrupt", "foreign", "refused", "no_keypair"):
            self.assertEqual(load[wrong], 0, load)
        self.assertEqual(report["bystander"]["received"], report["bystander"]["sent"])
        device.stop()
        self.assertNotIn("steer", device.log())
        counts = re.findall(r"from the wire: (\d+) in, (\d+) out, dropped nothing", device.log())
        self.assertEqual(len(counts), 2, device.log())
        self.assertEqual(len(re.findall(r"to the wire: .* dropped nothing", device.log())), 2)
        workers = [tuple(map(int, pair)) for pair in counts]
        for _, out in workers:
            self.assertGreater(out, 0.35 * load["sent"], workers)
        return workers, load["sent"]

    def test_a_thousand_clients_behind_one_address_steered_by_the_kernel(self):
        workers, sent = self.check("kernel", 1000)
        # Each packet has come where it belongs, and all else are handshakes and keepalives.
        for came, left in workers:
            self.assertGreaterEqual(came, left, workers)

    def test_a_thousand_clients_behind_one_address_steered_by_the_workers(self):
        self.check("user", 1000)

    def test_trains_that_mix_the_peers_of_both_steered_by_the_kernel(self):
        self.check("kernel", 100, "--sockets", 1, "--burst", 16, "--interleave")

    def test_trains_that_mix_the_peers_of_both_steered_by_the_workers(self):
        # One address and port: the kernel's hash gives all to one socket, whose worker passes half on.
        workers, sent = self.check("user", 100, "--sockets", 1, "--burst", 16, "--interleave")
        self.assertLess(min(came for came, _ in workers), 0.1 * sent, workers)
        self.assertGreater(max(came for came, _ in workers), sent, workers)


if __name__ == "__main__":
    lib.main()
