#!/usr/bin/env python3
"""The service's sandbox, as systemd itself rates it without running it: at most 2.5 of 10."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

unit = pathlib.Path(__file__).parents[2] / "packaging/systemd/thalweg.service"
most = 2.5


def exposure(text):
    """Returns the number that `systemd-analyze security` gives a unit file with this text."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / unit.name
        file.write_text(text, encoding="utf-8")
        said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", file],
                              check=False, capture_output=True, text=True)
    last = said.stdout.strip().splitlines()[-1]
    return float(last.rsplit(": ", 1)[1].split()[0])


class Unit(unittest.TestCase):
    def test_its_exposure(self):
        text = unit.read_text(encoding="utf-8")
        self.assertLessEqual(exposure(text), most)
        # And it would notice: without its files' protection it is rated worse.
        self.assertGreater(exposure(text.replace("ProtectSystem=strict\n", "")), exposure(text))

    def test_what_the_node_needs_is_left(self):
        text = unit.read_text(encoding="utf-8")
        for line in ("ReadWritePaths=/proc/sys/net", "DeviceAllow=/dev/net/tun rw"):
            self.assertIn(line + "\n", text)
        kept = next(line for line in text.splitlines() if line.startswith("CapabilityBoundingSet="))
        self.assertEqual(sorted(kept.removeprefix("CapabilityBoundingSet=").split()),
                         ["CAP_BPF", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",
                          "CAP_SYS_RESOURCE"])


if __name__ == "__main__":
    if not shutil.which("systemd-analyze"):
        sys.exit(77)
    unittest.main()
