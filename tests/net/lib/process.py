"""A program running in a namespace, with what it printed; and waiting for conditions."""

import os
import pathlib
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from . import leftovers

# What sanitizers and our assertions print. Any of it fails the test, whatever the exit code was.
REPORTS = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: |assertion failed"
                     r"|the sandbox refuses).*")
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1 " + os.environ.get("TSAN_OPTIONS", ""),
}

# Everything takes so many times longer here than on a machine of its own: scripts/test-kernel emulates one.
SLOWNESS = float(os.environ.get("TW_SLOWNESS", "1"))


def wait_until(condition, what, timeout=10):
    """Calls condition until it returns something true, and returns that; fails the test otherwise."""
    deadline = time.monotonic() + timeout * SLOWNESS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain: {what}")
        time.sleep(0.02)


def at_once(function, items):
    """Calls function with each item, all at the same time; raises the first failure once all have ended.

    For steps that mostly wait. Nothing may be made meanwhile that is noted in leftovers.py."""
    items = list(items)
    with ThreadPoolExecutor(max_workers=max(1, len(items))) as pool:
        return list(pool.map(function, items))


class Process:
    """A started program. Made by Network.start(); stopped at the latest when the network ends.

    `log` collects stdout and stderr. stop() asks with SIGTERM, then insists with SIGKILL.
    """

    def __init__(self, argv, log, env=None, stdin=None):
        self.argv = [str(word) for word in argv]
        self.log_file = pathlib.Path(log)
        with open(log, "wb") as output:
            self._popen = subprocess.Popen(
                self.argv, stdin=stdin or subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **SANITIZER_OPTIONS, **(env or {})},
                preexec_fn=lambda: leftovers.die_with_parent(signal.SIGKILL))

    @property
    def pid(self):
        return self._popen.pid

    @property
    def exit_code(self):
        """None while it runs; negative if a signal ended it."""
        return self._popen.poll()

    def log(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def signal(self, number):
        self._popen.send_signal(number)

    def wait(self, timeout=30):
        """The exit code, as soon as it has ended by itself."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired as expired:
            raise AssertionError(f"still running after {timeout} s: {self}") from expired

    def wait_log(self, pattern, timeout=10):
        """The first match of pattern in the log; fails at once if the program ends without it."""
        pattern = re.compile(pattern, re.M)

        def found():
            ended = self.exit_code is not None
            match = pattern.search(self.log())
            if match is None and ended:
                raise AssertionError(f"{self} ended with {self.exit_code} without printing "
                                     f"{pattern.pattern!r}; it said: {self.log()[-300:]!r}")
            return match
        return wait_until(found, f"{pattern.pattern!r} in the log of {self}", timeout)

    def stop(self, grace=10):
        """Ends it and returns its exit code. A sanitizer's report in the log fails the test."""
        self.end(grace)
        self.check_reports()
        return self.exit_code

    def end(self, grace=10):
        """Ends it, whatever it printed."""
        if self.exit_code is None:
            self._popen.terminate()
            try:
                self._popen.wait(grace)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()

    def check_reports(self):
        report = REPORTS.search(self.log())
        if report:
            raise AssertionError(f"{self} reported: {report.group(0)}\n{self.log()[report.start():][:6000]}")

    def __str__(self):
        words = " ".join(self.argv).splitlines()[0][:100]
        return f"`{words}` (pid {self.pid})"
