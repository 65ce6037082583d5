"""Tests what a running process of ours has given up, and that a reload, a stop and a crash still work. The
answer to each forbidden thing is tried from inside, by processes that are confined by the same function:
src/node/confine/*_test.cc.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import tempfile

import lib

BINARY = os.environ.get("TW_BIN", "")

TOML = """
[node]
control_socket = "{folder}/node.sock"
[tunnel]
interface = "{interface}"
private_key_file = "{key}"
listen_port = 51820
addresses = ["10.9.0.1/24", "fd09::1/64"]
[[peer]]
name = "anna"
public_key = "{anna}"
allowed_ips = ["10.9.0.2/32", "fd09::2/128"]
[gateway]
forward = true
[relay]
enabled = true
client_devices = [{devices}]
[relay.log]
connections = true
file = "{log}"
[[policy]]
from = ["198.18.0.0/16", "2001:db8::/32"]
to = ["198.18.0.1", "2001:db8:80::1"]
protocol = "tcp"
action = "relay"
[[policy]]
from = ["198.18.0.0/16", "2001:db8::/32"]
to = ["192.0.2.0/24", "2001:db8:80::/64"]
protocol = "tcp"
action = "relay"
"""
SERVERS = ("192.0.2.80", "2001:db8:80::80")


def fields_of(pid):
    """Returns the fields that /proc has of a process, by name."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def children_of(pid):
    return [int(child) for child in
            pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


class Confined(lib.NetTest):
    """A node with a server behind it; what a reload names lies where the start knew nothing of."""

    def setUp(self):
        super().setUp()
        self.host, self.behind = self.net.namespace("node"), self.net.namespace("behind")
        self.net.veth(self.host, self.behind, ["192.0.2.1/24", "2001:db8:80::1/64"],
                      [f"{SERVERS[0]}/24", f"{SERVERS[1]}/64"])
        self.folder = self.net.folder
        self.elsewhere = tempfile.mkdtemp(prefix="thalweg-elsewhere-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.elsewhere)
        self.interface = lib.unique_interface()
        self.keys = [lib.genkey(), lib.genkey()]
        for folder, key in zip((self.folder, self.elsewhere), self.keys):
            with open(os.open(f"{folder}/node.key", os.O_CREAT | os.O_WRONLY, 0o600), "w",
                      encoding="ascii") as stream:
                stream.write(key + "\n")
        self.names = {"folder": self.folder, "interface": self.interface,
                      "anna": lib.pubkey(lib.genkey()), "key": f"{self.folder}/node.key",
                      "log": f"{self.folder}/connections.log", "devices": ""}
        for server in SERVERS:
            serve = self.behind.start(["python3", "-um", "http.server", "8080", "--bind", server])
            serve.wait_log("Serving HTTP", 20)

    def configure(self, **names):
        self.names.update(names)
        pathlib.Path(f"{self.folder}/node.toml").write_text(TOML.format(**self.names), encoding="utf-8")

    def start(self, **names):
        self.configure(**names)
        self.node = lib.thalweg(self.host, "run", "-c", f"{self.folder}/node.toml")
        self.node.wait_log("up, port 51820")

    def reload(self, **names):
        self.configure(**names)
        done = self.host.run([BINARY, "status", "--json", "--socket", f"{self.folder}/node.sock"])
        before = self.node.log().count("reloaded")
        self.node.signal(signal.SIGHUP)
        lib.wait_until(lambda: self.node.log().count("reloaded") > before, "the reload")
        return json.loads(done.stdout)

    def client_device(self, number):
        """A network of clients that begins to exist now, and its device on the node."""
        client = self.net.namespace(f"client{number}")
        self.net.veth(self.host, client, [f"198.18.{number}.1/24", f"2001:db8:{number}::1/64"],
                      [f"198.18.{number}.2/24", f"2001:db8:{number}::2/64"])
        client.ip(f"route add default via 198.18.{number}.1")
        client.ip(f"-6 route add default via 2001:db8:{number}::1")
        return client, f"to-client{number}"

    def fetch(self, client, server):
        host = f"[{server}]" if ":" in server else server
        return client.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10",
                           "--noproxy", "*", f"http://{host}:8080/"], check=False).stdout


