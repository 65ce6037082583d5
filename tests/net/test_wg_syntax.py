"""`thalweg wg up` takes of a .conf what `wg` and wg-quick take, and makes the same of it."""

import itertools
import os
import pathlib
import re

import lib

BINARY = os.environ.get("TW_BIN", "")

# A [Peer] section's lines, without its key. Real `wg` says what becomes of them.
PEERS = [
    "AllowedIPs = 10.0.0.0/016",
    "AllowedIPs = 1 0.0.1.0/ 24 ,\tfd00:1 ::/6 4",
    "Allowed IPs = 10.0.2.0/24\nALLOWEDIPS = 10.0.3.1\nallowedips = 10.0.2.0/24",
    "AllowedIPs = 10.0.4.7/24",
    "AllowedIPs = ::ffff:1.2.3.4/128",
    "AllowedIPs=10.0.5.0/24#,",
    "Endpoint = 2001:db8::1:51820",
    "Endpoint = fe80::1%to-far:51820",
    "Endpoint = [fe80::2%to-far]:51820",
    "Endpoint = [ 2001:db8 ::1 ] : 5 1820",
    "Endpoint = [2001:db8::1]:domain",
    "Endpoint = 192.0.2.1:ntp",
    "Endpoint = [192.0.2.1]:5",
    "Endpoint = [localhost]:5",
    "Endpoint = 10.1:5",
    "Endpoint = 0x0a000001:5",
    "Endpoint = 192.0.2.1:00005",
    "Endpoint = 192.0.2.1:5\nEndpoint = 192.0.2.2:6",
    "PersistentKeepalive = 025",
    "PersistentKeepalive = 65535",
    "Persistent Keepalive = 2 5 # seconds",
    "PersistentKeepalive = OFF",
    "PersistentKeepalive = 7\nPersistentKeepalive = 8",
    "Preshared Key = FpCyhws9cxwWoV4xELtfJvjJ N+zQVRPISllRWgeopVE=",
    "PresharedKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "# nothing",
    "AllowedIPs = 10.0.6.0/24\r\nEndpoint = 192.0.2.9:5\r",
    "[ INTER face ]\nFw Mark = 0x 1F",
]
# Lines of an [Interface] section.
INTERFACES = ["ListenPort = 5 182 0", "ListenPort = 0051821", "Listen Port = 5\nListenPort = 51822",
              "FwMark = 017", "FwMark = oFf", "FwMark = 0x1F\nFwMark = 0x2a",
              "[Interface]\nListenPort = 51823\n[Interface]\nFwMark = 7"]
REFUSED = [
    "[Interface]\nListenPort =", "[Interface]\nListenPort = -1", "[Interface]\nListenPort = 0x10",
    "[Interface]\nListenPort = 5;", "[Interface]\nListenPort = 5\u00a0", "[Interface]\nListenPort == 5",
    "[Interface]\nListenPort", "[Interface]\n= 5", "[Interface]\n; a comment of others",
    "[Interface]\nFwMark = 0X1F", "[Interface]\nFwMark = 0x", "[Interface]\nFwMark = 0xfffffffff",
    "[Interface]\nFwMark = -1", "[Interface]\nPrivateKey =", "[Interface]\nPost Up = true",
    "[Interface]x", "[Interfaces]\n", "[Interface]\nPublicKey = KEY", "[Interface]\nEndpoint = a:1",
    "ListenPort = 5", "\ufeff[Interface]", "[Interface]\rListenPort = 5", "[Peer]", "[Peer]\nPublicKey =",
    "PEERAllowedIPs = 10.0.0.0/8,", "PEERAllowedIPs = ,10.0.0.0/8", "PEERAllowedIPs = 10.0.0.0/8,,::/8",
    "PEERAllowedIPs = 10.0.0.0/8 10.1.0.0/16", "PEERAllowedIPs = 10.0.0.0/33", "PEERAllowedIPs = ::/129",
    "PEERAllowedIPs = 10.0.0.0/", "PEERAllowedIPs = 10.0.0.0/+8", "PEERAllowedIPs = 10.0.0.0/0x8",
    "PEERAllowedIPs = 10/8", "PEERAllowedIPs = fe80::1%lo/64",
    "PEEREndpoint = :5", "PEEREndpoint = []:5", "PEEREndpoint = 192.0.2.1", "PEEREndpoint = 192.0.2.1:",
    "PEEREndpoint = [fe80::1%no-such-link]:5", "PEEREndpoint = [fe80::1%%to-far]:5",
    "PEEREndpoint = [2001:db8::1]x:5", "PEEREndpoint = [2001:db8::1", "PEEREndpoint =",
    "PEEREndpoint = 192.0.2.1%to-far:5", "PEEREndpoint = [2001:db8::1%to-far]:5",
    "PEERPersistentKeepalive = 65536", "PEERPersistentKeepalive = -1", "PEERPersistentKeepalive = 5s",
    "PEERPersistentKeepalive =", "PEERPresharedKey = short", "PEERAddress = 10.0.0.1/24",
    "PEERPrivateKey = KEY",
]


