"""Endpoints that are routed into a tunnel: its own, or one that leads back into it."""

import time

import lib
from lib.cpu import process_seconds

PORT = {"x": 50251, "y": 50252, "far": 50253}
OUTER = {4: ("10.86.0.1", "10.86.0.2"), 6: ("fd86::1", "fd86::2")}
INNER = {"x": ("10.87.1.1", "10.87.1.2", "fd87:1::1", "fd87:1::2"),
         "y": ("10.87.2.1", "10.87.2.2", "fd87:2::1", "fd87:2::2")}


class Loops(lib.NetTest):
    """Devices of host h, each with a peer of its own on the host far: sessions first, then routes."""

    def setUp(self):
        super().setUp()
        self.h, self.far = (self.net.namespace(label) for label in ("h", "far"))
        self.net.veth(self.h, self.far, ["10.86.0.1/24", "fd86::1/64"],
                      ["10.86.0.2/24", "10.86.0.3/24", "fd86::2/64", "fd86::3/64"])
        self.devices = {}

    def start(self, label, outer):
        """One device and its peer, whose endpoint is `outer`."""
        names = [lib.unique_interface() for _ in range(2)]
        keys = [lib.genkey() for _ in range(2)]
        port = PORT["far"] + len(self.devices)
        ours, theirs, ours6, theirs6 = INNER[label]
        for side, (host, listen) in enumerate(((self.h, PORT[label]), (self.far, port))):
            device = lib.thalweg_wg(host, names[side])
            endpoint = f"[{outer}]:{port}" if ":" in outer else f"{outer}:{port}"
            peer = lib.Peer(lib.pubkey(keys[1 - side]), "0.0.0.0/0,::/0", endpoint if side == 0 else None)
            lib.configure(host, names[side], keys[side], [peer], listen)
            host.address(names[side], f"{(ours, theirs)[side]}/24", f"{(ours6, theirs6)[side]}/64", mtu=1420)
            if side == 0:
                self.devices[label] = (device, names[0])
        self.assertEqual(lib.ping(self.h, theirs).received, 3)
        self.assertEqual(lib.ping(self.h, theirs6).received, 3)

    def through(self, label, *targets):
        """Routes to these addresses lead into a device from now on."""
        for target in targets:
            self.h.ip(f"route add {target}/{128 if ':' in target else 32} dev {self.devices[label][1]}")

    def work(self, label):
        """Seconds of CPU, and packets both ways, of a device so far."""
        device, name = self.devices[label]
        packets = sum(int(self.h.run(["cat", f"/sys/class/net/{name}/statistics/{way}_packets"]).stdout)
                      for way in ("rx", "tx"))
        return process_seconds(device.pid), packets

    def expect_quiet(self, labels, packets):
        """Three small pings and three large ones cost no more than so many packets, and no CPU."""
        before = {label: self.work(label) for label in labels}
        for label in labels:
            for target in INNER[label][1::2]:
                self.assertEqual(lib.ping(self.h, target, wait=1).received, 0)
                lib.ping(self.h, target, size=1380, wait=1)
        end = time.monotonic() + 1
        lib.wait_until(lambda: time.monotonic() > end, "whatever goes round to go round")
        for label in labels:
            cpu, count = (after - first for after, first in zip(self.work(label), before[label]))
            self.assertLess(cpu, 0.5, label)
            self.assertLess(count, packets, label)

    def stop(self, *labels):
        for label in labels:
            self.assertEqual(self.devices[label][0].stop(), 0)

    def check_own(self, family):
        endpoint = OUTER[family][1]
        self.start("x", endpoint)
        self.through("x", endpoint)
        self.devices["x"][0].wait_log("routed into its own tunnel")
        self.expect_quiet("x", 40)
        # Mended, it works again without a restart.
        self.h.ip(f"route del {endpoint} dev {self.devices['x'][1]}")
        lib.wait_until(lambda: lib.ping(self.h, INNER["x"][1], count=1).received, "the tunnel", 20)
        self.stop("x")
        self.assertRegex(self.devices["x"][0].log(), r"to the wire: .*routing_loop \d+")

    def test_into_its_own_tunnel_over_ipv4(self):
        self.check_own(4)

    def test_into_its_own_tunnel_over_ipv6(self):
        self.check_own(6)

    def check_two(self, first, second):
        self.start("x", first)
        self.start("y", second)
        self.through("y", first)
        self.through("x", second)
        self.expect_quiet("xy", 1500)
        self.stop("x", "y")

    def test_two_that_carry_each_other_over_ipv4(self):
        self.check_two("10.86.0.2", "10.86.0.3")

    def test_two_that_carry_each_other_over_ipv6(self):
        self.check_two("fd86::2", "fd86::3")

    def test_two_that_carry_each_other_over_both(self):
        self.check_two("10.86.0.2", "fd86::3")

    def test_one_in_another_is_no_loop(self):
        self.start("x", "10.86.0.2")
        # y's peer is reached through x: by the far end's address inside x.
        self.start("y", INNER["x"][1])
        self.assertEqual(lib.ping(self.h, INNER["y"][1], size=1300).received, 3)
        self.assertEqual(lib.ping(self.far, INNER["y"][0], size=1300).received, 3)
        self.stop("x", "y")


if __name__ == "__main__":
    lib.main()
