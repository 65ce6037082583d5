"""10,000 peers: configured in one go by `wg setconf` and by TOML, listed, and what each costs."""

import base64
import json
import mmap
import os
import random
import re
import time

import lib

BINARY = os.environ.get("TW_BIN", "")
PEERS = 10_000
PEERS_MAX = 65_536
IDLE_PEER_KB = 4
ONE_PEER_MB = 64
TARGET = "10.77.0.2:51820"


def keys(count, seed=1):
    """Public keys: any 32 bytes are one."""
    source = random.Random(seed)
    return [base64.b64encode(source.randbytes(31) + b"\x07").decode() for _ in range(count)]


def allowed_ips(number):
    high, low = divmod(number, 1 << 16)
    return [f"10.{64 + high}.{low >> 8}.{low & 255}/32", f"fd00::{high + 1:x}:1:{low:x}/128"]


def setconf(private_key, peers):
    """What `wg setconf` reads: a peer for each public key."""
    sections = [f"[Interface]\nPrivateKey = {private_key}\nListenPort = 51820\n"]
    sections += [f"[Peer]\nPublicKey = {key}\nAllowedIPs = {', '.join(allowed_ips(number))}\n"
                 f"Endpoint = 192.0.2.1:{1024 + number % 60_000}\n" for number, key in enumerate(peers)]
    return "".join(sections)


def toml(interface, folder, peers):
    """The same as a node's file."""
    sections = [f'[node]\ncontrol_socket = "{folder}/node.sock"\n'
                f'[tunnel]\ninterface = "{interface}"\nprivate_key_file = "{folder}/node.key"\n'
                'install_routes = false\n']
    sections += [f'[[peer]]\nname = "peer {number}"\npublic_key = "{key}"\n'
                 f'allowed_ips = {json.dumps(allowed_ips(number))}\n'
                 f'endpoint = "192.0.2.1:{1024 + number % 60_000}"\n' for number, key in enumerate(peers)]
    return "".join(sections)


def resident_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status.read(), re.M)[1])


