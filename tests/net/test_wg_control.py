"""`thalweg wg` as wg and wg-quick see it: every way to configure it, and every way it ends."""

import base64
import os
import pathlib
import re
import signal
import time

import lib

BINARY = os.environ.get("TW_BIN", "")


def socket_of(interface):
    return pathlib.Path(f"/var/run/wireguard/{interface}.sock")


def links(namespace):
    return re.findall(r"^\d+: ([^:@]+)", namespace.ip("-o link show"), re.M)


def peers(count):
    """Public keys of nobody."""
    return [base64.b64encode(os.urandom(32)).decode() for _ in range(count)]


class Device(lib.NetTest):
    """Cases with one device on one host."""

    def setUp(self):
        super().setUp()
        self.host = self.net.namespace("host")
        self.name = lib.unique_interface()
        self.device = None

    def start(self):
        self.device = lib.thalweg_wg(self.host, self.name)

    def wg(self, *arguments, stdin=None):
        return lib.wg(self.host, *arguments, stdin=stdin)

    def refused(self, *arguments, stdin=None):
        """What wg says when it fails."""
        done = self.host.run(["wg", *arguments], stdin=stdin, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return done.stderr

    def gone(self):
        """The process has ended well and left nothing."""
        self.assertEqual(self.device.wait(), 0, self.device.log())
        self.assertNotIn(self.name, links(self.host))
        self.assertFalse(socket_of(self.name).exists())


class Configuration(Device):
    def setUp(self):
        super().setUp()
        self.start()

    def test_set_and_show(self):
        key, psk, (one, two) = lib.genkey(), lib.genpsk(), peers(2)
        self.wg("set", self.name, "private-key", "/dev/stdin", stdin=key)
        self.wg("set", self.name, "listen-port", "50123", "fwmark", "0x1234")
        self.wg("set", self.name, "peer", one, "preshared-key", "/dev/stdin", "endpoint",
                "192.0.2.7:5182", "persistent-keepalive", "25", "allowed-ips", "10.1.0.7/16,fd01::7/64",
                stdin=psk)
        self.wg("set", self.name, "peer", two, "endpoint", "[2001:db8::7]:5183", "allowed-ips",
                "10.2.0.0/16")
        device, *lines = [line.split("\t") for line in self.wg("show", self.name, "dump").splitlines()]
        self.assertEqual(device, [key, lib.pubkey(key), "50123", "0x1234"])
        shown = {line[0]: line for line in lines}
        self.assertEqual(shown[one][1:5], [psk, "192.0.2.7:5182", "10.1.0.0/16,fd01::/64", "0"])
        self.assertEqual(shown[one][7], "25")
        self.assertEqual(shown[two][1:5], ["(none)", "[2001:db8::7]:5183", "10.2.0.0/16", "0"])
        self.assertEqual(shown[two][7], "off")

        # An allowed IP moves to whoever named it last; zero keys and `off` clear.
        self.wg("set", self.name, "peer", two, "allowed-ips", "10.1.0.0/16")
        self.wg("set", self.name, "peer", one, "persistent-keepalive", "off", "preshared-key",
                "/dev/null")
        moved = dict(line.split("\t") for line in self.wg("show", self.name, "allowed-ips").splitlines())
        self.assertEqual(moved, {one: "fd01::/64", two: "10.1.0.0/16"})
        self.assertIn(f"{one}\t(none)", self.wg("show", self.name, "preshared-keys"))
        self.wg("set", self.name, "fwmark", "off", "peer", one, "remove")
        self.assertEqual(self.wg("show", self.name, "peers").split(), [two])
        self.assertEqual(self.wg("show", self.name, "fwmark").strip(), "off")

        # Nobody is a peer of itself.
        self.wg("set", self.name, "peer", lib.pubkey(key), "allowed-ips", "10.9.0.0/16")
        self.assertEqual(self.wg("show", self.name, "peers").split(), [two])

    def test_files(self):
        one, two, three = peers(3)
        lib.configure(self.host, self.name, lib.genkey(), listen_port=50124, peers=[
            lib.Peer(one, "10.1.0.0/16", "192.0.2.7:5182", lib.genpsk(), 25),
            lib.Peer(two, "10.2.0.0/16,fd02::/64")])
        shown = self.wg("showconf", self.name)
        self.wg("setconf", self.name, "/dev/stdin", stdin=shown)
        self.assertEqual(self.wg("showconf", self.name), shown)
        self.wg("syncconf", self.name, "/dev/stdin", stdin=shown)
        self.assertEqual(self.wg("showconf", self.name), shown)
        self.wg("addconf", self.name, "/dev/stdin", stdin=lib.Peer(three, "10.3.0.0/16").section())
        self.assertEqual(set(self.wg("show", self.name, "peers").split()), {one, two, three})
        self.wg("syncconf", self.name, "/dev/stdin", stdin=shown)
        self.assertEqual(self.wg("showconf", self.name), shown)
        # A file without a port asks for any, and any is what it has.
        without = shown.replace("ListenPort = 50124\n", "")
        self.wg("syncconf", self.name, "/dev/stdin", stdin=without)
        port = self.wg("show", self.name, "listen-port")
        self.wg("syncconf", self.name, "/dev/stdin", stdin=without)
        self.assertEqual(self.wg("show", self.name, "listen-port"), port)

    def test_refusals_change_nothing(self):
        self.wg("set", self.name, "listen-port", "50125")
        self.wg("set", self.name, "peer", *peers(1), "allowed-ips", "10.1.0.0/16")
        before = self.wg("showconf", self.name)
        for family in ("INET", "INET6"):
            squatter = self.host.start(["python3", "-c", "import signal, socket as s\n"
                                        f"x = s.socket(s.AF_{family}, s.SOCK_DGRAM)\n"
                                        "x.bind(('', 50126))\nprint('bound', flush=True)\nsignal.pause()"])
            squatter.wait_log("bound")
            said = self.refused("set", self.name, "listen-port", "50126", "peer", *peers(1))
            self.assertIn("Address already in use", said)
            self.assertEqual(self.wg("showconf", self.name), before)
            squatter.stop()
        self.wg("set", self.name, "listen-port", "50126")

    def test_ten_thousand_peers(self):
        lines = ["[Interface]", "PrivateKey = " + lib.genkey()]
        for number, key in enumerate(peers(10_000)):
            high, low = divmod(number, 256)
            lines += ["[Peer]", f"PublicKey = {key}",
                      f"AllowedIPs = 10.{high}.{low}.0/32,10.{high}.{low}.1/32,fd00::{number:x}/128"]
        text = "\n".join(lines) + "\n"
        self.wg("setconf", self.name, "/dev/stdin", stdin=text)
        self.assertEqual(len(self.wg("show", self.name, "peers").split()), 10_000)
        start = time.monotonic()
        self.wg("syncconf", self.name, "/dev/stdin", stdin=text)
        self.assertLess(time.monotonic() - start, 10)
        self.assertEqual(len(self.wg("show", self.name, "allowed-ips").splitlines()), 10_000)
        self.wg("setconf", self.name, "/dev/stdin", stdin="\n".join(lines[:2]) + "\n")
        self.assertEqual(self.wg("show", self.name, "peers"), "")


class Ends(Device):
    def test_by_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.start()
            self.assertIn(self.name, links(self.host))
            self.device.signal(number)
            self.gone()

    def test_by_removing_the_socket(self):
        self.start()
        socket_of(self.name).unlink()
        self.gone()

    def test_by_deleting_the_interface(self):
        self.start()
        self.host.ip(f"link del {self.name}")
        self.gone()

    def test_an_interface_that_moves_lives_on(self):
        other = self.net.namespace("other")
        self.start()
        self.host.ip(f"link set {self.name} netns {other.name}")
        self.wg("set", self.name, "listen-port", "50127")
        self.assertIn(self.name, links(other))
        other.ip(f"link del {self.name}")
        self.gone()

    def test_killed_and_started_again(self):
        self.start()
        self.device.signal(signal.SIGKILL)
        self.device.wait()
        self.assertTrue(socket_of(self.name).exists())
        lib.wait_until(lambda: self.name not in links(self.host), "the interface going")
        self.device = lib.thalweg(self.host, "wg", "-f", self.name)
        self.device.wait_log(" up$")
        self.wg("show", self.name)
        self.device.signal(signal.SIGTERM)
        self.gone()


class Starts(Device):
    def fails(self, argv, pattern, env=None):
        done = self.host.run(argv, check=False, env=env)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, pattern)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_in_the_background(self):
        self.assertEqual(self.host.run([BINARY, "wg", self.name]).stderr, "")
        self.assertIn("listening port", self.wg("show", self.name))
        # The name is taken, here and (its socket) on every other host of this machine.
        self.fails([BINARY, "wg", self.name], self.name + ": .*in use|busy")
        other = self.net.namespace("other")
        self.assertIn(f"{self.name}.sock is in use",
                      other.run([BINARY, "wg", self.name], check=False).stderr)
        self.assertNotIn(self.name, links(other))
        self.assertIn("listening port", self.wg("show", self.name))
        socket_of(self.name).unlink()
        lib.wait_until(lambda: self.name not in links(self.host), "the device going down")

    def test_not_at_all(self):
        self.fails([BINARY, "wg", "a-name-that-is-too-long"], "a-name-that-is-too-long")
        self.fails(["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs",
                    BINARY, "wg", self.name], "CAP_NET_ADMIN|needs root")
        self.assertEqual(self.host.run([BINARY, "wg"], check=False).returncode, 2)
        self.assertFalse(socket_of(self.name).exists())

    def test_undumpable_and_with_few_capabilities(self):
        self.device = lib.thalweg(self.host, "wg", self.name, env={"WG_PROCESS_FOREGROUND": "1"})
        lib.wait_until(socket_of(self.name).exists, "the socket")
        self.device.wait_log(" up$")
        status = pathlib.Path(f"/proc/{self.device.pid}/status").read_text(encoding="utf-8")
        self.assertIn("NoNewPrivs:\t1", status)
        limits = pathlib.Path(f"/proc/{self.device.pid}/limits").read_text(encoding="utf-8")
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        for pid in os.listdir(f"/proc/{self.device.pid}/task"):
            thread = pathlib.Path(f"/proc/{self.device.pid}/task/{pid}/status").read_text(encoding="utf-8")
            bounding = int(re.search(r"CapBnd:\t(\w+)", thread).group(1), 16)
            self.assertEqual(bounding & ~(1 << 10 | 1 << 12 | 1 << 13 | 1 << 24 | 1 << 39), 0, hex(bounding))


