"""Tunnels inside the tunnel: VXLAN over it, in trains where the kernel's TUN has them (Linux 6.17)."""

import json
import os
import sys
import textwrap

import lib

OUTER = {4: ("10.9.0.1", "10.9.0.2"), 6: ("fd09::1", "fd09::2")}
INNER = {4: ("10.8.0.1", "10.8.0.2"), 6: ("fd08::1", "fd08::2")}
MTU = 1420
FILE = 8_000_000

# Runs a program for which TUNSETOFFLOAD answers EINVAL to the bits of UDP tunnels, as before Linux 6.17.
OLD_KERNEL = textwrap.dedent("""
    import ctypes, os, struct, sys
    load, jump_set, jump_equal, give = 0x20, 0x45, 0x15, 0x06
    code = [(load, 0, 0, 0), (jump_equal, 0, 5, 16),          # the number is ioctl's
            (load, 0, 0, 24), (jump_equal, 0, 3, 0x400454D0),  # its command TUNSETOFFLOAD
            (load, 0, 0, 32), (jump_set, 0, 1, 0x180), (give, 0, 0, 0x00050016), (give, 0, 0, 0x7fff0000)]
    program = b"".join(struct.pack("HBBI", *one) for one in code)
    memory = ctypes.create_string_buffer(program)
    fprog = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.create_string_buffer(fprog)):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execv(sys.argv[1], sys.argv[1:])
""")


class UdpTunnels(lib.NetTest):
    """Two of our devices on a wire, and a tunnel inside of theirs."""

    def tunnel(self, *options, program=()):
        self.hosts = [self.net.namespace("one"), self.net.namespace("two")]
        self.net.veth(*self.hosts, "198.18.0.1/24", "198.18.0.2/24")
        keys = [lib.genkey(), lib.genkey()]
        self.names = [lib.unique_interface(), lib.unique_interface()]
        devices = []
        for here, host in enumerate(self.hosts):
            there = 1 - here
            device = host.start([*program, os.environ["TW_BIN"], "wg", "-f", *options, self.names[here]],
                                name="thalweg")
            device.wait_log(f"{self.names[here]}: up")
            devices.append(device)
            lib.configure(host, self.names[here], keys[here], listen_port=51820, peers=[
                lib.Peer(lib.pubkey(keys[there]), f"{OUTER[4][there]}/32,{OUTER[6][there]}/128",
                         f"198.18.0.{there + 1}:51820")])
            host.address(self.names[here], f"{OUTER[4][here]}/24", f"{OUTER[6][here]}/64", mtu=MTU)
        return devices

    def vxlan(self, outer, *options):
        for here, host in enumerate(self.hosts):
            host.run(["ip", "link", "add", "inner", "type", "vxlan", "id", 7, "local", OUTER[outer][here],
                      "remote", OUTER[outer][1 - here], "dstport", 4789, *options])
            host.address("inner", f"{INNER[4][here]}/24", f"{INNER[6][here]}/64",
                         mtu=MTU - (50 if outer == 4 else 70))
        self.assertEqual(lib.ping(self.hosts[0], INNER[4][1]).received, 3)

    def read_size(self, action):
        """What `action` returns, and how many bytes the second device has read from its TUN at a time."""
        def counted():
            said = self.hosts[1].run(["ip", "-s", "-j", "link", "show", self.names[1]]).stdout
            sent = json.loads(said)[0]["stats64"]["tx"]
            return sent["packets"], sent["bytes"]
        before = counted()
        done = action()
        after = counted()
        return done, (after[1] - before[1]) / max(1, after[0] - before[0])

    def check_carries(self, in_trains):
        """Files both families, whole, and how they crossed the TUN."""
        content = os.urandom(FILE)
        for family in (4, 6):
            address = INNER[family][1]
            sums = lib.serve_files(self.hosts[1], address, {"file": content}, port=8000 + family)
            host = f"[{address}]" if family == 6 else address
            got, size = self.read_size(lambda url=f"http://{host}:{8000 + family}/file":
                                       lib.curl(self.hosts[0], url))
            self.assertEqual((got.exit_code, got.sha256), (0, sums["file"]))
            if in_trains:
                self.assertGreater(size, 4 * MTU)
            else:
                self.assertLessEqual(size, MTU)

    def test_vxlan_over_ipv4(self):
        self.tunnel()
        self.vxlan(4)
        self.check_carries(lib.tun_has_udp_tunnels())

    def test_vxlan_over_ipv6(self):
        self.tunnel()
        self.vxlan(6)
        self.check_carries(lib.tun_has_udp_tunnels())

    def test_vxlan_without_outer_checksums(self):
        self.tunnel()
        self.vxlan(4, "noudpcsum")
        self.check_carries(lib.tun_has_udp_tunnels())

    def test_a_stream_at_full_rate_stays_in_trains(self):
        """The longest trains too: a TUN that takes only shorter ones has them cut in the kernel."""
        self.tunnel()
        self.vxlan(4)
        result, size = self.read_size(lambda: lib.iperf3(self.hosts[1], self.hosts[0], INNER[4][0], 2))
        self.assertGreater(result.bits_per_second, 1e6)
        if lib.tun_has_udp_tunnels():
            self.assertGreater(size, 4 * MTU)

    def test_udp_trains_inside(self):
        """Datagrams of UDP_SEGMENT inside VXLAN: a train of another kind."""
        self.tunnel()
        self.vxlan(4)
        send = ("import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
                "s.setsockopt(17, 103, 1000); s.connect((sys.argv[1], 7007)); "
                "[s.send(bytes([i]) * 20500) for i in range(20)]")
        sink = textwrap.dedent("""
            import socket, sys
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            s.bind((sys.argv[1], 7007)); s.settimeout(20); print("ready", flush=True)
            got = [s.recv(2000) for i in range(20 * 21)]
            print("got", [b"".join(got[i * 21:(i + 1) * 21]) for i in range(20)] ==
                  [bytes([i]) * 20500 for i in range(20)], flush=True)
        """)
        receiver = self.hosts[0].start([sys.executable, "-c", sink, INNER[4][0]])
        receiver.wait_log("ready")
        _, size = self.read_size(lambda: self.hosts[1].run([sys.executable, "-c", send, INNER[4][0]]))
        receiver.wait_log("got True", timeout=20)
        if lib.tun_has_udp_tunnels():
            self.assertGreater(size, 4 * MTU)

    def test_turned_off(self):
        self.tunnel("--no-offload", "tun_udp_tunnel")
        self.vxlan(4)
        self.check_carries(False)

    def test_a_kernel_without(self):
        """Everything else is as it is on a kernel that has them."""
        for device in self.tunnel(program=[sys.executable, "-c", OLD_KERNEL]):
            device.wait_log("has no trains inside UDP tunnels")
        self.vxlan(6)
        self.check_carries(False)
        result, size = self.read_size(lambda: lib.iperf3(self.hosts[1], self.hosts[0], OUTER[4][0], 1))
        self.assertGreater(result.bits_per_second, 1e6)
        self.assertGreater(size, 4 * MTU)


if __name__ == "__main__":
    lib.main()
