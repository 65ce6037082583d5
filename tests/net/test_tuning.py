"""What can be chosen of how a device works: the same tunnel comes of it, and `status` says what it is."""

import json
import os

import lib

BINARY = os.environ.get("TW_BIN", "")
SHORT_QUEUE = 40  # packets of up to 64 KB
OFFLOADS = ("udp_receive", "udp_send", "tun_tcp", "tun_udp", "tun_udp_tunnel")

TOML = """
[node]
control_socket = "{folder}/node.sock"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/node.key"
listen_port = 51820
addresses = ["10.9.0.1/24"]
{tuning}
[[peer]]
public_key = "{peer}"
allowed_ips = ["10.9.0.2/32"]
"""


class Options(lib.NetTest):
    """`thalweg wg` with options on one host, wireguard-go on the other."""

    def tunnel(self, *options):
        one, two = self.net.namespace("one"), self.net.namespace("two")
        self.net.veth(one, two, "198.18.0.1/24", "198.18.0.2/24")
        names = lib.unique_interface(), lib.unique_interface()
        keys = lib.genkey(), lib.genkey()
        device = lib.thalweg(one, "wg", "-f", *options, names[0])
        device.wait_log(f"{names[0]}: up")
        lib.wireguard_go(two, names[1])
        lib.configure(one, names[0], keys[0],
                      [lib.Peer(lib.pubkey(keys[1]), "10.9.0.2/32", "198.18.0.2:51820")], 51820)
        lib.configure(two, names[1], keys[1],
                      [lib.Peer(lib.pubkey(keys[0]), "10.9.0.1/32", "198.18.0.1:51820")], 51820)
        one.address(names[0], "10.9.0.1/24", mtu=1420)
        two.address(names[1], "10.9.0.2/24", mtu=1420)
        return one, two, device

    def check_carries(self, one, two):
        self.assertEqual(len(lib.ping(one, "10.9.0.2").rtt_ms), 3)
        for reverse in (False, True):
            self.assertGreater(lib.iperf3(one, two, "10.9.0.2", 1, reverse).bits_per_second, 1e6)

    def test_no_offload_at_all(self):
        one, two, _ = self.tunnel("--queue-limit-us", "0", "--no-offload", ",".join(OFFLOADS))
        self.check_carries(one, two)

    def test_another_cipher_governor_and_class(self):
        one, two, device = self.tunnel("--cipher", "openssl", "--governor", "adaptive", "--spin-us", "20",
                                       "--dscp", "46")
        self.assertIn("cipher openssl, ", device.log())
        # 46 is 0xb8 as a TOS byte: whatever the inner packets say.
        two.run(["nft", "add table inet seen; add chain inet seen in { type filter hook input priority 0; }; "
                 "add rule inet seen in udp dport 51820 ip dscp 46 counter; "
                 "add rule inet seen in udp dport 51820 ip dscp != 46 counter"])
        self.check_carries(one, two)
        counted = [rule["rule"]["expr"][-1]["counter"]["packets"] for rule in json.loads(
            two.run("nft -j list chain inet seen in").stdout)["nftables"] if "rule" in rule]
        self.assertGreater(counted[0], 100)
        self.assertEqual(counted[1], 0)

    def test_wrong_values_are_errors_of_usage(self):
        host = self.net.namespace("host")
        for options, word in ((["--cipher", "aes"], '"automatic", "ipsec-mb", "boringssl", "openssl"'),
                              (["--governor", "lazy"], '"interrupt"'),
                              (["--governor", "adaptive", "--spin-us", "0"], "spin-us"),
                              (["--spin-us", "9"], "--governor"),
                              (["--queue-limit-us", "-1"], "queue-limit-us"),
                              (["--dscp", "64"], "from 0 to 63"),
                              (["--no-offload", "tun_tpc"], "tun_tpc")):
            done = host.run([BINARY, "wg", *options, lib.unique_interface()], check=False)
            self.assertEqual(done.returncode, 2, options)
            self.assertIn(word, done.stderr)
        text = host.run([BINARY, "wg", "--help"]).stdout
        for option in ("--cipher", "--governor", "--spin-us", "--queue-limit-us", "--dscp", "--no-offload"):
            self.assertIn(option, text)


