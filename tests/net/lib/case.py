"""The frame of a network test: root or skip, signals, and the logs of what failed."""

import os
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
