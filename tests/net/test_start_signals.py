"""SIGTERM and SIGINT while a node, or a device, is still starting: it ends soon, and nothing is left."""

import os
import pathlib
import signal
import subprocess
import time

import lib

TOML = """
[node]
control_socket = "{folder}/node.sock"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/node.key"
listen_port = 50281
addresses = ["10.97.0.1/16", "fd97::1/64"]
[gateway]
masquerade = ["10.97.0.0/16"]
[[policy]]
from = ["10.97.0.0/16"]
to = ["0.0.0.0/0"]
action = "route"
"""
PEER = """
[[peer]]
name = "p{number}"
public_key = "{key}"
allowed_ips = ["10.97.{high}.{low}/32"]
"""
NAMED = 'endpoint = "p{number}.example.net:51820"\n'
SOON_S = 4  # far below the 10 s that a start waits for names; sanitizers make an end slow


class StartSignals(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.host = self.net.namespace("node")
        self.interface = lib.unique_interface()
        self.file = f"{self.net.folder}/node.toml"
        path = pathlib.Path(self.net.folder, "node.key")
        path.write_text(lib.genkey() + "\n", encoding="ascii")
        path.chmod(0o600)
        self.before = self.machine()

    def text(self, peers=0, named=0):
        text = TOML.format(folder=self.net.folder, interface=self.interface)
        for number in range(1, peers + 1):
            # Any 32 octets are a key.
            key = subprocess.run(["base64", "-w0"], input=number.to_bytes(32, "little"), capture_output=True,
                                 check=True).stdout.decode()
            text += PEER.format(number=number, key=key, high=number // 250, low=number % 250 + 2)
            if number <= named:
                text += NAMED.format(number=number)
        return text

    def write(self, **counts):
        pathlib.Path(self.file).write_text(self.text(**counts), encoding="ascii")

    def machine(self):
        """Everything that a node changes on its host."""
        return {"links": self.host.ip("-o link show").count("\n"), "rules": self.host.ip("rule show"),
                "routes": [line for line in self.host.ip("route show table all").splitlines()
                           if "dev to-sink" not in line],  # a wire's, which takes time to come up
                "tables": self.host.run("nft list tables").stdout,
                "forward": self.host.run("sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding").stdout,
                "files": sorted(path.name for folder in ("/run/thalweg", "/var/run/wireguard")
                                if os.path.isdir(folder) for path in pathlib.Path(folder).iterdir()
                                if path.name.startswith(f"{self.interface}.")),
                "socket": os.path.exists(f"{self.net.folder}/node.sock")}

    def ends(self, process, number=signal.SIGTERM, codes=(0,)):
        process.signal(number)
        lib.wait_until(lambda: self.left() == {}, "all to be undone", SOON_S)
        self.assertIn(process.wait(SOON_S), codes, process.log())
        self.assertEqual(self.left(), {})

    def left(self):
        """What is not as it was before."""
        now = self.machine()
        return {name: (self.before[name], now[name]) for name in now if now[name] != self.before[name]}

    def start(self):
        return lib.thalweg(self.host, "run", "-c", self.file)

    @staticmethod
    def after(seconds):
        """No moment is named: what is tried is that none is special."""
        due = time.monotonic() + seconds
        lib.wait_until(lambda: time.monotonic() >= due, "the moment")

    def test_while_the_configuration_is_read(self):
        os.mkfifo(self.file)
        node = self.start()
        with open(self.file, "w", encoding="ascii") as stream:  # returns when the node reads
            stream.write("[node]\n")
            stream.flush()
            self.ends(node)

    def test_while_name_servers_are_silent(self):
        etc = self.etc(self.host)
        (etc / "nsswitch.conf").write_text("hosts: dns\n", encoding="ascii")
        (etc / "resolv.conf").write_text("nameserver 192.0.2.53\nnameserver 192.0.2.54\n", encoding="ascii")
        self.net.veth(self.host, self.net.namespace("sink"), "192.0.2.1/24", [])
        # Never answered, and nobody says that there is no such host.
        for last in (53, 54):
            self.host.ip(f"neighbour add 192.0.2.{last} lladdr 02:00:00:00:00:{last} dev to-sink")
        self.before = self.machine()
        self.write(peers=3, named=3)
        for number in (signal.SIGTERM, signal.SIGINT):
            node = self.start()
            node.wait_log("resolving the names of 3 endpoints")
            lib.wait_until(lambda: os.path.exists(f"{self.net.folder}/node.sock"), "the socket", 10)
            self.ends(node, number)
            self.assertNotIn("up, port", node.log())

    def test_with_many_peers_at_any_moment(self):
        self.write(peers=3000)
        for step in range(8):
            node = self.start()
            self.after(0.3 * step)
            number = signal.SIGINT if step % 2 else signal.SIGTERM
            # The first comes before the program is there to hear it.
            self.ends(node, number, (0,) if step else (0, -number))

    def test_a_device_in_the_background(self):
        """The command that waits for it is interrupted: the device goes, or was there already."""
        codes = set()
        for step in range(100):
            if 130 in codes and step >= 16:
                break
            command = self.host.start([os.environ["TW_BIN"], "wg", self.interface])
            self.after(0.02 * (step % 32))
            command.signal(signal.SIGINT if step % 2 else signal.SIGTERM)
            code = command.wait(30)
            codes.add(code)
            if code == 0:
                self.host.ip(f"link del {self.interface}")
                lib.wait_until(lambda: self.machine() == self.before, "the device to go", 10)
            self.assertIn(code, (0, 130, -signal.SIGINT, -signal.SIGTERM), command.log())
            self.assertEqual(self.machine(), self.before, command.log())
        self.assertIn(130, codes, "none came in time: the test tries nothing")


if __name__ == "__main__":
    lib.main()
