"""`thalweg run` and `status`: what they promise, what they refuse, what they leave behind."""

import json
import os
import pathlib
import re
import signal
import stat

import lib

BINARY = os.environ.get("TW_BIN", "")
METRICS = "127.0.0.1:9586"

TOML = """
[node]
control_socket = "{folder}/node.sock"
log_level = "debug"
metrics = "127.0.0.1:9586"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/node.key"
listen_port = 51820
addresses = ["10.9.0.1/24", "fd09::1/64"]
[[peer]]
name = "anna"
public_key = "{anna}"
allowed_ips = ["10.9.0.2/32", "fd09::2/128", "10.20.0.0/16"]
[[peer]]
name = "mute"
public_key = "{mute}"
allowed_ips = ["10.9.0.9/32"]
[gateway]
forward = true
masquerade = ["10.9.0.0/24"]
[relay]
enabled = true
[[policy]]
from = ["anna"]
to = ["192.0.2.0/24"]
protocol = "tcp"
action = "relay"
"""

MORE_TOML = """
[[policy]]
from = ["anna"]
to = ["192.0.2.0/24"]
protocol = "icmp"
action = "route"
[[peer]]
name = "ben"
public_key = "{ben}"
allowed_ips = ["10.9.0.3/32"]
"""

# A malformed datagram, data for a receiver index of nobody, an initiation without a valid mac1.
GARBAGE = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for datagram in (b"x", b"\\4\\0\\0\\0" + b"\\7" * 60, b"\\1\\0\\0\\0" + b"\\7" * 144):
    s.sendto(datagram, ("198.18.0.1", 51820))
"""


# A server that says hello and, after an answer, bye; and a client that answers when a pipe has been written.
SERVER = """
import socket
s = socket.create_server(("192.0.2.80", 8080))
print("listening", flush=True)
c, _ = s.accept()
c.sendall(b"hello ")
c.recv(1)
c.sendall(b"bye")
"""
CLIENT = """
import socket, sys
c = socket.create_connection(("192.0.2.80", 8080))
said = c.recv(6)
print("said", said.decode(), flush=True)
open(sys.argv[1]).read()
c.sendall(b"x")
while part := c.recv(100):
    said += part
