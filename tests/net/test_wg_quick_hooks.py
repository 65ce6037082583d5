"""Hooks as wg-quick runs them, signals in the middle of `up` and `down`, and the file that is saved."""

import os
import pathlib
import signal
import subprocess
import time

import lib

BINARY = os.environ.get("TW_BIN", "")


class Hooks(lib.QuickCase):
    def setUp(self):
        super().setUp()
        self.told = pathlib.Path(self.net.folder, "told")

    def lines(self):
        return self.told.read_text(encoding="utf-8").splitlines() if self.told.exists() else []

    def both(self, hook):
        """Returns whether wg-quick and ours failed with the hook, and what it told; both are down again."""
        self.conf("10.79.0.0/16", f"PostUp = {hook}")
        results = []
        wg_quick = ["wg-quick", "up", str(self.file)]
        for up, down in ((lambda: self.near.run(wg_quick, check=False, env=self.env),
                          lambda: self.wg_quick("down")),
                         (lambda: self.ours("up", check=False), lambda: self.ours("down"))):
            self.told.unlink(missing_ok=True)
            code = up().returncode
            results.append((code != 0, self.lines()))
            if code == 0:
                down()
            else:
                self.assertNotIn(self.name, self.near.ip("link"))
                socket = pathlib.Path(f"/var/run/wireguard/{self.name}.sock")
                lib.wait_until(lambda: not socket.exists(), "its end")
        return results

    def test_a_command_that_fails_ends_the_hook_and_the_tunnel(self):
        before = self.machine()
        for hook in ("false; true", "iptables-that-fails -A INPUT -j DROP; true", "false | true",
                     "true | false | cat", "{ false; }; true", "(exit 3); true", "x=$(false); true",
                     "cmd false; true", "die no", "echo ${unset?} ; true", "if"):
            theirs, ours = self.both(hook)
            self.assertEqual((theirs, ours), ((True, []), (True, [])), hook)
        self.assertEqual(self.machine(), before)

    def test_the_shell_is_wg_quicks(self):
        for hook, said in (
                (f"echo $INTERFACE %i >> {self.told}", [f"{self.name} {self.name}"]),
                (f"[[ aab == +(a)b ]] && echo ${{INTERFACE%%+([0-9])}} >> {self.told}",
                 [self.name.rstrip("0123456789")]),
                (f"cmd echo $PROGRAM $CONFIG_FILE >> {self.told}", [f"wg-quick {self.file}"]),
                (f"echo ${{ADDRESSES[*]}} ${{ADDRESSES[1]}} >> {self.told}",
                 ["10.78.0.1/24 fd78::1/64 fd78::1/64"]),
                (f"false || echo $? $LC_ALL >> {self.told}", ["1 C"]),
                (f"if ! false; then echo yes >> {self.told}; fi; exit 0; echo no >> {self.told}", ["yes"]),
                (f"echo \"it's\" '$INTERFACE' >> {self.told}", ["it's $INTERFACE"])):
            theirs, ours = self.both(hook)
            self.assertEqual((theirs, ours), ((False, said), (False, said)), hook)

    def test_a_hook_reads_what_its_caller_types(self):
        self.conf("10.79.0.0/16", f"PreUp = read -r word; echo \"$word\" >> {self.told}\n"
                                  f"PostUp = cat >> {self.told}")
        self.near.run([BINARY, "wg", "up", str(self.file)], stdin="one\ntwo\n")
        self.assertEqual(self.lines(), ["one", "two"])
        self.ours("down")

    def test_a_hook_that_refuses_keeps_the_tunnel(self):
        self.conf("10.79.0.0/16", "PreDown = test ! -e /proc/self; true\nPreDown = exit 4")
        self.ours("up")
        self.assertNotEqual(self.ours("down", check=False).returncode, 0)
        self.assertIn(self.name, self.near.ip("link"))
        self.conf("10.79.0.0/16")
        self.ours("down")


