"""Tests `gateway.notrack`: the tunnel's own datagrams have no entry in the table of tracked connections with
it, and one without; a firewall that lets answers in by `ct state established` drops them, as `thalweg check`
warns.
"""

import os
import pathlib
import signal

import lib

BINARY = os.environ.get("TW_BIN", "")

TOML = """
[node]
control_socket = "{folder}/node.sock"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/node.key"
listen_port = {port}
addresses = ["10.9.0.1/24"]
[[peer]]
name = "anna"
public_key = "{anna}"
endpoint = "{endpoint}"
allowed_ips = ["10.9.0.2/32"]
{gateway}
"""
OUTER = {4: ("198.18.0.1", "198.18.0.2"), 6: ("2001:db8::1", "2001:db8::2")}
# What asks first is let out, and answers to it in: as many a machine is set up.
ANSWERS_ONLY = ("table inet answers { chain in { type filter hook input priority 10; policy drop; "
                "ct state established accept; iif lo accept; icmpv6 type { nd-neighbor-solicit, "
                "nd-neighbor-advert } accept; iifname \"tw*\" accept; %s }; }")


class Notrack(lib.NetTest):
    """A node with a peer, whose datagrams come and go by either family."""

    def setUp(self):
        super().setUp()
        self.host, self.peer = self.net.namespace("node"), self.net.namespace("anna")
        self.folder = self.net.folder
        self.net.veth(self.host, self.peer, ["198.18.0.1/24", "2001:db8::1/64"],
                      ["198.18.0.2/24", "2001:db8::2/64"])
        self.keys = [lib.genkey(), lib.genkey()]
        self.interface, self.far = lib.unique_interface(), lib.unique_interface()
        with open(os.open(f"{self.folder}/node.key", os.O_CREAT | os.O_WRONLY, 0o600), "w",
                  encoding="ascii") as stream:
            stream.write(self.keys[0] + "\n")
        lib.wireguard_go(self.peer, self.far)
        lib.configure(self.peer, self.far, self.keys[1],
                      [lib.Peer(lib.pubkey(self.keys[0]), "10.9.0.1/32")], 51821)
        self.peer.address(self.far, "10.9.0.2/24", mtu=1420)
        self.file = pathlib.Path(self.folder, "node.toml")

    def configure(self, family, gateway="", port=51820):
        there = f"[{OUTER[family][1]}]" if family == 6 else OUTER[family][1]
        self.file.write_text(TOML.format(
            folder=self.folder, interface=self.interface, port=port, anna=lib.pubkey(self.keys[1]),
            endpoint=f"{there}:51821", gateway=f"[gateway]\n{gateway}\n"), encoding="utf-8")

    def start(self):
        self.node = lib.thalweg(self.host, "run", "-c", self.file)
        self.node.wait_log(r"up, port \d+")

    def reload(self):
        before = self.node.log().count("reloaded")
        self.node.signal(signal.SIGHUP)
        lib.wait_until(lambda: self.node.log().count("reloaded") > before, "the reload")

    def tracked(self):
        """Entries of the tunnel's own flow, by address family."""
        table = self.host.run(["cat", "/proc/net/nf_conntrack"]).stdout
        return [line.split()[0] for line in table.splitlines() if "port=51821 " in line]

    def talks(self):
        return lib.ping(self.host, "10.9.0.2", 3).received == 3

    def test_the_flow_is_tracked_unless_it_is_not_to_be(self):
        for family, name in ((4, "ipv4"), (6, "ipv6")):
            self.configure(family)
            self.start()
            self.assertTrue(self.talks())
            self.assertIn(name, self.tracked())
            self.assertEqual(self.node.stop(), 0)

    def test_with_it_there_is_no_entry(self):
        for family in OUTER:
            self.configure(family, "notrack = true")
            self.start()
            self.assertTrue(self.talks())
            self.assertTrue(lib.iperf3(self.host, self.peer, "10.9.0.2", 1).bytes)
            self.assertEqual(self.tracked(), [])
            self.assertIn("notrack", self.host.run("nft list ruleset").stdout)
            self.assertEqual(self.node.stop(), 0)
            self.assertNotIn("notrack", self.host.run("nft list ruleset").stdout)

    def test_a_reload_turns_it_on_and_off(self):
        self.configure(6, "notrack = true")
        self.start()
        self.assertTrue(self.talks())
        self.assertEqual(self.tracked(), [])
        self.configure(6)
        self.reload()
        self.assertTrue(self.talks())
        self.assertEqual(self.tracked(), ["ipv6"])
        self.configure(6, "notrack = true")
        self.reload()
        self.assertIn("notrack", self.host.run("nft list ruleset").stdout)
        self.node.signal(signal.SIGKILL)
        self.node.wait()
        lib.wait_until(lambda: "notrack" not in self.host.run("nft list ruleset").stdout, "its end")

    def test_it_follows_the_port(self):
        """The rule is for the port that the device has, whoever has chosen it."""
        self.configure(4, "notrack = true", port=0)
        self.start()
        lib.wg(self.host, "set", self.interface, "listen-port", 51829)
        lib.wait_until(lambda: "sport 51829 notrack" in self.host.run("nft list ruleset").stdout, "the rule")
        self.assertTrue(self.talks())
        self.assertEqual(self.tracked(), [])

    def test_check_warns_and_says_which_rules_it_needs(self):
        self.configure(4, "notrack = true")
        done = self.host.run([BINARY, "check", "-c", self.file], check=False)
        said = done.stdout + done.stderr
        self.assertRegex(said, r"gateway\.notrack: .*`ct state established` drops .*`udp dport 51820` in")
        self.configure(4)
        done = self.host.run([BINARY, "check", "-c", self.file], check=False)
        self.assertNotIn("notrack", done.stdout + done.stderr)
        # What it warns of, and that the rule helps.
        self.configure(4, "notrack = true")
        self.start()
        self.host.run(["nft", ANSWERS_ONLY % ""])
        self.assertFalse(self.talks())
        self.host.run(["nft", "add rule inet answers in udp dport 51820 accept"])
        lib.wait_until(self.talks, "the tunnel", 15)


if __name__ == "__main__":
    lib.main()
