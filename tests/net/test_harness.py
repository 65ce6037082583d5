"""The harness itself: what it makes works, and is gone afterwards, whatever ends the test."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import lib

# Holds a host with a program and a device in it, says so, and waits to be ended.
VICTIM = textwrap.dedent("""
    import pathlib, signal, unittest
    import lib
    class Case(lib.NetTest):
        def test(self):
            host = self.net.namespace("host")
            program = host.start(["sleep", "1000"])
            host.run("sh -c 'setsid sleep 1001 >/dev/null 2>&1 &'")
            interface = lib.unique_interface()
            host.start(["wireguard-go", "-f", interface])
            socket = pathlib.Path(f"/var/run/wireguard/{{interface}}.sock")
            lib.wait_until(socket.is_socket, "the device")
            print("\\nmade", host.name, program.pid, self.net.folder, socket, flush=True)
            if {exception}:
                raise ValueError("as ordered")
            signal.pause()
    lib.main()
""")


def runs(pid):
    """Whether the process is there and not just waiting for init to collect it."""
    try:
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


def namespaces():
    listing = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listing.splitlines()}


class Leftovers(lib.NetTest):
    def victim(self, exception=False):
        """Starts the victim; returns it with what it made."""
        victim = self.net.start([sys.executable, "-B", "-c", VICTIM.format(exception=exception)],
                                env={"PYTHONPATH": os.path.dirname(os.path.abspath(__file__))})
        said = victim.wait_log(r"^made (\S+) (\d+) (\S+) (\S+)$")
        return victim, said.group(1), int(said.group(2)), [pathlib.Path(path) for path in said.groups()[2:]]

    def gone(self, namespace, pid, paths):
        # `sleep 1001` has left its parent: only the namespace still knows it.
        strays = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True,
                                check=False)
        return (not runs(pid) and namespace not in namespaces() and not any(path.exists() for path in paths)
                and strays.stdout == "")

    def test_nothing_after_an_exception(self):
        victim, *made = self.victim(exception=True)
        self.assertEqual(victim.wait(), 1)
        self.assertIn("ValueError: as ordered", victim.log())
        self.assertTrue(self.gone(*made))

    def test_nothing_after_sigterm_and_sigint(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            victim, *made = self.victim()
            self.assertIn(made[0], namespaces())
            self.assertTrue(runs(made[1]))
            victim.signal(number)
            self.assertEqual(victim.wait(), 128 + number)
            self.assertTrue(self.gone(*made))

    def test_nothing_after_sigkill(self):
        victim, *made = self.victim()
        victim.signal(signal.SIGKILL)
        self.assertEqual(victim.wait(), -signal.SIGKILL)
        lib.wait_until(lambda: self.gone(*made), "the janitor's work")


class Programs(lib.NetTest):
    def test_a_stubborn_program_is_killed(self):
        program = self.net.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
        program.wait_log("^ready$")
        self.assertEqual(program.stop(grace=0.2), -signal.SIGKILL)

    def test_a_sanitizer_report_fails(self):
        program = self.net.start(["echo", "==1==ERROR: AddressSanitizer: heap-use-after-free"])
        program.wait()
        with self.assertRaisesRegex(AssertionError, "heap-use-after-free"):
            program.stop()
        self.net.processes.remove(program)

    def test_a_program_that_ends_early_is_told(self):
        program = self.net.start(["sh", "-c", "echo broken; exit 3"])
        with self.assertRaisesRegex(AssertionError, "ended with 3"):
            program.wait_log("^never$")
        with self.assertRaisesRegex(AssertionError, "in vain: nothing"):
            lib.wait_until(lambda: False, "nothing", timeout=0.1)


class Traffic(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.net.namespace("a"), self.net.namespace("b")
        self.net.veth(self.a, self.b, ["10.77.0.1/24", "fd77::1/64"], ["10.77.0.2/24", "fd77::2/64"])

    def test_a_wire(self):
        for address in ("10.77.0.2", "fd77::2"):
            self.assertEqual(lib.ping(self.a, address).received, 3)
            result = lib.iperf3(self.a, self.b, address, seconds=1)
            self.assertGreater(result.bits_per_second, 1e8)
        lost = lib.ping(self.a, "10.77.0.3", count=1)
        self.assertEqual((lost.received, lost.rtt_ms), (0, []))
        udp = lib.iperf3(self.a, self.b, "10.77.0.2", seconds=1, reverse=True, udp_bits_per_second=10**6)
        self.assertAlmostEqual(udp.bits_per_second, 1e6, delta=3e5)

    def test_downloads(self):
        sums = lib.serve_files(self.b, "10.77.0.2", {"10k": os.urandom(10_000)})
        good = lib.curl(self.a, "http://10.77.0.2/10k")
        self.assertEqual((good.exit_code, good.code, good.sha256), (0, 200, sums["10k"]))
        self.assertEqual(lib.curl(self.a, "http://10.77.0.2/none").code, 404)
        refused = lib.curl(self.a, f"http://10.77.0.2:{lib.free_port(self.b)}/")
        self.assertEqual((refused.exit_code, refused.code), (7, 0))

    def test_two_wireguard_go_ping_each_other(self):
        keys = {host: lib.genkey() for host in (self.a, self.b)}
        psk = lib.genpsk()
        ports = {host: lib.free_port(host, udp=True) for host in keys}
        for host, peer, own, other, wire in ((self.a, self.b, 1, 2, "10.77.0.2"),
                                             (self.b, self.a, 2, 1, "[fd77::1]")):
            interface = lib.unique_interface()
            lib.wireguard_go(host, interface)
            lib.configure(host, interface, keys[host], listen_port=ports[host], peers=[
                lib.Peer(lib.pubkey(keys[peer]), f"10.78.0.{other}/32,fd78::{other}/128",
                         f"{wire}:{ports[peer]}", psk)])
            host.address(interface, f"10.78.0.{own}/24", f"fd78::{own}/64", mtu=1420)
        for address in ("10.78.0.2", "fd78::2"):
            self.assertEqual(lib.ping(self.a, address).received, 3)
        handshakes = lib.wg(self.b, "show", "all", "latest-handshakes").split()
        self.assertGreater(int(handshakes[-1]), 0)


if __name__ == "__main__":
    lib.main()