class Signals(lib.QuickCase):
    def start(self, verb, env=None):
        """`thalweg wg VERB FILE`, which waits in a hook that says "here" first."""
        process = self.near.start(["env", *(f"{k}={v}" for k, v in (env or {}).items()), BINARY, "wg", verb,
                                   str(self.file)])
        process.wait_log("^here$")
        return process

    def is_running(self, mark):
        return subprocess.run(["pgrep", "-f", "--", mark], check=False, capture_output=True).returncode == 0

    def test_up_is_undone(self):
        before = self.machine()
        mark = f"3{os.getpid()}"
        for number, key in ((signal.SIGTERM, "PostUp"), (signal.SIGINT, "PostUp"), (signal.SIGHUP, "PostUp"),
                            (signal.SIGTERM, "PreUp")):
            self.conf("0.0.0.0/0, ::/0", f"{key} = echo here; sleep {mark} | cat")
            process = self.start("up")
            process.signal(number)
            self.assertEqual(process.wait(), 128 + number)
            self.assertIn(f"interrupted by {number.name}", process.log())
            self.assertEqual(self.machine(), before)
            self.assertFalse(self.is_running(f"sleep {mark}"))
            self.assertFalse(pathlib.Path(f"/var/run/wireguard/{self.name}.sock").exists())

    def test_a_hook_that_does_not_listen_is_killed(self):
        before = self.machine()
        self.conf("10.79.0.0/16", "PostUp = trap '' TERM INT; echo here; while :; do sleep 1; done")
        process = self.start("up")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 128 + signal.SIGTERM)
        self.assertEqual(self.machine(), before)

    def test_a_hook_that_ends_well_all_the_same_changes_nothing_of_it(self):
        before = self.machine()
        self.conf("10.79.0.0/16", "PostUp = trap 'exit 0' TERM; echo here; sleep 30 & wait")
        process = self.start("up")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 128 + signal.SIGTERM)
        self.assertEqual(self.machine(), before)

    def test_name_servers_go_with_an_up_that_is_interrupted(self):
        told = pathlib.Path(self.net.folder, "told")
        program = pathlib.Path(self.net.folder, "resolvconf")
        program.write_text(f'#!/bin/sh\necho "$1" >> {told}\n[ "$1" = -d ] || {{ echo here; sleep 60; }}\n',
                           encoding="utf-8")
        program.chmod(0o755)
        before = self.machine()
        self.conf("10.79.0.0/16", "DNS = 10.78.0.53")
        process = self.start("up", {"PATH": f"{self.net.folder}:{os.environ['PATH']}"})
        process.signal(signal.SIGINT)
        self.assertEqual(process.wait(), 128 + signal.SIGINT)
        self.assertEqual(told.read_text(encoding="utf-8").split(), ["-a", "-d"])
        self.assertEqual(self.machine(), before)

    def test_down_is_refused_before_and_finished_after(self):
        before = self.machine()
        self.conf("0.0.0.0/0", "PreDown = echo here; sleep 60")
        self.ours("up")
        process = self.start("down")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 128 + signal.SIGTERM)
        self.assertIn(self.name, self.near.ip("link"))
        self.conf("0.0.0.0/0", "PostDown = echo here; sleep 60")
        process = self.start("down")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 128 + signal.SIGTERM)
        self.assertEqual(self.machine(), before)

    def test_down_after_an_up_that_was_killed(self):
        before = self.machine()
        mark = f"4{os.getpid()}"
        self.conf("0.0.0.0/0, ::/0", f"PostUp = echo here; sleep {mark}")
        process = self.start("up")
        process.signal(signal.SIGKILL)
        process.wait()
        for pid in subprocess.run(["pgrep", "-f", f"sleep {mark}$"], capture_output=True, text=True,
                                  check=True).stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        self.assertNotEqual(self.machine(), before)
        self.conf("0.0.0.0/0, ::/0")
        self.ours("down")
        self.assertEqual(self.machine(), before)

    def test_whoever_reads_our_words_may_go(self):
        before = self.machine()
        self.conf("10.79.0.0/16", "PostUp = true\nPostUp = false")
        self.near.run(["bash", "-c", f"{BINARY} wg up {self.file} 2>&1 | true"])
        lib.wait_until(lambda: self.machine() == before, "the tunnel to be undone")