class Quick(lib.NetTest):
    def test_wg_quick_up_and_down(self):
        near, far = self.net.namespace("near"), self.net.namespace("far")
        self.net.veth(near, far, "10.77.0.1/24", "10.77.0.2/24")
        names = {near: lib.unique_interface(), far: lib.unique_interface()}
        keys = {near: lib.genkey(), far: lib.genkey()}
        lib.thalweg_wg(far, names[far])
        lib.configure(far, names[far], keys[far], listen_port=50130,
                      peers=[lib.Peer(lib.pubkey(keys[near]), "10.78.0.1/32,fd78::1/128")])
        far.address(names[far], "10.78.0.2/24", "fd78::2/64", mtu=1420)

        program = pathlib.Path(self.net.folder, "thalweg-wg")
        program.symlink_to(BINARY)
        config = pathlib.Path(self.net.folder, f"{names[near]}.conf")
        config.write_text(f"[Interface]\nPrivateKey = {keys[near]}\nAddress = 10.78.0.1/24, fd78::1/64\n"
                          f"[Peer]\nPublicKey = {lib.pubkey(keys[far])}\nEndpoint = 10.77.0.2:50130\n"
                          "AllowedIPs = 10.78.0.0/24, fd78::/64, 10.79.0.0/16\n", encoding="utf-8")
        config.chmod(0o600)
        env = {"WG_QUICK_USERSPACE_IMPLEMENTATION": str(program)}
        near.run(["wg-quick", "up", str(config)], env=env)
        for address in ("10.78.0.2", "fd78::2"):
            self.assertEqual(lib.ping(near, address).received, 3)
        self.assertIn("10.79.0.0/16", near.ip("route"))
        near.run(["wg-quick", "down", str(config)], env=env)
        self.assertNotIn(names[near], links(near))
        lib.wait_until(lambda: not socket_of(names[near]).exists(), "the device going down")


if __name__ == "__main__":
    lib.main()
