"""PoPs of two versions, one of which knows no proofs: TW_OLD_BIN is its program, which
scripts/test-upgrade builds. Without it there is nothing to test here.
"""

import os
import unittest

import lib
from lib.relay import SERVER, RelayCase

PORT = 8080
OLD = os.environ.get("TW_OLD_BIN")


class Upgrade(RelayCase):
    OLD_HOST = None  # which PoP has the old program

    def setUp(self):
        if not OLD:
            self.skipTest("no TW_OLD_BIN: run scripts/test-upgrade")
        self.is_old = {host: host == self.OLD_HOST for host in self.TOML}
        super().setUp()
        self.digest = lib.serve_files(self.server, SERVER[4], {"small": b"x" * 10_000}, PORT)["small"]
        self.new_host = "last" if self.OLD_HOST == "first" else "first"

    def _write_configuration(self, host):
        super()._write_configuration(host)
        if not self.is_old[host]:
            self.rewrite(host, 'overlay_address = ', 'legs = "any"\noverlay_address = ')

    def rewrite(self, host, old, new):
        path = f"{self.net.folder}/{host}.toml"
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text.replace(old, new, 1))

    def start_node(self, host):
        new = os.environ["TW_BIN"]
        os.environ["TW_BIN"] = OLD if self.is_old[host] else new
        try:
            super().start_node(host)
        finally:
            os.environ["TW_BIN"] = new

    def fetch(self):
        got = lib.curl(self.client, f"http://192.0.2.80:{PORT}/small", timeout=20)
        return got.exit_code == 0 and got.sha256 == self.digest

    def last_leg(self, host):
        return self.status(host)["pops"][0]["last_leg"]

    def side(self):
        return "from_authenticated" if self.new_host == "last" else "to_authenticated"

    def check_upgrade(self):
        # `any`: all works, with warm legs and without, and the status says of whom nothing is known.
        self.await_warm_legs()
        hits = self.pop()["warm"]["hits"]
        for _ in range(5):
            self.assertTrue(self.fetch())
        self.assertGreater(self.pop()["warm"]["hits"], hits)
        self.assertEqual(self.control("set", "relay.pool", "off").returncode, 0)
        for _ in range(3):
            self.assertTrue(self.fetch())
        self.assertEqual(self.control("set", "relay.pool", "on").returncode, 0)
        self.assertFalse(self.last_leg(self.new_host)[self.side()])

        # `authenticated` before the other is upgraded: refused, with the sentence to write.
        self.rewrite(self.new_host, 'legs = "any"\n', "")
        self.nodes[self.new_host].signal(1)
        self.nodes[self.new_host].wait_log("reloaded")
        self.assertFalse(self.fetch())
        self.nodes[self.new_host].wait_log(r'write legs = "any" in its \[\[pop\]\]', 30)

        # Upgraded: everything is proven.
        self.nodes[self.OLD_HOST].stop()
        self.is_old[self.OLD_HOST] = False
        self.start_node(self.OLD_HOST)
        lib.wait_until(self.fetch, "the upgraded PoP to be served", 60)
        self.await_warm_legs(60)
        self.assertTrue(self.fetch())
        self.assertTrue(self.last_leg(self.new_host)[self.side()])


class OldFirst(Upgrade):
    OLD_HOST = "first"

    def test_an_old_first_pop(self):
        self.check_upgrade()


class OldLast(Upgrade):
    OLD_HOST = "last"

    def test_an_old_last_pop(self):
        self.check_upgrade()


def load_tests(loader, _tests, _pattern):
    """Without the frame that the two share."""
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (OldFirst, OldLast))


if __name__ == "__main__":
    lib.main()
