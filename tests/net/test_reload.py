"""`thalweg reload`: what it answers, and what it leaves alone."""

import json
import os
import signal
import time

import lib
import test_node
from test_node import BINARY, MORE_TOML, TOML


class Answer(test_node.Node):
    def setUp(self):
        super().setUp()
        self.start()

    def reload(self, *arguments):
        return self.host.run([BINARY, "reload", "--socket", f"{self.folder}/node.sock", *arguments],
                             check=False)

    def taken(self, *arguments):
        done = self.reload(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def turned_down(self, said, *arguments):
        done = self.reload(*arguments)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertRegex(done.stderr, said)

    def peers(self):
        return [peer["name"] for peer in self.status()["peers"]]

    def test_it_says_what_it_has_changed(self):
        self.assertIn("reloaded; nothing is different", self.taken())
        self.configure(TOML.replace("masquerade = ", "clamp_mss = false\nmasquerade = ") + MORE_TOML)
        dry = self.taken("--dry-run")
        for line in ("a reload would change", "  peer ben: added\n", "  gateway.clamp_mss: true, now false\n",
                     "  policy: 1 rules, now 2\n"):
            self.assertIn(line, dry)
        self.assertEqual(self.peers(), ["anna", "mute"])
        done = self.taken()
        self.assertEqual(done.splitlines()[1:], dry.splitlines()[1:])
        self.assertEqual(self.peers(), ["anna", "mute", "ben"])
        self.assertIn("nothing would be", self.taken("--dry-run"))
        self.configure(TOML)
        answer = json.loads(self.taken("--json"))
        self.assertIn("peer ben: removed", answer["changes"])
        self.assertTrue(answer["ok"])
        self.assertEqual(self.peers(), ["anna", "mute"])

    def test_the_file_names_its_node(self):
        command = [BINARY, "reload", "-c", self.file]
        self.assertIn("nothing is different", self.host.run(command).stdout)
        self.configure(TOML + MORE_TOML + "nonsense = 1\n")  # and says so itself
        done = self.host.run(command, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"unknown key.*\n.*has mistakes; nothing was changed")
        self.configure("[tunnel\n")
        done = self.host.run(command, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"node\.toml:1:\d+: not TOML")
        both = self.host.run([*command, "--socket", f"{self.folder}/node.sock"], check=False)
        self.assertEqual(both.returncode, 2)

    def test_peers_in_files_of_their_own(self):
        os.mkdir(f"{self.folder}/peers.d", 0o700)
        included = TOML.replace("[[peer]]", 'include = ["peers.d/*.toml"]\n[[peer]]', 1)
        self.configure(included)
        self.assertIn("tunnel.include: changed", self.taken())
        ben = '[[peer]]\nname = "ben"\npublic_key = "{ben}"\npreshared_key_file = "ben.psk"\n'
        test_node.write(f"{self.folder}/peers.d/ben.psk", lib.genpsk() + "\n", 0o600)
        self.configure(ben + 'allowed_ips = ["10.9.0.2/32"]\n', f"{self.folder}/peers.d/ben.toml")
        self.turned_down(r"peers\.d/ben\.toml:5:16: peer\[1\]\.allowed_ips\[1\]: 10\.9\.0\.2/32 is "
                         r"peer\[1\]\.allowed_ips\[1\] in \S+/node\.toml, line \d+ too")
        self.assertEqual(self.peers(), ["anna", "mute"])
        checked = self.host.run([BINARY, "check", "-c", self.file], check=False)
        self.assertRegex(checked.stderr, r"peers\.d/ben\.toml:5:16: ")
        self.configure(ben + 'allowed_ips = ["10.9.0.3/32"]\n', f"{self.folder}/peers.d/ben.toml")
        self.assertIn("peer ben: added", self.taken())
        self.assertEqual(self.peers(), ["anna", "mute", "ben"])
        os.unlink(f"{self.folder}/peers.d/ben.toml")
        self.assertIn("peer ben: removed", self.taken())

    def test_it_says_why_nothing_is_changed(self):
        started = self.status()["reload"]
        self.assertTrue(started["succeeded"])
        wrong = TOML + MORE_TOML + "\n[relay.turbo]\ninitcwmd = 5\n[relay.pool]\nlow = -1\n"
        self.configure(wrong)
        for arguments in (("--dry-run",), ()):
            self.turned_down(r"node\.toml:\d+:\d+: relay\.turbo\.initcwmd: unknown key", *arguments)
            self.turned_down(r"relay\.pool\.low", *arguments)  # all of them, not the first
            self.assertEqual(self.peers(), ["anna", "mute"])
            self.assertEqual(self.status()["reload"]["succeeded"], arguments == ("--dry-run",))
        self.assertEqual(self.metric("last_reload_successful"), 0)
        self.assertIn("the last reload was refused", self.host.run(
            [BINARY, "status", "--socket", f"{self.folder}/node.sock"]).stdout)
        done = self.reload("--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(json.loads(done.stdout)["mistakes"]), 2)
        self.configure(TOML.replace("listen_port", "mtu = 1300\nlisten_port"))
        for arguments in (("--dry-run",), ()):
            self.turned_down(r"tunnel\.mtu cannot change while the node runs", *arguments)
        self.node.wait_log(r"reload: tunnel\.mtu cannot change")  # whoever asked
        self.assertEqual(self.status()["reload"]["in_force_since_s"], started["in_force_since_s"])
        self.configure(TOML)
        before = int(time.time())
        self.taken()
        self.assertEqual(self.metric("last_reload_successful"), 1)
        self.assertGreaterEqual(self.metric("last_reload_success_timestamp_seconds"), before)
        # A signal that is refused is seen as well: nobody waits for its answer.
        self.configure(wrong)
        self.node.signal(signal.SIGHUP)
        lib.wait_until(lambda: not self.status()["reload"]["succeeded"], "the signal to be refused")

    def metric(self, name):
        lines = self.host.run(["curl", "-sS", f"http://{test_node.METRICS}/metrics"]).stdout.splitlines()
        return float(next(line for line in lines if line.startswith(f"thalweg_{name} ")).split()[1])

    def test_it_says_what_it_has_reset(self):
        self.anna()
        self.behind.start(["python3", "-c", test_node.SERVER]).wait_log("listening")
        fifo = f"{self.folder}/go"
        os.mkfifo(fifo)
        self.client.start(["python3", "-c", test_node.CLIENT, fifo]).wait_log("said hello")
        self.assertIn("nothing is different", self.taken())
        self.configure(TOML.replace('action = "relay"', 'action = "refuse"'))
        self.assertNotIn("reset", self.taken("--dry-run"))
        self.assertEqual(self.status()["relay"]["active"], 1)
        self.assertIn("  1 relayed connections are reset", self.taken())
        self.assertNotIn("are reset", self.taken())

    def test_what_was_set_by_hand_is_forgotten(self):
        control = ["--socket", f"{self.folder}/node.sock"]
        self.host.run([BINARY, "set", "relay.early_syn", "off", *control])
        self.host.run([BINARY, "drain", *control])
        dry = self.taken("--dry-run")
        self.assertIn("relay.early_syn: is set by hand, would be what the file says", dry)
        self.assertIn("it would take connections again", dry)
        done = self.taken()
        self.assertIn("relay.early_syn.enabled: false, now true", done)
        self.assertIn("relay.early_syn: was set by hand, is now what the file says", done)
        self.assertIn("it takes connections again", done)
        self.assertIn("nothing is different", self.taken())


class Nobody(lib.NetTest):
    def test_no_node_is_a_failure(self):
        done = self.net.namespace("alone").run([BINARY, "reload", "--socket", f"{self.net.folder}/none.sock"],
                                               check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("none.sock", done.stderr)


if __name__ == "__main__":
    lib.main()
