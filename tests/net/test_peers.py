"""`thalweg peer`: a client of a running node by one command, and nothing left of what is refused."""

import json
import os
import re
import stat

import lib
import test_node
from test_node import BINARY, TOML

INCLUDING = TOML.replace("[[peer]]", """include = ["peers.d/*.toml"]
public_endpoint = "198.18.0.1:51820"
[[peer]]""", 1)


class Peers(test_node.Node):
    def setUp(self):
        super().setUp()
        self.peers_d = f"{self.folder}/peers.d"
        os.mkdir(self.peers_d, 0o700)
        self.configure(INCLUDING)
        self.start()

    def command(self, *arguments):
        return [BINARY, "peer", arguments[0], "--socket", f"{self.folder}/node.sock", *arguments[1:]]

    def peer(self, *arguments):
        return self.host.run(self.command(*arguments)).stdout

    def refused(self, said, *arguments):
        before = sorted(os.listdir(self.peers_d))
        done = self.host.run(self.command(*arguments), check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, said)
        self.assertEqual(sorted(os.listdir(self.peers_d)), before)

    def known(self):
        return [peer["name"] for peer in self.status()["peers"]]

    def connect_by(self, conf):
        """wireguard-go on the client's host by a file as `peer add` prints it; returns its interface."""
        interface = lib.unique_interface()
        lib.wireguard_go(self.client, interface)
        # What wg-quick does: its own lines are taken out, and followed.
        lib.wg(self.client, "setconf", interface, "/dev/stdin",
               stdin=re.sub(r"(?m)^(Address|DNS|MTU) .*\n", "", conf))
        addresses = re.search(r"(?m)^Address = (.*)$", conf).group(1).split(", ")
        self.client.address(interface, *addresses, mtu=1420)
        for route in re.search(r"(?m)^AllowedIPs = (.*)$", conf).group(1).split(", "):
            self.client.ip(f"{'-6 ' if ':' in route else ''}route add {route} dev {interface}")
        return interface

    def test_a_client_by_the_file_that_was_printed(self):
        conf = self.peer("add", "carl", "--routes", "10.9.0.0/24,fd09::/64")
        self.assertIn("\nAddress = 10.9.0.3/32, fd09::3/128\n", conf)
        file = f"{self.peers_d}/carl.toml"
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        with open(file, encoding="utf-8") as stream:
            self.assertNotIn(re.search(r"PrivateKey = (\S+)", conf).group(1), stream.read())
        self.assertEqual(self.known(), ["anna", "mute", "carl"])
        self.connect_by(conf)
        for address in ("10.9.0.1", "fd09::1"):
            self.assertEqual(lib.ping(self.client, address, 3).received, 3)
        shown = json.loads(self.peer("show", "carl", "--json"))
        self.assertEqual((shown["file"], shown["line"]), (file, 2))
        self.assertGreater(shown["state"]["last_handshake_s"], 0)
        # Fifty more while it talks: not a packet is lost.
        flood = self.client.start(["ping", "-n", "-i", "0.005", "-w", "60", "10.9.0.1"])
        flood.wait_log("icmp_seq=3 ")
        self.peer("add", "phone", "--count", "50", "--out", f"{self.folder}/out")
        self.peer("rename", "carl", "charles")
        flood.signal(2)
        flood.wait()
        self.assertEqual(lib.unanswered(flood.log()), [])
        self.assertEqual(len(self.known()), 53)
        made = sorted(os.listdir(f"{self.folder}/out"))
        names = [f"phone-{number:02}" for number in range(1, 51)]
        self.assertEqual(made, sorted(f"{name}.{kind}" for name in names for kind in ("conf", "png")))
        modes = {stat.S_IMODE(os.stat(f"{self.folder}/out/{name}").st_mode) for name in made}
        self.assertEqual(modes, {0o600})
        listed = json.loads(self.peer("list", "--json"))["peers"]
        addresses = [address for peer in listed for address in peer["allowed_ips"]]
        self.assertEqual(len(set(addresses)), len(addresses))
        # Renamed, it is the same client: the session has gone on.
        shown = json.loads(self.peer("show", "charles", "--json"))
        self.assertEqual(shown["file"], f"{self.peers_d}/charles.toml")
        self.assertGreater(shown["state"]["received_bytes"], 0)
        self.peer("remove", "charles", *names)
        self.assertEqual((self.known(), os.listdir(self.peers_d)), (["anna", "mute"], []))

    def test_what_is_refused_leaves_nothing(self):
        self.peer("add", "carl")
        out = f"{self.folder}/out"
        self.refused("a peer has the name", "add", "carl")
        self.refused("cannot be the name", "add", "../carl")
        self.refused("is in 10.9.0.9/32 of peer \"mute\"", "add", "eve", "--address", "10.9.0.9")
        self.refused("is this node's own", "add", "eve", "--address", "fd09::1")
        self.refused("anna\" stands with others, in .*node.toml, line", "remove", "anna")
        self.refused("did you mean \"carl\"", "remove", "karl")
        self.refused("a peer has the name", "rename", "carl", "anna")
        # The node refuses: a rule names him; a mistake of somebody else's; what a reload cannot change.
        self.configure(INCLUDING.replace('from = ["anna"]', 'from = ["carl"]'))
        self.refused(r'policy\[1\]\.from\[1\]: "carl" is neither', "remove", "carl")
        self.refused(r'policy\[1\]\.from\[1\]: "carl" is neither', "rename", "carl", "charles")
        self.configure(INCLUDING + "nonsense = 1\n")
        self.refused("unknown key(.|\n)*mend them first", "add", "eve", "--out", out)
        self.configure(INCLUDING.replace("listen_port", "mtu = 1300\nlisten_port"))
        self.refused("tunnel.mtu cannot change .*; the files are as they were", "add", "eve", "--out", out)
        self.assertEqual(os.listdir(out), [])
        self.configure(INCLUDING)
        # Nobody has seen his key: he is of no use.
        full = self.host.run(["bash", "-c", '"$@" >/dev/full', "bash", *self.command("add", "eve")],
                             check=False)
        self.assertEqual(full.returncode, 1)
        self.assertIn("No space left", full.stderr)
        self.assertEqual((self.known(), os.listdir(self.peers_d)), (["anna", "mute", "carl"], ["carl.toml"]))
        with open(f"{self.peers_d}/carl.toml", encoding="utf-8") as stream:
            self.assertIn('name = "carl"', stream.read())

    def test_several_at_once_share_nothing(self):
        names = [f"c{i}" for i in range(6)]
        running = [self.host.start(self.command("add", name)) for name in names]
        for process in running:
            self.assertEqual(process.wait(), 0, process.log())
        addresses = [re.search(r"Address = (.*)", process.log()).group(1) for process in running]
        self.assertEqual(len(set(addresses)), len(names))
        self.assertEqual(sorted(self.known()), sorted(["anna", "mute", *names]))

    def test_on_a_terminal_a_telephone_can_read_it(self):
        shown = self.host.run(["script", "-qec", " ".join(self.command("add", "phone")), "/dev/null"]).stdout
        self.assertRegex(shown, r"PrivateKey = \S+")
        code = [line for line in shown.splitlines() if line.startswith("\x1b[97;40m")]
        self.assertGreater(len(code), 20)
        self.assertLessEqual(max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in code), 80)
        # Without a node, by its file.
        self.node.stop()
        done = self.host.run([BINARY, "peer", "add", "later", "-c", self.file,
                              "--public-key", self.names["ben"]])
        self.assertIn("no node runs with", done.stderr)
        self.assertNotRegex(done.stdout, r"(?m)^PrivateKey")
        self.start()
        self.assertEqual(self.known(), ["anna", "mute", "later", "phone"])


if __name__ == "__main__":
    lib.main()