class Node(lib.NetTest):
    """`thalweg run` with the same in its file."""

    def setUp(self):
        super().setUp()
        self.host = self.net.namespace("host")
        self.interface, self.peer = lib.unique_interface(), lib.pubkey(lib.genkey())
        key = f"{self.net.folder}/node.key"
        with open(key, "w", encoding="ascii") as stream:
            stream.write(lib.genkey() + "\n")
        os.chmod(key, 0o600)

    def write(self, tuning):
        path = f"{self.net.folder}/node.toml"
        with open(path, "w", encoding="ascii") as stream:
            stream.write(TOML.format(folder=self.net.folder, interface=self.interface, peer=self.peer,
                                     tuning=tuning))
        return path

    def start(self, tuning):
        node = lib.thalweg(self.host, "run", "-c", self.write(tuning))
        node.wait_log(f"{self.interface}: up")
        return node

    def status(self, *arguments):
        socket = f"{self.net.folder}/node.sock"
        return self.host.run([BINARY, "status", "--socket", socket, *arguments]).stdout

    def test_status_says_what_is_in_effect(self):
        self.start('cipher = "openssl"\nqueue_limit_us = 7000\ngovernor = "adaptive"\nspin_us = 30\n'
                   "[tunnel.offloads]\nudp_send = false\ntun_udp = false")
        status = json.loads(self.status("--json"))
        tuning = status["tuning"]
        self.assertEqual(tuning["offloads"], {"udp_receive": True, "udp_send": False, "tun_tcp": True,
                                              "tun_udp": False,
                                              "tun_udp_tunnel": lib.tun_has_udp_tunnels()})
        chosen = [tuning[key] for key in ("governor", "spin_us", "queue_limit_us")]
        self.assertEqual(chosen, ["adaptive", 30, 7000])
        self.assertEqual(status["cipher_engine"], "openssl")
        self.assertGreater(status["cipher_ns_per_packet"], 0)
        self.assertEqual(status["lost_log_lines"], 0)
        text = self.status()
        tunnel = " tun_udp_tunnel" if lib.tun_has_udp_tunnels() else ""
        missing = "" if lib.tun_has_udp_tunnels() else " tun_udp_tunnel"
        for line in ("cipher: openssl, ",
                     f"offloads: tun_tcp{tunnel} udp_receive; not: tun_udp{missing} udp_send",
                     "queues: 7000 us", "governor: adaptive, 30 us"):
            self.assertIn(line, text)

    def test_by_default_everything_is_on_and_every_engine_was_tried(self):
        self.start("")
        status = json.loads(self.status("--json"))
        self.assertEqual(status["tuning"]["offloads"],
                         dict.fromkeys(OFFLOADS, True) | {"tun_udp_tunnel": lib.tun_has_udp_tunnels()})
        engines = {engine["name"]: engine for engine in status["ciphers"]}
        self.assertEqual(set(engines), {"ipsec-mb", "boringssl", "openssl"})
        for engine in engines.values():
            self.assertTrue(engine["refused"] or engine["ns_per_packet"] > 0, engine)
        self.assertIn(status["cipher_engine"], engines)

    def test_without_ebpf_the_queue_stays_short(self):
        file = self.write("tx_queue_packets = 1000")
        node = self.host.start(["setpriv", "--bounding-set", "-bpf,-sys_admin", BINARY, "run", "-c", file])
        node.wait_log(f"{self.interface}: its queue is bounded in packets, not in time")
        node.wait_log(f"{self.interface}: up")
        self.assertFalse(json.loads(self.status("--json"))["tuning"]["tun_queue_timed"])
        for reload in (False, True):
            if reload:
                node.signal(1)
                node.wait_log("node.toml: reloaded")
            link = json.loads(self.host.ip(f"-j link show dev {self.interface}"))[0]
            self.assertEqual(link["txqlen"], SHORT_QUEUE)

    def test_a_reload_changes_the_class_and_refuses_the_rest_by_name(self):
        node = self.start("")
        for key, tuning in (("tunnel.cipher", 'cipher = "openssl"'), ("tunnel.governor", 'governor = "busy"'),
                            ("tunnel.queue_limit_us", "queue_limit_us = 3000"),
                            ("tunnel.offloads.tun_tcp", "[tunnel.offloads]\ntun_tcp = false")):
            self.write(tuning)
            node.signal(1)
            node.wait_log(f"reload: {key} cannot change while the node runs; nothing was changed")
        before = self.status("--json")
        self.assertEqual(json.loads(before)["tuning"]["offloads"], dict.fromkeys(OFFLOADS, True))
        self.write('dscp = "inherit"')
        node.signal(1)
        node.wait_log("node.toml: reloaded")


if __name__ == "__main__":
    lib.main()
