"""A device that moves to another network namespace: its sockets stay where it was born, as with the
kernel's WireGuard, and what happens to it is followed wherever it is."""

import json
import subprocess

import lib

PORT = (50241, 50242)
INNER = (("10.84.0.1", "fd84::1"), ("10.84.0.2", "fd84::2"))
OUTER = {4: ("10.85.0.1", "10.85.0.2"), 6: ("fd85::1", "fd85::2")}


class Moved(lib.NetTest):
    """`born` has the wire to `far`; `inner` and `third` have nothing but what moves there."""

    def setUp(self):
        super().setUp()
        self.born, self.far = (self.net.namespace(label) for label in ("born", "far"))
        self.inner, self.third = (self.net.namespace(label) for label in ("inner", "third"))
        self.net.veth(self.born, self.far, ["10.85.0.1/24", "fd85::1/64"], ["10.85.0.2/24", "fd85::2/64"])
        self.keys = [lib.genkey() for _ in range(2)]
        self.names = [lib.unique_interface() for _ in range(2)]

    def start(self, family=4, *options):
        hosts = (self.born, self.far)
        self.devices = [lib.thalweg_wg(host, name, *options) for host, name in zip(hosts, self.names)]
        for side in (0, 1):
            outer = OUTER[family][1 - side]
            peer = lib.Peer(lib.pubkey(self.keys[1 - side]), ",".join(
                f"{at}/{32 if '.' in at else 128}" for at in INNER[1 - side]),
                f"{outer}:{PORT[1 - side]}" if family == 4 else f"[{outer}]:{PORT[1 - side]}")
            lib.configure(hosts[side], self.names[side], self.keys[side], [peer], PORT[side])
        self.far.address(self.names[1], f"{INNER[1][0]}/24", f"{INNER[1][1]}/64", mtu=1420)

    def up(self, host):
        host.address(self.names[0], f"{INNER[0][0]}/24", f"{INNER[0][1]}/64", mtu=1420)

    def move(self, source, target):
        source.ip(f"link set {self.names[0]} netns {target.name}")

    def sockets(self, host):
        return f":{PORT[0]} " in host.run(["ss", "-Hlun"]).stdout

    def expect_works(self, host):
        lib.wait_until(lambda: self.sockets(self.born), "the socket where the device was born", 5)
        lib.wait_until(lambda: lib.ping(host, INNER[1][0], count=1).received == 1, "the tunnel", 8)
        for far in INNER[1]:
            self.assertEqual(lib.ping(host, far).received, 3, far)
        for near in INNER[0]:
            self.assertEqual(lib.ping(self.far, near).received, 3, near)
        self.assertFalse(self.sockets(host) and host is not self.born)

    def stop(self):
        for device in self.devices:
            self.assertEqual(device.stop(), 0)

    def check_moves(self, family, *options):
        self.start(family, *options)
        self.up(self.born)
        self.expect_works(self.born)
        at = self.born
        for target in (self.inner, self.third, self.born, self.inner):
            self.move(at, target)
            lib.wait_until(lambda: not self.sockets(self.born), "the socket to close: a move sets down", 5)
            self.up(target)
            self.expect_works(target)
            at = target
        self.assertEqual(lib.wg(self.born, "show", self.names[0], "listen-port").strip(), str(PORT[0]))
        self.stop()

    def test_with_two_workers(self):
        self.check_moves(4, "--workers", "2")

    def test_once_up_over_ipv4(self):
        self.check_moves(4)

    def test_once_up_over_ipv6(self):
        self.check_moves(6)

    def test_never_up_before(self):
        self.start()
        self.move(self.born, self.inner)
        self.up(self.inner)
        self.expect_works(self.inner)
        self.stop()

    def test_down_is_deaf_there_too(self):
        self.start()
        self.up(self.born)
        self.move(self.born, self.inner)
        self.up(self.inner)
        self.expect_works(self.inner)
        self.inner.ip(f"link set {self.names[0]} down")
        lib.wait_until(lambda: not self.sockets(self.born), "the socket to close", 5)
        lib.wg(self.born, "set", self.names[0], "listen-port", str(PORT[0]))
        self.up6_again()
        self.expect_works(self.inner)
        self.stop()

    def up6_again(self):
        """Addresses of IPv6 went with the link."""
        self.inner.address(self.names[0], f"{INNER[0][1]}/64")

    def test_a_new_name_there(self):
        self.start()
        self.up(self.born)
        self.inner.ip("link add twnew type veth peer name twother")  # numbers differ, too
        self.inner.ip("link delete twnew")
        subprocess.run(["ip", "-n", self.born.name, "link", "set", self.names[0], "netns", self.inner.name,
                        "name", "eth7"], check=True)
        self.inner.address("eth7", f"{INNER[0][0]}/24", f"{INNER[0][1]}/64", mtu=1420)
        self.expect_works(self.inner)
        self.inner.ip("link set eth7 down")
        lib.wait_until(lambda: not self.sockets(self.born), "the socket to close", 5)
        self.stop()

    def test_the_mtu_is_followed(self):
        """Padding never grows a packet beyond the device's MTU: what is on the wire shows it."""
        self.start()
        self.up(self.born)
        self.move(self.born, self.inner)
        self.up(self.inner)
        self.expect_works(self.inner)

        def wire_bytes():
            """Returns the bytes on the wire of one echo request of 1,301 bytes in the tunnel."""
            def sent():
                shown = json.loads(self.born.ip("-s -j link show to-far"))
                return shown[0]["stats64"]["tx"]["bytes"]
            before = sent()
            self.inner.run(["ping", "-n", "-c", 1, "-s", 1301 - 28, INNER[1][0]])
            return sent() - before
        expected = 1301 + 32 + 28 + 14
        self.assertGreaterEqual(wire_bytes(), expected + 11)  # padded to 1,312
        self.inner.ip(f"link set {self.names[0]} mtu 1301")
        lib.wait_until(lambda: wire_bytes() == expected, "the new MTU", 5)
        self.stop()

    def test_the_namespace_is_deleted(self):
        self.start()
        self.up(self.born)
        self.move(self.born, self.inner)
        self.up(self.inner)
        self.expect_works(self.inner)
        self.inner.run(["ip", "link", "delete", self.names[0]])
        self.assertEqual(self.devices[0].wait(10), 0)


if __name__ == "__main__":
    lib.main()