class NamesOfEndpoints(lib.QuickCase):
    """A name server that is not there yet is waited for, as `wg` waits."""

    def setUp(self):
        super().setUp()
        folder = self.etc(self.near)
        self.switch, self.hosts = folder / "nsswitch.conf", folder / "hosts"
        self.switch.write_text("hosts: files dns\n", encoding="ascii")
        # Nobody answers there.
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n", encoding="ascii")
        self.hosts.write_text("\n", encoding="ascii")
        self.conf("10.79.0.0/16", endpoint="pop.example:50130")

    def test_until_it_answers(self):
        process = self.near.start([BINARY, "wg", "up", str(self.file)])
        process.wait_log(r"pop\.example does not resolve: .*; trying again in 1\.00 s", 20)
        process.wait_log(r"trying again in 1\.20 s", 20)
        self.hosts.write_text("10.77.0.2 pop.example\n", encoding="ascii")
        self.assertEqual(process.wait(), 0)
        self.assertIn("10.77.0.2:50130", lib.wg(self.near, "show", self.name, "endpoints"))
        self.ours("down")

    def test_as_often_as_is_asked_for(self):
        before = self.machine()
        for retries, tries in (("0", 0), ("1", 1)):
            done = self.near.run([BINARY, "wg", "up", str(self.file)], check=False,
                                 env={"WG_ENDPOINT_RESOLUTION_RETRIES": retries})
            self.assertEqual((done.returncode, done.stderr.count("trying again")), (1, tries), done.stderr)
        done = self.near.run([BINARY, "wg", "up", str(self.file)], check=False,
                             env={"WG_ENDPOINT_RESOLUTION_RETRIES": "many"})
        self.assertIn("WG_ENDPOINT_RESOLUTION_RETRIES", done.stderr)
        self.assertEqual(self.machine(), before)

    def test_until_a_signal_comes(self):
        before = self.machine()
        process = self.near.start(["env", "WG_ENDPOINT_RESOLUTION_RETRIES=infinity", BINARY, "wg", "up",
                                   str(self.file)])
        process.wait_log("trying again in 2", 60)
        began = time.monotonic()
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 128 + signal.SIGTERM)
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual(self.machine(), before)

    def test_a_name_that_does_not_exist_is_not_waited_for(self):
        self.switch.write_text("hosts: files\n", encoding="ascii")
        done = self.ours("up", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("trying again", done.stderr)

    def test_figures_need_nobody(self):
        """On a machine without addresses, as before DHCP has answered."""
        self.near.ip("link set to-far down")
        for endpoint in ("192.0.2.7:5", "[2001:db8::7]:5"):
            self.conf("10.79.0.0/16", "Table = off", endpoint=endpoint)
            self.ours("up")
            self.assertIn(endpoint, lib.wg(self.near, "show", self.name, "endpoints"))
            self.ours("down")


class Saved(lib.QuickCase):
    def setUp(self):
        super().setUp()
        self.link = self.file
        self.folder = pathlib.Path(self.net.folder, "real")
        self.folder.mkdir()
        self.file = self.folder / "other-name"

    def test_behind_a_symbolic_link(self):
        self.conf("10.79.0.0/16", "SaveConfig = true")
        real, self.file = self.file, self.link
        middle = pathlib.Path(self.net.folder, "middle")
        middle.symlink_to("real/other-name")
        self.link.symlink_to(middle)
        self.ours("up")
        peer = lib.pubkey(lib.genkey())
        lib.wg(self.near, "set", self.name, "peer", peer, "allowed-ips", "10.80.0.0/16")
        self.ours("down")
        self.assertTrue(self.link.is_symlink() and middle.is_symlink())
        self.assertFalse(real.is_symlink())
        self.assertIn(peer, real.read_text(encoding="utf-8"))
        self.assertEqual(real.stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.folder), ["other-name"])

    def test_a_trap_beside_it_is_not_stepped_into(self):
        """The names that are written to beside the file cannot be known, and no link there is followed."""
        self.file = self.link
        self.conf("10.79.0.0/16", "SaveConfig = true")
        victim = pathlib.Path(self.net.folder, "victim")
        victim.write_text("precious", encoding="utf-8")
        pathlib.Path(f"{self.file}.tmp").symlink_to(victim)
        self.ours("up")
        self.ours("down")
        self.assertEqual(victim.read_text(encoding="utf-8"), "precious")

    def test_where_nothing_can_be_written_the_tunnel_stays(self):
        subprocess.run(["mount", "-t", "tmpfs", "none", str(self.folder)], check=True)
        self.addCleanup(subprocess.run, ["umount", str(self.folder)], check=True)
        self.conf("10.79.0.0/16", "SaveConfig = true")
        self.file, real = self.link, self.file
        self.link.symlink_to(real)
        self.ours("up")
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)
        done = self.ours("down", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"real/other-name: Read-only file system")
        self.assertIn(self.name, self.near.ip("link"))
        subprocess.run(["mount", "-o", "remount,rw", str(self.folder)], check=True)
        self.ours("down")

    def test_who_else_may_see_it(self):
        self.file = self.folder / f"{self.name}.conf"
        readable, writable = "is world accessible", "may be written by every user"
        for folder, mode, code, said in ((0o755, 0o600, 0, ""), (0o755, 0o644, 0, readable),
                                         (0o700, 0o644, 0, ""), (0o755, 0o666, 1, writable),
                                         (0o700, 0o666, 0, ""), (0o777, 0o600, 1, writable)):
            self.conf("10.79.0.0/16")
            self.folder.chmod(folder)
            self.file.chmod(mode)
            done = self.ours("up", check=False)
            self.assertEqual(done.returncode, code, (oct(folder), oct(mode), done.stderr))
            self.assertIn(said, done.stderr)
            if not said:
                self.assertNotIn("user", done.stderr)
            if code == 0:
                self.folder.chmod(0o700)
                self.ours("down")


if __name__ == "__main__":
    lib.main()
