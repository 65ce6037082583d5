"""`thalweg host run`: an application with a priority, its exit status, and packets that still arrive."""

import os
import signal
import subprocess

import lib

BINARY = os.environ.get("TW_BIN", "")
SHOW = ("import os\n"
        "print(os.sched_getscheduler(0), os.sched_getparam(0).sched_priority, os.sched_getaffinity(0))")
# Two threads, and a child that nobody waits for: all have the priority, and none ever waits.
SPIN = ("import os, threading\n"
        "first = os.getpid()\n"
        "if os.fork() == 0: os.setsid()\n"
        "def spin():\n"
        "    while first in (os.getpid(), os.getppid()): pass\n"
        "threading.Thread(target=spin).start()\n"
        "spin()\n")


class HostRun(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.state = os.path.join(self.net.folder, "state")
        self.where = ["--state-folder", self.state]

    def execute(self, *arguments, prefix=()):
        return subprocess.run([*prefix, BINARY, "host", "run", *self.where, *arguments], capture_output=True,
                              text=True, timeout=60, check=False)

    def test_exit_statuses_are_those_of_a_shell(self):
        core = ("--core", "0", "--")
        for command, code in ((["sh", "-c", "exit 7"], 7), (["true"], 0), (["sh", "-c", "kill -9 $$"], 137),
                              (["/nonexistent/x"], 127), (["no-such-program"], 127), (["/etc/passwd"], 126)):
            done = self.execute(*core, *command)
            self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn("no-such-program: No such file", self.execute(*core, "no-such-program").stderr)

    def test_refusals_say_what_to_do(self):
        done = self.execute("--", "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("--core", done.stderr)
        self.assertEqual(self.execute("--core", "0", "--priority", "99", "--", "true").returncode, 2)
        self.assertEqual(self.execute("--core", "0").returncode, 2)
        self.assertEqual(self.execute("--core", "4000", "--", "true").returncode, 125)
        weak = self.execute("--core", "0", "--", "true", prefix=("setpriv", "--bounding-set", "-sys_nice"))
        self.assertEqual(weak.returncode, 125)
        self.assertIn("CAP_SYS_NICE", weak.stderr)

    def test_the_program_is_as_it_would_be_but_for_its_place(self):
        done = self.execute("--core", "0", "--priority", "11", "--", "python3", "-c", SHOW)
        self.assertEqual(done.stdout, f"{int(os.SCHED_FIFO)} 11 {{0}}\n")
        ignored = self.execute("--core", "0", "--", "grep", "-E", "Sig(Ign|Blk)", "/proc/self/status").stdout
        plain = subprocess.run(["grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"], capture_output=True,
                               text=True, check=True, restore_signals=True).stdout
        self.assertEqual(ignored, plain)

    def test_signals_are_passed_on(self):
        script = ("import signal\n"
                  "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
                  "print('ready', flush=True)\n"
                  "signal.sigwait({signal.SIGTERM})\n"
                  "print('got')\n"
                  "raise SystemExit(5)\n")
        started = self.net.start([BINARY, "host", "run", "--core", "0", "--", "python3", "-c", script],
                                 name="run")
        started.wait_log("ready")
        started.signal(signal.SIGTERM)
        self.assertEqual(started.wait(), 5)
        self.assertIn("got", started.log())

    def test_a_program_that_spins_does_not_keep_packets_from_arriving(self):
        left, right = self.net.namespace("l"), self.net.namespace("r")
        self.net.veth(left, right, ("10.9.0.1/24", "fd09::1/64"), ("10.9.0.2/24", "fd09::2/64"))
        subprocess.run([BINARY, "host", "apply", "to-r", "--netns", left.name, "--core", "0", *self.where],
                       check=True, stdout=subprocess.DEVNULL)
        shown = self.execute("--iface", "to-r", "--", "python3", "-c", SHOW)
        self.assertEqual(shown.stdout, f"{int(os.SCHED_FIFO)} 20 {{0}}\n")  # one above the NAPI thread
        spinning = self.net.start([BINARY, "host", "run", *self.where, "--iface", "to-r", "--",
                                   "python3", "-c", SPIN], name="spin")
        try:
            spinning.wait_log("loses its priority")
            for target in ("10.9.0.1", "fd09::1"):
                answers = lib.ping(right, target, 50, interval=0.02)
                self.assertEqual(answers.received, 50)
                self.assertLess(max(answers.rtt_ms), 900)  # 950 ms: a real-time hog until the kernel stops it
        finally:
            spinning.end()
            subprocess.run([BINARY, "host", "revert", *self.where], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    lib.main()