class Node(Confined):
    def test_it_says_what_it_has_given_up(self):
        self.start()
        self.node.wait_log(r"confined: .*system calls by seccomp")
        fields = fields_of(self.node.pid)
        self.assertEqual(fields["Seccomp"].strip(), "2")
        (broker,) = children_of(self.node.pid)
        fields = fields_of(broker)
        self.assertEqual(fields["Seccomp"].strip(), "2")
        self.assertEqual(fields["NoNewPrivs"].strip(), "1")
        for held in ("CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"):
            self.assertEqual(int(fields[held], 16), 0, held)
        # It holds stderr, the socket to the node, and by name the folder that Landlock leaves it.
        folder = pathlib.Path(f"/proc/{broker}/fd")
        held = [os.readlink(file) for file in folder.iterdir() if int(file.name) > 2]
        self.assertEqual({re.sub(r"\d+", "", name) for name in held}, {"/", "socket:[]"})
        for thread in os.listdir(f"/proc/{self.node.pid}/task"):
            self.assertEqual(fields_of(f"{self.node.pid}/task/{thread}")["Seccomp"].strip(), "2", thread)
        self.assertEqual(self.node.stop(), 0, self.node.log())
        self.assertFalse(os.path.exists(f"/proc/{broker}"))

    def test_a_reload_with_a_new_log_key_and_device(self):
        settings = ["sysctl", "-a", "-r", r"^net\.ipv[46]\.(conf|ip_forward|tcp_fastopen$)"]
        client, device = self.client_device(1)
        before = self.host.run(settings).stdout
        self.start(devices=f'"{device}"')
        for server in SERVERS:
            self.assertEqual(self.fetch(client, server), "200")
        log = pathlib.Path(f"{self.folder}/connections.log")
        lib.wait_until(lambda: all(server in log.read_text(encoding="utf-8") for server in SERVERS),
                       "lines in the log")

        later, new_device = self.client_device(2)
        self.reload(devices=f'"{device}", "{new_device}"', key=f"{self.elsewhere}/node.key",
                    log=f"{self.elsewhere}/connections.log")
        for server in SERVERS:
            self.assertEqual(self.fetch(later, server), "200")
        new_log = pathlib.Path(f"{self.elsewhere}/connections.log")
        lib.wait_until(lambda: new_log.exists() and all(server in new_log.read_text(encoding="utf-8")
                                                        for server in SERVERS), "lines in the new log")
        self.assertEqual(new_log.stat().st_mode & 0o137, 0)
        self.assertEqual(lib.wg(self.host, "show", self.interface, "public-key").strip(),
                         lib.pubkey(self.keys[1]))

        # As logrotate does it: the same name, another file.
        new_log.rename(f"{new_log}.1")
        self.reload()
        self.assertEqual(self.fetch(later, SERVERS[0]), "200")
        lib.wait_until(new_log.exists, "the log under its name again")
        self.assertEqual(self.node.stop(), 0, self.node.log())
        for link in ("to-client2",):
            self.host.ip(f"link del {link}")
        self.assertEqual(self.host.run(settings).stdout, before)

    def test_a_key_that_is_not_there_is_refused_and_said(self):
        self.start()
        self.configure(key=f"{self.elsewhere}/none.key")
        self.node.signal(signal.SIGHUP)
        self.node.wait_log(r"none\.key.*No such file")
        self.node.wait_log("has mistakes; nothing was changed")
        self.reload(key=f"{self.elsewhere}/node.key")
        self.assertEqual(self.node.stop(), 0, self.node.log())

    def test_without_its_helper_a_reload_says_so_and_the_node_goes_on(self):
        client, device = self.client_device(1)
        self.start(devices=f'"{device}"')
        (broker,) = children_of(self.node.pid)
        os.kill(broker, signal.SIGKILL)
        self.configure(key=f"{self.elsewhere}/node.key")
        self.node.signal(signal.SIGHUP)
        self.node.wait_log("has mistakes; nothing was changed|Broken pipe")
        self.assertEqual(self.fetch(client, SERVERS[0]), "200")
        self.assertEqual(self.node.stop(), 0, self.node.log())

    def test_a_killed_node_leaves_no_helper_and_the_next_one_cleans_up(self):
        self.start()
        (broker,) = children_of(self.node.pid)
        self.node.signal(signal.SIGKILL)
        self.node.wait()
        lib.wait_until(lambda: not os.path.exists(f"/proc/{broker}"), "the broker to end")
        self.start()
        self.assertEqual(self.node.stop(), 0, self.node.log())
        self.assertEqual(self.host.run("sysctl -n net.ipv4.ip_forward").stdout.strip(), "0")


class Device(lib.NetTest):
    def test_thalweg_wg_is_confined_as_well(self):
        host = self.net.namespace("host")
        interface = lib.unique_interface()
        device = lib.thalweg_wg(host, interface, env={"LOG_LEVEL": "verbose"})
        device.wait_log(r"confined: .*system calls by seccomp")
        for thread in os.listdir(f"/proc/{device.pid}/task"):
            self.assertEqual(fields_of(f"{device.pid}/task/{thread}")["Seccomp"].strip(), "2", thread)
        peer = lib.Peer(lib.pubkey(lib.genkey()), "10.9.0.2/32")
        lib.configure(host, interface, lib.genkey(), [peer], 51821)
        self.assertEqual(lib.wg(host, "show", interface, "listen-port").strip(), "51821")
        self.assertEqual(device.stop(), 0, device.log())
        self.assertFalse(os.path.exists(f"/var/run/wireguard/{interface}.sock"))


if __name__ == "__main__":
    lib.main()
