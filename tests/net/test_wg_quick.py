"""`thalweg wg up` and `down` against wg-quick with the same file: the machine must look alike."""

import json
import os
import pathlib
import signal

import lib

BINARY = os.environ.get("TW_BIN", "")


def words_of(cmdline):
    """The words a process was started with; none if it has ended."""
    try:
        return cmdline.read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return []


class Quick(lib.QuickCase):
    def state(self):
        """The machine and the device, which is not asked for a port of its own choosing."""
        dump = self.near.run(["wg", "show", self.name, "dump"]).stdout.splitlines()
        device = dump[0].split("\t")
        return self.machine(), [device[0], device[3]], [line.split("\t")[:4] for line in dump[1:]]

    def compare(self):
        self.wg_quick("up")
        theirs = self.state()
        self.wg_quick("down")
        before = self.machine()
        self.ours("up")
        self.maxDiff = None
        self.assertEqual(self.state(), theirs)
        self.ours("down")
        self.assertEqual(self.machine(), before)
        return theirs[0]

    def test_plain_routes(self):
        self.conf("10.78.0.0/24, fd78::/64, 10.79.0.0/16, 10.79.1.0/24, fd79::/48")
        shown = self.compare()
        self.assertEqual([link[1] for link in shown["addresses"] if link[0] == self.name], [1320])

    def test_an_mtu_of_its_own_and_over_ipv6(self):
        self.conf("10.79.0.0/16", "MTU = 1280", endpoint="[fd77::2]:50130")
        self.compare()

    def test_the_default_route(self):
        self.conf("0.0.0.0/0, ::/0")
        shown = self.compare()
        self.assertIn("51820", json.dumps(shown["rules-4"]))
        self.assertIn("51820", json.dumps(shown["rules-6"]))

    def test_the_default_route_with_a_mark_of_the_users(self):
        self.conf("0.0.0.0/0", "FwMark = 0x77")
        self.compare()

    def test_a_table_that_is_taken(self):
        self.near.ip("route add 10.99.0.0/16 via 10.77.0.2 table 51820")
        self.conf("0.0.0.0/0")
        self.assertIn("51821", json.dumps(self.compare()["rules-4"]))

    def test_a_table_of_the_users(self):
        self.conf("0.0.0.0/0, 10.79.0.0/16, 10.79.1.0/24", "Table = 4242")
        self.compare()

    def test_a_table_by_its_name(self):
        etc = self.etc(self.near)
        (etc / "iproute2").mkdir()
        (etc / "iproute2" / "rt_tables").write_text("0x1092 uplink # ours\n", encoding="ascii")
        self.conf("10.79.0.0/16, fd79::/48", "Table = uplink")
        self.assertIn("uplink", json.dumps(self.compare()["routes-4"]))

    def test_numbers_as_ip_reads_them(self):
        self.conf("10.79.0.0/16", "MTU = 0x500\nTable = 010",
                  address="10.78.0.1/0x18 fd78::1/064,,10.78.1.1/255.255.255.0 10.76.9/016")
        self.compare()

    def test_sections_and_keys_that_stand_again(self):
        self.conf("10.79.0.0/16", "MTU = 1300\nMTU = 1280\n [interface] # again\nTable = 7\nTABLE = auto\n"
                                  "  address=10.78.3.1/24,10.78.4.1/32\r\n[Interface]\nFw Mark = 0x 77")
        self.compare()

    def test_a_peer_that_stands_twice(self):
        """Routes lead to what the device has: what the last section says of the peer."""
        self.conf("10.79.0.0/16, 0.0.0.0/0, ::/0")
        text = self.file.read_text(encoding="utf-8")
        peer = text[text.index("[Peer]"):text.index("Endpoint")]
        self.file.write_text(f"{text}{peer}AllowedIPs = 10.80.0.0/16\n", encoding="utf-8")
        self.assertNotIn("51820", json.dumps(self.compare()["rules-4"]))

    def test_no_routes(self):
        self.conf("0.0.0.0/0, 10.79.0.0/16", "Table = off")
        self.compare()

    def test_hooks_run_in_their_order(self):
        told = pathlib.Path(self.net.folder, "told")
        hooks = "\n".join(f"{key} = echo {key} %i $(ip -br link show dev %i 2>/dev/null | wc -l) >> {told}"
                          for key in ("PreUp", "PostUp", "PreDown", "PostDown"))
        self.conf("10.79.0.0/16", hooks)
        self.ours("up")
        self.ours("down")
        expected = [f"{key} {self.name} {there}" for key, there in
                    (("PreUp", 0), ("PostUp", 1), ("PreDown", 1), ("PostDown", 0))]
        self.assertEqual(told.read_text(encoding="utf-8").splitlines(), expected)

    def test_name_servers_are_resolvconfs_business(self):
        self.conf("10.79.0.0/16", "DNS = 10.78.0.53, fd78::53, example.net")
        told = pathlib.Path(self.net.folder, "told")
        program = pathlib.Path(self.net.folder, "resolvconf")
        program.write_text(f'#!/bin/sh\necho "$@" >> {told}\ncat >> {told}\n', encoding="utf-8")
        program.chmod(0o755)
        path = f"{self.net.folder}:{os.environ['PATH']}"
        self.ours("up", path=path)
        self.ours("down", path=path)
        self.assertEqual(told.read_text(encoding="utf-8").splitlines(), [
            f"-a {self.name} -m 0 -x", "nameserver 10.78.0.53", "nameserver fd78::53",
            "search example.net", f"-d {self.name} -f"])
        # Without it the tunnel comes up all the same.
        program.unlink()
        self.assertIn("no resolvconf", self.ours("up", path=self.net.folder).stderr)
        self.ours("down", path=self.net.folder)

    def test_a_failure_half_way_leaves_nothing(self):
        before = self.machine()
        self.conf("0.0.0.0/0, ::/0", "PostUp = exit 7")
        done = self.ours("up", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("exit code 7", done.stderr)
        self.assertEqual(self.machine(), before)
        self.conf("10.79.0.0/16", endpoint="no-such-host.invalid:1")
        done = self.near.run([BINARY, "wg", "up", str(self.file)], check=False,
                             env={"WG_ENDPOINT_RESOLUTION_RETRIES": "0"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("no-such-host.invalid", done.stderr)
        self.assertEqual(self.machine(), before)

    def test_down_after_a_kill(self):
        before = self.machine()
        self.conf("0.0.0.0/0, ::/0")
        self.ours("up")
        device = [path for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")
                  if words_of(path)[1:] == ["wg", self.name, ""]]
        self.assertEqual(len(device), 1)
        os.kill(int(device[0].parent.name), signal.SIGKILL)
        lib.wait_until(lambda: self.name not in self.near.ip("link"), "the interface to go")
        self.assertNotEqual(self.machine(), before)
        self.ours("down")
        self.assertEqual(self.machine(), before)
        self.assertEqual(self.ours("down", check=False).returncode, 1)

    def test_the_configuration_is_saved(self):
        hook = "PostUp = true %i"
        self.conf("10.79.0.0/16", f"SaveConfig = true\n{hook}\nMTU = 1300")
        self.ours("up")
        other = lib.pubkey(lib.genkey())
        lib.wg(self.near, "set", self.name, "peer", other, "allowed-ips", "10.80.0.0/16,fd80::/64")
        before = self.state()
        self.ours("down")
        saved = self.file.read_text(encoding="utf-8")
        for line in ("SaveConfig = true", hook, "MTU = 1300", f"PublicKey = {other}"):
            self.assertIn(line, saved)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.ours("up")
        machine, device, peers = self.state()
        self.assertEqual((device, sorted(peers)), (before[1], sorted(before[2])))
        self.assertEqual(machine["addresses"], before[0]["addresses"])
        self.ours("down")

    def test_what_is_refused(self):
        self.conf("10.79.0.0/16", "Table = seven\nSaveConfig = perhaps")
        done = self.ours("up", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"{self.name}.conf:4:9: Interface.Table: .*seven.* is not a table")
        self.assertRegex(done.stderr, rf"{self.name}.conf:5:14: Interface.SaveConfig: .*perhaps")
        self.conf("10.79.0.0/16")
        self.ours("up")
        done = self.ours("up", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("exists already", done.stderr)
        self.ours("down")
        self.assertIn("is not up", self.ours("down", check=False).stderr)
        done = self.near.run([BINARY, "wg", "up", "no-such-tunnel"], check=False)
        self.assertRegex(done.stderr, r"/etc/wireguard/no-such-tunnel.conf: No such file or directory")


if __name__ == "__main__":
    lib.main()
