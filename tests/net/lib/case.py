"""The frame of a network test: root or skip, signals, and the logs of what failed."""

import contextlib
import os
import pathlib
import signal
import sys
import unittest

from . import leftovers
from .network import Network

SKIPPED = 77  # SKIP_RETURN_CODE in tests/net/CMakeLists.txt


class NetTest(unittest.TestCase):
    """A case with a network of its own, `self.net`; its programs' logs are printed if it fails."""

    def setUp(self):
        self.net = self.enterContext(Network())

    def etc(self, namespace):
        """A folder whose files and folders `ip netns exec` mounts over those in /etc. Gone after the test."""
        folder = pathlib.Path("/etc/netns") / namespace.name

        def remove_parent():
            with contextlib.suppress(OSError):  # another test's, or there before us and not empty
                folder.parent.rmdir()
        if not folder.parent.exists():
            self.addCleanup(remove_parent)
        leftovers.note("folder", str(folder))
        self.addCleanup(leftovers.remove, "folder", str(folder))
        folder.mkdir(parents=True)
        return folder

    def run(self, result=None):
        def bad():
            return len(result.failures) + len(result.errors)
        before = bad() if result is not None else 0
        done = super().run(result)
        if result is not None and bad() > before and hasattr(self, "net"):
            print(f"\n{self.id()}: what its programs printed\n{self.net.transcript}", file=sys.stderr)
        return done


def main():
    """Runs the file's tests; to be its last line."""
    if os.geteuid() != 0:
        print("skipped: network namespaces need root")
        sys.exit(SKIPPED)
    leftovers.die_with_parent(signal.SIGTERM)
    received = []

    def stop(number, _frame):
        received.append(number)
        # The only exception that unittest passes on.
        raise KeyboardInterrupt
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        unittest.main(module="__main__", verbosity=2)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        leftovers.remove_all()
        if received:
            os._exit(128 + received[0])