print("all", said.decode(), flush=True)
"""


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, mode)


def drops_of(status, direction):
    return status["workers"][0][direction]["drops"]


class Node(lib.NetTest):
    """A node, and a host `behind` it; anna() is a client across a wire of its own."""

    def setUp(self):
        super().setUp()
        self.host, self.behind = self.net.namespace("node"), self.net.namespace("behind")
        self.folder = self.net.folder
        self.net.veth(self.host, self.behind, "192.0.2.1/24", "192.0.2.80/24")
        self.client = self.net.namespace("anna")
        self.net.veth(self.host, self.client, "198.18.0.1/24", "198.18.0.2/24")
        self.keys = {name: lib.genkey() for name in ("node", "anna", "mute", "ben")}
        self.interface = lib.unique_interface()
        self.names = {"folder": self.folder, "interface": self.interface,
                      **{name: lib.pubkey(key) for name, key in self.keys.items()}}
        write(f"{self.folder}/node.key", self.keys["node"] + "\n", 0o600)
        self.file = f"{self.folder}/node.toml"
        self.configure(TOML)
        self.before = self.left()
        self.node = None

    def configure(self, text, path=None):
        write(path or self.file, text.format(**self.names))

    def start(self):
        self.node = lib.thalweg(self.host, "run", "-c", self.file)
        self.node.wait_log(r"up, port 51820")

    def connect(self, namespace, name, endpoint, address):
        """wireguard-go as the peer of this name; returns its interface."""
        interface = lib.unique_interface()
        lib.wireguard_go(namespace, interface)
        lib.configure(namespace, interface, self.keys[name],
                      [lib.Peer(self.names["node"], "10.9.0.0/24,192.0.2.0/24", f"{endpoint}:51820")])
        namespace.address(interface, f"{address}/24", mtu=1420)
        return interface

    def anna(self):
        interface = self.connect(self.client, "anna", "198.18.0.1", "10.9.0.2")
        self.client.ip(f"route add 192.0.2.0/24 dev {interface}")
        self.assertEqual(lib.ping(self.client, "10.9.0.1", 5).received, 5)
        return interface

    def status(self):
        return json.loads(self.host.run([BINARY, "status", "--json", "--socket",
                                         f"{self.folder}/node.sock"]).stdout)

    def left(self):
        """All that a node could leave on its host. Link-local addresses come and go by themselves."""
        shown = {command: sorted(line for line in self.host.run(command).stdout.splitlines()
                                 if "fe80::" not in line)
                 for command in ("ip rule", "ip -6 rule", "ip route show table all",
                                 "ip -6 route show table all", "nft list ruleset",
                                 r"sysctl -a -r ^net\.ipv[46]\.(conf|ip_forward)")}
        shown["links"] = re.findall(r"(?m)^\d+: ([^:@]+)", self.host.ip("-o link show"))
        places = ("/run/thalweg", "/var/run/wireguard", self.folder)
        shown["files"] = [str(path) for place in places if os.path.isdir(place)
                          for path in pathlib.Path(place).iterdir()
                          if path.name.startswith(f"{self.interface}.") and path.suffix != ".peers"
                          or path.suffix == ".sock" and place == self.folder]
        return shown

    def refused(self, pattern, argv=None):
        """`thalweg run` fails with one clear error, and leaves the host as it was."""
        before = self.left()
        done = self.host.run(argv or [BINARY, "run", "-c", self.file], check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, pattern)
        self.assertEqual(len(re.findall(r"(?m)^thalweg run: ", done.stderr)), 1, done.stderr)
        said = [line for line in done.stderr.splitlines() if not lib.is_about_the_kernel(line)]
        self.assertLessEqual(len(said), 2, done.stderr)
        self.assertEqual(self.left(), before)

    def serves(self):
        """The tunnel of the running node carries packets."""
        wire = self.anna()
        self.assertTrue(self.status()["peers"][0]["last_handshake_s"])
        self.client.ip(f"link del {wire}")

    def stops(self):
        self.assertEqual(self.node.stop(), 0, self.node.log())
        self.assertEqual(self.left(), self.before)


class Counters(Node):
    def setUp(self):
        super().setUp()
        self.start()
        self.wire = self.anna()

    def balanced(self):
        """The status, once nothing is on its way, if nothing is lost without a reason."""
        status = self.status()
        for worker in status["workers"]:
            for name in ("from_wire", "to_wire"):
                one = worker[name]
                if one["queued"] or one["received"] + one["generated"] != (
                        one["sent"] + one["consumed"] + sum(one["drops"].values())):
                    return None
        return status

    def test_every_segment_is_accounted_for(self):
        self.assertEqual(lib.ping(self.client, "10.9.0.1", 50, 0.01).received, 50)
        for reverse in (False, True):  # trains of segments, both ways
            lib.iperf3(self.host, self.client, "10.9.0.2", 1, reverse)
        self.client.run(["python3", "-c", GARBAGE])
        self.host.run("ping -c 2 -i 0.1 -W 1 10.9.0.77", check=False)  # nobody's
        self.host.run("ping -c 2 -i 0.1 -W 1 10.9.0.9", check=False)  # of a peer without an endpoint
        self.client.ip(f"address add 10.9.0.66/24 dev {self.wire}")  # not anna's
        self.client.run("ping -c 2 -i 0.1 -W 1 -I 10.9.0.66 10.9.0.1", check=False)

        def counted():
            status = self.status()
            return drops_of(status, "from_wire").get("bad_mac1") and status
        status = lib.wait_until(counted, "the initiation without mac1 to be counted")
        self.assertEqual(status["handshakes"]["drops"], {})
        drops = drops_of(status, "from_wire")
        self.assertEqual((drops["malformed"], drops["no_keypair"], drops["not_allowed_ip"]), (1, 1, 2))
        self.assertEqual(drops["bad_mac1"], 1)
        drops = drops_of(status, "to_wire")
        self.assertEqual(drops["no_endpoint"], 2)
        self.assertGreaterEqual(drops["no_route"], 2)  # the kernel sends router solicitations too
        status = lib.wait_until(self.balanced, f"the books to balance: {json.dumps(self.status())}", 3)
        self.assertGreaterEqual(status["workers"][0]["from_wire"]["sent"], 55)
        self.assertRegex(status["peers"][0]["endpoint"], r"^198\.18\.0\.2:\d+$")

        table = self.host.run([BINARY, "status", "--socket", f"{self.folder}/node.sock"]).stdout
        for word in ("peer anna: 198.18.0.2:", "peer mute: no endpoint, handshake never", "no_route",
                     "bad_mac1", "not_allowed_ip", "relay: 0 active"):
            self.assertIn(word, table)
        text = self.host.run(["curl", "-s", "--noproxy", "*", f"http://{METRICS}/metrics"]).stdout
        values = dict(re.findall(r"(?m)^(thalweg_\S+) (\S+)$", text))
        for name, value in (
                ('drops_total{worker="0",direction="to_wire",reason="no_endpoint"}', 2),
                ('drops_total{worker="0",direction="from_wire",reason="bad_mac1"}', 1),
                ("handshakes_total", status["handshakes"]["established"]),
                ('segments_total{worker="0",direction="from_wire",what="sent"}',
                 status["workers"][0]["from_wire"]["sent"])):
            self.assertEqual(float(values[f"thalweg_{name}"]), value, name)

    def test_what_it_may_still_do(self):
        lines = pathlib.Path(f"/proc/{self.pid()}/status").read_text(encoding="ascii")
        fields = dict(line.split(":\t", 1) for line in lines.splitlines() if ":\t" in line)
        # NET_BIND_SERVICE, NET_ADMIN, NET_RAW, SYS_RESOURCE, BPF
        allowed = sum(1 << number for number in (10, 12, 13, 24, 39))
        for held in ("CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"):
            self.assertEqual(int(fields[held], 16) & ~allowed, 0, held)
        self.assertTrue(int(fields["CapEff"], 16) & 1 << 12)
        self.assertEqual(fields["NoNewPrivs"].strip(), "1")
        limits = pathlib.Path(f"/proc/{self.pid()}/limits").read_text(encoding="ascii")
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        for path in (f"{self.folder}/node.sock", f"/var/run/wireguard/{self.interface}.sock"):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, path)

    def pid(self):
        """`ip netns exec` becomes the program."""
        return self.node.pid


class Reload(Node):
    def test_changes_do_not_touch_an_unchanged_peer(self):
        self.start()
        wire = self.anna()
        handshakes = lib.wg(self.client, "show", wire, "latest-handshakes")
        established = self.status()["handshakes"]["established"]
        self.assertEqual(lib.ping(self.client, "192.0.2.80", 1).received, 0)
        stream = self.client.start("ping -n -i 0.01 10.9.0.1")
        stream.wait_log("icmp_seq=5 ")

        self.configure(TOML + MORE_TOML)
        self.node.signal(signal.SIGHUP)
        self.node.wait_log(r"node\.toml: reloaded")
        self.assertEqual([peer["name"] for peer in self.status()["peers"]], ["anna", "mute", "ben"])
        self.assertEqual(lib.ping(self.client, "192.0.2.80", 3).received, 3)
        rules = self.host.run("nft list ruleset").stdout

        self.configure(TOML + MORE_TOML + "\n[relay.turbo]\ninitcwmd = 5\n")
        self.node.signal(signal.SIGHUP)
        self.node.wait_log(r"node\.toml:\d+:\d+: relay\.turbo\.initcwmd: unknown key.*initcwnd")
        self.node.wait_log(r"reload: .*has mistakes; nothing was changed")
        self.configure(TOML.replace("listen_port", "mtu = 1300\nlisten_port"))
        self.node.signal(signal.SIGHUP)
        self.node.wait_log(r"reload: tunnel\.mtu cannot change while the node runs")
        self.assertEqual(len(self.status()["peers"]), 3)
        self.assertEqual(re.sub(r"packets \d+ bytes \d+", "", self.host.run("nft list ruleset").stdout),
                         re.sub(r"packets \d+ bytes \d+", "", rules))

        stream.signal(signal.SIGINT)
        stream.wait()
        self.assertEqual(lib.unanswered(stream.log()), [])
        self.assertEqual(lib.wg(self.client, "show", wire, "latest-handshakes"), handshakes)
        self.assertEqual(self.status()["handshakes"]["established"], established)
        self.connect(self.behind, "ben", "192.0.2.1", "10.9.0.3")
        self.assertEqual(lib.ping(self.behind, "10.9.0.1", 3).received, 3)
        self.stops()


class Ends(Node):
    def test_sigterm_leaves_nothing(self):
        self.start()
        during = self.left()
        for place, here in during.items():
            if place not in ("ip -6 rule",):
                self.assertNotEqual(here, self.before[place], place)
        self.stops()

    def pending(self):
        """The signals that the node has not taken yet, as a mask."""
        lines = pathlib.Path(f"/proc/{self.node.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"(?m)^ShdPnd:\s*(\w+)", lines).group(1), 16)

    def test_a_reload_does_not_end_a_drain(self):
        self.start()
        self.anna()
        server = self.behind.start(["python3", "-c", SERVER])
        server.wait_log("listening")
        go_on = f"{self.folder}/go-on"
        os.mkfifo(go_on)
        client = self.client.start(["python3", "-c", CLIENT, go_on])
        client.wait_log("said hello")
        self.node.signal(signal.SIGTERM)
        self.node.wait_log("draining: 1 relayed connections")
        self.node.signal(signal.SIGHUP)  # systemd and logrotate do not know that it ends
        lib.wait_until(lambda: not self.pending() & 1 << signal.SIGHUP - 1, "SIGHUP to be taken")
        write(go_on, "")
        client.wait_log("all hello bye")
        self.assertEqual(self.node.wait(5), 0)
        self.assertNotIn("are reset", self.node.log())
        self.assertNotIn("reloaded", self.node.log())
        self.assertEqual(self.left(), self.before)

    def test_the_next_start_undoes_what_a_killed_one_left(self):
        self.start()
        self.node.signal(signal.SIGKILL)
        self.node.wait()
        self.assertNotEqual(self.left(), self.before)
        self.start()
        self.serves()
        self.stops()

    def test_the_interface_is_removed(self):
        self.start()
        self.host.ip(f"link del {self.interface}")
        self.assertEqual(self.node.wait(), 1)
        self.assertIn("was removed", self.node.log())
        self.assertEqual(self.left(), self.before)


class Refusals(Node):
    def test_key_files(self):
        os.chmod(f"{self.folder}/node.key", 0o644)
        done = self.host.run([BINARY, "run", "-c", self.file], check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"node\.toml:8:\d+: tunnel\.private_key_file: .*chmod 600 "
                                      rf"{self.folder}/node\.key")
        os.unlink(f"{self.folder}/node.key")
        self.refused(r"node\.toml:8:\d+: tunnel\.private_key_file: ")

    def test_ports_and_names_in_use(self):
        hold = ("import socket, signal; s = socket.socket({}); s.bind({!r}); {}\n"
                "print('held', flush=True); signal.pause()")
        holder = self.host.start(["python3", "-c", hold.format("type=socket.SOCK_DGRAM",
                                                               ("", 51820), "")])
        holder.wait_log("held")
        self.refused(r"UDP port 51820 is taken by python3 \(pid \d+")
        holder.stop()
        holder = self.host.start(["python3", "-c", hold.format("", ("127.0.0.1", 9586), "s.listen()")])
        holder.wait_log("held")
        self.refused(rf"node\.metrics: cannot listen on {re.escape(METRICS)}")
        holder.stop()
        self.host.ip(f"link add {self.interface} type veth peer name other")
        self.refused(f"{self.interface} exists already")
        self.host.ip(f"link del {self.interface}")
        self.start()
        self.stops()

    def test_a_second_node(self):
        self.start()
        self.refused(r"UDP port 51820 is taken by thalweg \(pid \d+")
        second = f"{self.folder}/second.toml"
        elsewhere = TOML.replace("listen_port = 51820", "listen_port = 51821")
        self.configure(elsewhere, second)
        self.refused(f"{self.interface} exists already", [BINARY, "run", "-c", second])
        self.configure(elsewhere.replace('"{interface}"', f'"{lib.unique_interface()}"'), second)
        self.refused(r"node\.sock: a running node answers there", [BINARY, "run", "-c", second])
        self.serves()
        self.stops()

    def test_who_may_not_run_it(self):
        run = [BINARY, "run", "-c", self.file]
        # Only to reach the files: a test's folder is root's.
        reading = "+dac_read_search"
        self.refused("needs root", ["setpriv", "--reuid=65534", "--clear-groups", "--inh-caps", reading,
                                    "--ambient-caps", reading, *run])
        self.refused("CAP_NET_ADMIN", ["setpriv", "--bounding-set", "-net_admin", *run])

    def test_a_kernel_without_tun(self):
        self.refused("/dev/net/tun is missing", ["unshare", "-m", "sh", "-c", (
            f"mount -t tmpfs none /dev/net && exec {BINARY} run -c {self.file}")])

    def test_a_full_disk_for_logs(self):
        self.configure(TOML.replace('log_level', 'log_file = "/dev/full"\nlog_level'))
        self.start()
        self.serves()
        self.stops()


if __name__ == "__main__":
    lib.main()
