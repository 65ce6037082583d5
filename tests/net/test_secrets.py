"""Keys that were taken away are in nobody's memory: the process is searched for their bytes."""

import base64
import pathlib
import re

import lib

# The sanitizer would keep local variables, and what was freed, beside what the program does with its memory.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=0:"
                               "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"}


def found_in(pid, key):
    """Where a key lies in the process: raw, in hexadecimal as the UAPI has it, in base64 as files have it."""
    raw = base64.b64decode(key)
    shapes = {"raw": raw, "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(),
              "base64": key.rstrip("=").encode()}
    # Half a key is as bad: what a vector register or a shorter string kept of it.
    shapes |= {f"half of {name}": text[:len(text) // 2] for name, text in list(shapes.items())}
    shapes |= {f"other half of {name}": text[len(text) // 2:] for name, text in list(shapes.items())[:4]}
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end, rights, name_of_it = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+\s*(.*)", line).groups()
            start, end = int(start, 16), int(end, 16)
            # The kernel's own pages cannot be read, and a sanitizer's shadow is terabytes of nothing.
            if "r" not in rights or name_of_it.startswith("[v") or end - start > 1 << 32:
                continue
            at = start
            while at < end:
                size = min(end - at, 16 << 20)
                try:
                    memory.seek(at)
                    text = memory.read(size)
                except OSError:
                    break
                for name, shape in shapes.items():
                    where = text.find(shape)
                    while where >= 0:
                        found.append(f"{name} at {at + where:x} in {name_of_it or 'memory'}")
                        where = text.find(shape, where + 1)
                at += size
    return found


class Secrets(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.near, self.far = self.net.namespace("near"), self.net.namespace("far")
        self.net.veth(self.near, self.far, "10.77.0.1/24", "10.77.0.2/24")
        self.name, far_name = lib.unique_interface(), lib.unique_interface()
        self.keys = [lib.genkey(), lib.genkey()]
        self.secrets = [lib.genpsk(), lib.genpsk()]
        self.far_key = lib.genkey()
        self.peer = lib.pubkey(self.far_key)
        lib.wireguard_go(self.far, far_name)
        self.far_name = far_name
        self.far.address(far_name, "10.78.0.2/24", mtu=1420)

    def far_expects(self, key, secret):
        lib.configure(self.far, self.far_name, self.far_key,
                      [lib.Peer(lib.pubkey(key), "10.78.0.1/32", preshared_key=secret)], listen_port=50140)

    def near_has(self, key, secret):
        lib.configure(self.near, self.name, key, [
            lib.Peer(self.peer, "10.78.0.0/24", "10.77.0.2:50140", secret, 25)])

    def shake_hands(self):
        # A second initiation within five seconds is one too many, as for every peer.
        lib.wait_until(lambda: lib.ping(self.near, "10.78.0.2", 1).received, "an answer", 20)

    def file(self, text):
        path = pathlib.Path(self.net.folder, "key")
        path.write_text(text + "\n", encoding="utf-8")
        return str(path)

    def test_of_a_device(self):
        device = lib.thalweg_wg(self.near, self.name, env=ENVIRONMENT)
        self.far_expects(self.keys[0], self.secrets[0])
        self.near_has(self.keys[0], self.secrets[0])
        self.near.address(self.name, "10.78.0.1/24", mtu=1420)
        self.shake_hands()
        lib.wg(self.near, "showconf", self.name)
        self.assertTrue(found_in(device.pid, self.keys[0]), "the search finds what is there")
        self.assertTrue(found_in(device.pid, self.secrets[0]), "the search finds what is there")

        # The one key changes, and handshakes go on; then the other.
        self.far_expects(self.keys[1], self.secrets[0])
        lib.wg(self.near, "set", self.name, "private-key", self.file(self.keys[1]))
        self.shake_hands()
        self.assertEqual(found_in(device.pid, self.keys[0]), [])
        self.far_expects(self.keys[1], self.secrets[1])
        lib.wg(self.near, "set", self.name, "peer", self.peer, "preshared-key", self.file(self.secrets[1]))
        self.assertEqual(found_in(device.pid, self.secrets[0]), [])
        # The peer goes, and then the identity.
        lib.wg(self.near, "showconf", self.name)
        lib.wg(self.near, "set", self.name, "peer", self.peer, "remove")
        self.assertEqual(found_in(device.pid, self.secrets[1]), [])
        lib.wg(self.near, "set", self.name, "private-key", "/dev/null")
        self.assertEqual(found_in(device.pid, self.keys[1]), [])

    def test_of_a_device_without_any_handshake(self):
        device = lib.thalweg_wg(self.near, self.name, env=ENVIRONMENT)
        for number in (0, 1):
            self.near_has(self.keys[number], self.secrets[number])
        self.assertEqual(found_in(device.pid, self.keys[0]), [])
        self.assertEqual(found_in(device.pid, self.secrets[0]), [])

    def test_of_a_node(self):
        folder = pathlib.Path(self.net.folder)

        def write(key, secret):
            for name, text in (("node.key", key), ("peer.psk", secret)):
                (folder / name).write_text(text + "\n", encoding="utf-8")
                (folder / name).chmod(0o600)
        write(self.keys[0], self.secrets[0])
        (folder / "node.toml").write_text(
            f'[node]\ncontrol_socket = "{folder}/node.sock"\n[tunnel]\ninterface = "{self.name}"\n'
            f'private_key_file = "node.key"\naddresses = ["10.78.0.1/24"]\n[[peer]]\n'
            f'public_key = "{self.peer}"\npreshared_key_file = "peer.psk"\nendpoint = "10.77.0.2:50140"\n'
            f'allowed_ips = ["10.78.0.2/32"]\npersistent_keepalive_s = 25\n', encoding="utf-8")
        self.far_expects(self.keys[0], self.secrets[0])
        node = lib.thalweg(self.near, "run", "-c", f"{folder}/node.toml", env=ENVIRONMENT)
        node.wait_log(r"up, port \d+")
        self.shake_hands()
        self.far_expects(self.keys[1], self.secrets[1])
        write(self.keys[1], self.secrets[1])
        node.signal(1)
        node.wait_log(r"node\.toml: reloaded")
        self.shake_hands()
        self.assertEqual(found_in(node.pid, self.keys[0]), [])
        self.assertEqual(found_in(node.pid, self.secrets[0]), [])
        self.assertEqual(node.stop(), 0)


if __name__ == "__main__":
    lib.main()