class Syntax(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.host, far = self.net.namespace("host"), self.net.namespace("far")
        self.other = self.net.namespace("other")  # where the same ports are free
        self.net.veth(self.host, far, "10.77.0.1/24", "10.77.0.2/24")
        self.net.veth(self.other, far, "10.76.0.1/24", "10.76.0.2/24")
        self.theirs, self.ours = lib.unique_interface(), lib.unique_interface()
        lib.wireguard_go(self.other, self.theirs)
        self.file = pathlib.Path(self.net.folder, f"{self.ours}.conf")
        self.key, self.peer = lib.genkey(), lib.pubkey(lib.genkey())
        self.addCleanup(lambda: self.host.ip(f"link delete {self.ours}", check=False))

    def run_both(self, text):
        """Returns the results of `wg setconf` and `thalweg wg up`."""
        self.file.write_text(text, encoding="utf-8", newline="")
        self.file.chmod(0o600)
        env = {"WG_ENDPOINT_RESOLUTION_RETRIES": "0"}
        return (self.other.run(["wg", "setconf", self.theirs, str(self.file)], check=False, env=env),
                self.host.run([BINARY, "wg", "up", str(self.file)], check=False, env=env))

    def dump(self, interface):
        """The device's own line and its peers' by their keys; a port of its own choice is left out."""
        host = self.host if interface == self.ours else self.other
        lines = [line.split("\t") for line in lib.wg(host, "show", interface, "dump").splitlines()]
        peers = {}
        for key, secret, endpoint, allowed, *_, keepalive in lines[1:]:
            endpoint = re.sub(r"%[^]]*", "", endpoint)  # wireguard-go of 2022 forgets zones
            peers[key] = (secret, endpoint, sorted(allowed.split(",")), keepalive)
        return [lines[0][0], lines[0][3]], lines[0][2], peers

    def compare(self, text, with_port=False):
        wg, ours = self.run_both(text)
        self.assertEqual((wg.returncode, ours.returncode), (0, 0), text + wg.stderr + ours.stderr)
        theirs, mine = self.dump(self.theirs), self.dump(self.ours)
        self.assertEqual(mine[::2], theirs[::2], text)
        if with_port:
            self.assertEqual(mine[1], theirs[1], text)
        self.host.run([BINARY, "wg", "down", str(self.file)])
        return mine

    def test_what_wg_takes(self):
        self.maxDiff = None
        text = f"[Interface]\nPrivateKey = {self.key}\n"
        for lines in PEERS:
            text += f"[Peer]\nPublicKey = {lib.pubkey(lib.genkey())}\n{lines}\n"
        self.assertEqual(len(self.compare(text)[2]), len(PEERS))
        for lines in INTERFACES:
            self.compare(f"[Interface]\nPrivateKey = {self.key}\n{lines}\n", "Port" in lines)
        # Keys that are missing, or zero, are none.
        self.compare("\n")
        self.compare("[Interface]\nPrivateKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")

    def test_a_peer_that_stands_twice(self):
        other = lib.pubkey(lib.genkey())
        sections = [f"PublicKey = {self.peer}\nAllowedIPs = 10.1.0.0/16, 10.2.0.0/16\n"
                    f"Endpoint = 192.0.2.1:1\nPresharedKey = {lib.genpsk()}\nPersistentKeepalive = 5\n",
                    f"PublicKey = {other}\nAllowedIPs = 10.2.0.0/16, 10.3.0.0/16\n",
                    f"PublicKey = {self.peer}\nAllowedIPs = 10.3.0.0/16\n"]
        for order in itertools.permutations(sections):
            text = f"[Interface]\nPrivateKey = {self.key}\n" + "".join(f"[Peer]\n{part}" for part in order)
            self.compare(text)
            # Routes lead to what the device has, not to what the file says.
            self.run_both(text)
            has = {ip for peer in self.dump(self.ours)[2].values() for ip in peer[2] if ip != "(none)"}
            routes = self.host.ip(f"-4 route show dev {self.ours}").splitlines()
            self.assertEqual({route.split()[0] for route in routes}, has)
            self.host.run([BINARY, "wg", "down", str(self.file)])

    def test_what_wg_refuses(self):
        for text in REFUSED:
            text = text.replace("PEER", f"[Peer]\nPublicKey = {self.peer}\n").replace("KEY", self.peer)
            wg, ours = self.run_both(text + "\n")
            self.assertNotEqual(wg.returncode, 0, text)
            self.assertEqual(ours.returncode, 1, text + ours.stderr)
            self.assertNotIn(self.ours, self.host.ip("link"))

    def test_what_only_we_refuse(self):
        """`wg` takes 70000 as 4464, cuts a line at a byte of zero, and sends to nobody in particular."""
        for line in ("[Interface]\nListenPort = 70000", "[Interface]\nListenPort = 5\0 # 6",
                     "PEEREndpoint = 192.0.2.1:0", "PEEREndpoint = 0.0.0.0:5", "PEEREndpoint = [ff02::1]:5"):
            wg, ours = self.run_both(line.replace("PEER", f"[Peer]\nPublicKey = {self.peer}\n") + "\n")
            self.assertEqual((wg.returncode, ours.returncode), (0, 1), line + ours.stderr)

    def test_imports_take_the_same(self):
        for lines in PEERS + ["AllowedIPs ="]:
            self.file.write_text(f"[Interface]\nPrivateKey = {self.key}\n[Peer]\nPublicKey = {self.peer}\n"
                                 f"{lines}\n", encoding="utf-8", newline="")
            self.host.run([BINARY, "check", "--import", str(self.file)])


class Zones(lib.NetTest):
    """Link-local endpoints: `wg` writes their zone as the interface's name."""

    def setUp(self):
        super().setUp()
        self.near, self.far = self.net.namespace("near"), self.net.namespace("far")
        self.net.veth(self.near, self.far, "10.77.0.1/24", "10.77.0.2/24")
        for host in (self.near, self.far):
            def is_settled(host=host):
                return "inet6 fe80" in host.ip("address") and "tentative" not in host.ip("address")
            lib.wait_until(is_settled, "a link-local address")
        self.address = re.search(r"inet6 (fe80\S+)/64", self.far.ip("address show to-near")).group(1)
        self.keys = {"near": lib.genkey(), "far": lib.genkey()}
        name = lib.unique_interface()
        lib.thalweg_wg(self.far, name)  # wireguard-go of 2022 forgets zones, and could not answer
        lib.configure(self.far, name, self.keys["far"],
                      [lib.Peer(lib.pubkey(self.keys["near"]), "10.78.0.1/32")], listen_port=50131)
        self.far.address(name, "10.78.0.2/24", mtu=1420)
        self.name = lib.unique_interface()
        self.endpoint = f"[{self.address}%to-far]:50131"

    def reaches(self):
        self.assertGreater(lib.ping(self.near, "10.78.0.2", 3).received, 0)

    def test_showconf_to_setconf(self):
        lib.thalweg_wg(self.near, self.name)
        lib.configure(self.near, self.name, self.keys["near"], [
            lib.Peer(lib.pubkey(self.keys["far"]), "10.78.0.0/24", self.endpoint)])
        self.near.address(self.name, "10.78.0.1/24", mtu=1420)
        self.reaches()
        shown = lib.wg(self.near, "showconf", self.name)
        self.assertIn(f"Endpoint = {self.endpoint}\n", shown)
        for command in ("setconf", "syncconf", "addconf"):
            lib.wg(self.near, command, self.name, "/dev/stdin", stdin=shown)
            self.assertEqual(lib.wg(self.near, "showconf", self.name), shown)
        self.reaches()
        # By number too; an interface that is not there is refused, and changes nothing.
        index = self.near.run("cat /sys/class/net/to-far/ifindex").stdout.strip()
        peer = lib.pubkey(self.keys["far"])
        lib.wg(self.near, "set", self.name, "peer", peer, "endpoint", f"[{self.address}%{index}]:50131")
        self.assertEqual(lib.wg(self.near, "showconf", self.name), shown)

    def test_up_and_saved(self):
        file = pathlib.Path(self.net.folder, f"{self.name}.conf")
        file.write_text(f"[Interface]\nPrivateKey = {self.keys['near']}\n"
                        "Address = 10.78.0.1/24, fe80::77/64\nSaveConfig = true\n"
                        f"[Peer]\nPublicKey = {lib.pubkey(self.keys['far'])}\n"
                        f"AllowedIPs = 10.78.0.0/24\nEndpoint = {self.endpoint}\n", encoding="utf-8")
        self.addCleanup(lambda: self.near.ip(f"link delete {self.name}", check=False))
        for _ in range(2):
            self.near.run([BINARY, "wg", "up", str(file)])
            self.reaches()
            self.near.run([BINARY, "wg", "down", str(file)])
            saved = file.read_text(encoding="utf-8")
            self.assertIn(f"Endpoint = {self.endpoint}\n", saved)
            # The address that was asked for is kept, the one that the kernel made for itself is not.
            self.assertEqual(re.findall(r"Address = (fe80\S+)", saved), ["fe80::77/64"])

    def test_in_toml(self):
        folder = self.net.folder
        with open(f"{folder}/node.key", "w", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
            stream.write(self.keys["near"])
        pathlib.Path(folder, "node.toml").write_text(
            f'[node]\ncontrol_socket = "{folder}/node.sock"\n[tunnel]\ninterface = "{self.name}"\n'
            f'private_key_file = "node.key"\naddresses = ["10.78.0.1/24"]\n[[peer]]\n'
            f'public_key = "{lib.pubkey(self.keys["far"])}"\nendpoint = "{self.endpoint}"\n'
            f'allowed_ips = ["10.78.0.2/32"]\n', encoding="utf-8")
        node = lib.thalweg(self.near, "run", "-c", f"{folder}/node.toml")
        node.wait_log(r"up, port \d+")
        self.reaches()
        self.assertIn(f"Endpoint = {self.endpoint}\n", lib.wg(self.near, "showconf", self.name))
        self.assertEqual(node.stop(), 0)


if __name__ == "__main__":
    lib.main()