def is_instrumented():
    """A sanitizer's shadow memory and red zones are not what a user's program needs."""
    with open(BINARY, "rb") as program, mmap.mmap(program.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return any(text.find(name) >= 0 for name in (b"__asan_init", b"__tsan_init"))


class Scale(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.host = self.net.namespace("host")
        self.name = lib.unique_interface()
        self.private_key = lib.genkey()

    def timed(self, what, action):
        """Runs it; how long it took is only said, since this machine may be busy."""
        began = time.monotonic()
        result = action()
        print(f"{what}: {time.monotonic() - began:.3f} s", flush=True)
        return result

    def file(self, name, text):
        path = f"{self.net.folder}/{name}"
        with open(path, "w", encoding="ascii") as stream:
            stream.write(text)
        os.chmod(path, 0o600)
        return path

    def check_cost(self, what, process, before_kb, peers):
        """A change gives its memory back a moment after it has answered."""
        def grown_kb():
            return (resident_kb(process) - before_kb) / peers
        if not is_instrumented():
            lib.wait_until(lambda: grown_kb() <= IDLE_PEER_KB, f"{what}: {grown_kb():.2f} KB a further peer")
        grown = grown_kb()
        print(f"{what}: {resident_kb(process)} KB resident, {grown:.2f} KB a further peer", flush=True)

    def check_all_listed(self, peers):
        """Both forms of `wg show` have every peer, with all that was said of it."""
        dump = self.timed("wg show dump", lambda: lib.wg(self.host, "show", self.name, "dump"))
        lines = {fields[0]: fields for fields in (line.split("\t") for line in dump.splitlines()[1:])}
        self.assertEqual(set(lines), set(peers))
        for number in {0, len(peers) // 2, len(peers) - 1}:
            fields = lines[peers[number]]
            self.assertEqual(fields[2], f"192.0.2.1:{1024 + number % 60_000}")
            self.assertEqual(sorted(fields[3].split(",")), sorted(allowed_ips(number)))
        text = self.timed("wg show", lambda: lib.wg(self.host, "show", self.name))
        self.assertEqual(text.count("peer: "), len(peers))


class Setconf(Scale):
    def setUp(self):
        super().setUp()
        self.device = lib.thalweg_wg(self.host, self.name)
        self.apply(keys(1, seed=7))
        self.one_peer_kb = resident_kb(self.device)

    def apply(self, peers, check=True):
        path = self.file("wg.conf", setconf(self.private_key, peers))
        return self.host.run(["wg", "setconf", self.name, path], check=check)

    def test_configures_lists_replaces_and_removes_ten_thousand(self):
        if not is_instrumented():
            self.assertLessEqual(self.one_peer_kb, ONE_PEER_MB * 1024)
        peers = keys(PEERS)
        self.timed("wg setconf", lambda: self.apply(peers))
        self.check_all_listed(peers)
        self.check_cost("wg setconf", self.device, self.one_peer_kb, PEERS)
        # Others in their place, then the same ones again: what goes leaves nothing behind.
        others = keys(PEERS, seed=2)
        for replacement in (others, peers, others):
            self.apply(replacement)
        self.check_all_listed(others)
        self.check_cost("three replacements later", self.device, self.one_peer_kb, PEERS)
        self.apply(keys(1, seed=7))
        self.check_all_listed(keys(1, seed=7))

    def test_refuses_more_peers_than_a_device_may_have_and_keeps_those_it_has(self):
        many = keys(PEERS_MAX + 1)
        refused = self.apply(many, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("Cannot allocate memory", refused.stderr)
        self.device.wait_log(f"more than {PEERS_MAX} peers")
        self.check_all_listed(keys(1, seed=7))
        if not is_instrumented():  # minutes there
            self.apply(many[:PEERS_MAX])
            self.assertEqual(lib.wg(self.host, "show", self.name, "peers").count("\n"), PEERS_MAX)
            self.apply(keys(PEERS_MAX, seed=3))
            self.assertEqual(set(lib.wg(self.host, "show", self.name, "peers").split()),
                             set(keys(PEERS_MAX, seed=3)))


class Toml(Scale):
    def node(self, peers):
        """Starts a node; returns its Process when it is up."""
        self.file("node.key", self.private_key + "\n")
        self.path = self.file("node.toml", toml(self.name, self.net.folder, peers))
        process = lib.thalweg(self.host, "run", "-c", self.path)
        process.wait_log(rf"{self.name}: up", timeout=60)
        return process

    def status(self, *arguments):
        socket = f"{self.net.folder}/node.sock"
        return self.host.run([BINARY, "status", "--socket", socket, *arguments]).stdout

    def test_configures_reloads_and_lists_ten_thousand(self):
        peers = keys(PEERS)
        node = self.node(peers[:1])
        one_peer_kb = resident_kb(node)
        self.file("node.toml", toml(self.name, self.net.folder, peers))
        node.signal(1)
        self.timed("reload from 1 to 10,000 peers", lambda: node.wait_log("reloaded", timeout=60))
        self.check_all_listed(peers)
        self.check_cost("reload", node, one_peer_kb, PEERS)
        self.assertEqual(node.stop(), 0)

        node = self.timed("start with 10,000 peers", lambda: self.node(peers))
        self.check_all_listed(peers)
        self.check_cost("start", node, one_peer_kb, PEERS)
        status = json.loads(self.timed("status --json", lambda: self.status("--json")))
        self.assertEqual({peer["name"] for peer in status["peers"]}, {f"peer {n}" for n in range(PEERS)})
        self.assertEqual(self.status().count("\npeer "), PEERS)
        self.assertEqual(node.stop(), 0)

    def test_a_file_with_too_many_peers_is_a_mistake(self):
        self.file("node.key", self.private_key + "\n")
        path = self.file("node.toml", toml(self.name, self.net.folder, keys(PEERS_MAX + 1)))
        done = self.host.run([BINARY, "check", "-c", path], check=False, timeout=120)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"peer\[{PEERS_MAX + 1}\]: is one peer more than the {PEERS_MAX}")


class Idle(Scale):
    """Peers that have had sessions cost no more than those that never had: when a link goes down,
    its keys are wiped at once, as after nine minutes of silence."""

    def test_a_session_that_is_over_leaves_nothing(self):
        peers = 200 if is_instrumented() else 10_000
        client = self.net.namespace("client")
        self.net.veth(client, self.host, "10.77.0.1/24", "10.77.0.2/24")
        device = lib.thalweg_wg(self.host, self.name)
        self.host.address(self.name, "10.200.0.1/32")
        self.host.ip(f"route add 10.64.0.0/10 dev {self.name}")
        before_kb = resident_kb(device)
        generator = [BINARY, "lab", "clients", "--target", TARGET, "--peers", peers]
        path = f"{self.net.folder}/clients.conf"
        client.run([*generator, "--print-config", path], timeout=120)
        self.host.run(["wg", "setconf", self.name, path])
        report = client.run([*generator, "--sink", "10.200.0.1:7000", "--sink-netns", self.host.name,
                             "--rate", "20M", "--duration", 2, "--handshake-timeout", 60, "--json"],
                            timeout=120)
        self.assertEqual(json.loads(report.stdout)["handshakes"]["established"], peers)
        shaken = lib.wg(self.host, "show", self.name, "latest-handshakes").splitlines()
        self.assertGreaterEqual(sum(not line.endswith("\t0") for line in shaken), peers)
        print(f"with sessions: {resident_kb(device)} KB resident, {before_kb} before any peer", flush=True)
        self.host.ip(f"link set {self.name} down")
        self.host.ip(f"link set {self.name} up")
        self.check_cost("idle again", device, before_kb, peers)


if __name__ == "__main__":
    lib.main()
