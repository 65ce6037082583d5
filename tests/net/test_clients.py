"""`thalweg lab clients`, the load generator, against Debian's wireguard-go and our own device."""

import json
import os
import re
import signal

import lib
from lib.clients import INNER, SINK

PEERS = 20


class Clients(lib.ClientsTest):
    """Short runs of the generator."""

    def device(self, program, peers=PEERS):
        """Starts a device that knows the clients."""
        if program == "thalweg":
            # On a busy machine a packet may wait for longer than a device allows: here all are counted.
            return self.serve(peers, lib.thalweg_wg, "--queue-limit-us", "0")
        return self.serve(peers, lib.wireguard_go)

    def clients(self, *arguments, check=True):
        """The generator, run to its end."""
        return self.client.run(self.generator(*arguments), check=check, timeout=60)

    def load(self, *arguments, peers=PEERS, rate="4M"):
        """A short run with sink and bystander; returns its report."""
        done = self.clients("--peers", peers, "--rate", rate, "--sink", SINK,
                            "--sink-netns", self.target.name,
                            "--bystander", "--bystander-interval", 20, "--duration", 2, "--warmup", 0.5,
                            "--json", *arguments)
        return json.loads(done.stdout)

    def all_arrived(self, report, peers=PEERS):
        load = report["load"]
        self.assertEqual(report["handshakes"]["established"], peers)
        self.assertGreater(load["sent"], 400)
        self.assertEqual(load["received"], load["sent"], load)
        for wrong in ("lost", "reordered", "repeated", "corrupt", "foreign", "refused", "no_keypair"):
            self.assertEqual(load[wrong], 0, load)
        bystander = report["bystander"]
        self.assertGreater(bystander["sent"], 80)
        self.assertEqual(bystander["received"], bystander["sent"])
        rtt = bystander["rtt_us"]
        self.assertGreater(rtt["p50"], 0)
        self.assertLessEqual(rtt["p50"], rtt["p99"])
        self.assertLessEqual(rtt["p99"], rtt["p99_9"])
        self.assertLessEqual(rtt["p99_9"], rtt["max"])
        for thread in ("load", "sink", "bystander"):
            self.assertGreater(report["cpu"][thread]["user_s"] + report["cpu"][thread]["system_s"], 0)


class Load(Clients):
    def test_of_lone_packets_on_wireguard_go(self):
        self.device("wireguard-go")
        report = self.load("--per-peer")
        self.all_arrived(report)
        counts = [peer["received"] for peer in report["load"]["peers"]]
        self.assertEqual(len(counts), PEERS)
        self.assertLessEqual(max(counts) - min(counts), 1)  # in turn

    def test_of_lone_packets_on_thalweg(self):
        self.device("thalweg")
        self.all_arrived(self.load())

    def test_of_trains(self):
        self.device("thalweg")
        self.all_arrived(self.load("--burst", 8, "--size", 1000))

    def test_of_bursts_of_different_peers_on_one_socket(self):
        self.device("wireguard-go")
        self.all_arrived(self.load("--burst", 8, "--interleave", "--sockets", 1, "--size", 600))

    def test_sealed_ahead(self):
        self.device("thalweg")
        report = self.load("--sealed-ahead", "--burst", 4)
        self.all_arrived(report)
        # 4 Mbps for 2 s; a busy machine may make it give some up, but not more than are due.
        load = report["load"]
        self.assertLessEqual(load["sent"], 4e6 * 2 / (8 * 1420) + 8)
        self.assertGreater(load["sent"] + load["skipped"], 4e6 * 2 / (8 * 1420) - 8)

    def test_trains_where_the_device_cannot_take_them(self):
        self.device("wireguard-go")
        self.client.run("ethtool -K to-t tx off gso off")
        self.all_arrived(self.load("--burst", 8))

    def test_as_a_table(self):
        self.device("thalweg")
        done = self.clients("--peers", 2, "--rate", "1M", "--sink", SINK, "--sink-netns", self.target.name,
                            "--duration", 0.5, "--warmup", 0)
        self.assertRegex(done.stdout, r"2 of 2 peers established")
        self.assertRegex(done.stdout, r" 0 lost")
        self.assertRegex(done.stdout, r"own CPU")


class Handshakes(Clients):
    def check_handshakes(self, program):
        self.device(program)
        done = self.clients("--peers", PEERS, "--handshakes-only", "--outstanding", 4, "--duration", 1,
                            "--warmup", 0, "--json")
        handshakes = json.loads(done.stdout)["handshakes"]
        self.assertEqual(handshakes["established"], PEERS)
        self.assertGreater(handshakes["completed"], PEERS)
        self.assertEqual(handshakes["response_us"]["count"], handshakes["completed"])

    def test_on_thalweg(self):
        self.check_handshakes("thalweg")

    def test_on_wireguard_go(self):
        self.check_handshakes("wireguard-go")


class Floods(Clients):
    """What an attacker sends reaches the target as what it is meant to be, and the peers go on."""

    def check_flood(self, kind, drop):
        process = self.device("thalweg")
        self.target.ip("route add 198.18.0.0/15 via 10.77.0.1")
        report = self.load("--flood", kind, "--flood-rate", 500)
        self.assertGreater(report["flood"]["sent"], 500)
        self.assertEqual(report["flood"]["refused"], 0)
        self.assertEqual(report["load"]["lost"], 0)
        self.assertEqual(process.stop(), 0)
        self.assertRegex(process.log(), rf"from the wire: .*dropped.*\b(?:{drop}) \d+")

    def test_of_initiations_without_mac1(self):
        self.check_flood("bad-mac1", "bad_mac1")

    def test_of_initiations_from_everywhere(self):
        self.check_flood("spoofed", "bad_handshake|under_load")

    def test_of_data_for_nobody(self):
        self.check_flood("random-index", "no_keypair")

    def test_alone(self):
        process = self.device("thalweg")
        done = self.clients("--peers", 0, "--flood", "random-index", "--flood-rate", 1000, "--duration", 0.5,
                            "--warmup", 0, "--json")
        self.assertGreater(json.loads(done.stdout)["flood"]["sent"], 300)
        self.assertEqual(process.stop(), 0)


class Refusals(Clients):
    def fails(self, *arguments, code=1, error):
        done = self.clients(*arguments, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertRegex(done.stderr, error)
        self.assertEqual(done.stdout, "")

    def here(self, *arguments):
        return ("--peers", 2, "--sink", SINK, "--sink-netns", self.target.name, *arguments)

    def test_a_target_that_is_not_there(self):
        self.target.ip(f"address add {INNER}/32 dev lo")
        self.fails(*self.here("--handshake-timeout", 2), error="no handshake with 10.77.0.2:51820")

    def test_a_target_with_another_key(self):
        self.device("thalweg")
        key = lib.pubkey(lib.genkey())
        self.fails(*self.here("--handshake-timeout", 1, "--target-key", key), error="nothing came back")

    def test_a_namespace_that_is_not_there(self):
        self.fails("--sink", SINK, "--sink-netns", "no-such", error="no network namespace no-such")

    def test_a_sink_that_is_taken(self):
        self.target.ip(f"address add {INNER}/32 dev lo")
        other = self.target.start(["python3", "-c", "import socket, time\n"
                                   "taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                                   f"taken.bind(('{INNER}', 7000))\nprint('bound', flush=True)\n"
                                   "taken.recv(1)"])
        other.wait_log("bound")
        self.fails(*self.here(), error="10.200.0.1:7000: Address already in use")

    def test_wrong_usage(self):
        self.fails("--peers", 2, code=2, error="--sink ADDR:PORT")
        self.fails(*self.here("--rate", "much"), code=2, error="--rate much")
        self.fails(*self.here("--sealed-ahead", "--rate", "100G"), code=2, error="--ahead-memory")

    def test_an_interrupt_ends_it_with_what_there_is(self):
        self.device("thalweg")
        process = self.client.start(self.generator(
            "--rate", "1M", *map(str, self.here("--duration", 60, "--warmup", 0))))

        def loading():
            shown = lib.wg(self.target, "show", self.name, "transfer")
            return any(int(received) > 20_000 for received in re.findall(r"\t(\d+)\t", shown))
        lib.wait_until(loading, "data from the clients")
        os.kill(process.pid, signal.SIGINT)
        lib.wait_until(lambda: process.exit_code is not None, "the generator's end")
        self.assertEqual(process.exit_code, 130)
        self.assertRegex(process.log(), r" 0 lost")
        self.assertRegex(process.log(), r"interrupted")


if __name__ == "__main__":
    lib.main()
