"""tools/licences finds what it is there for."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
loader = importlib.machinery.SourceFileLoader("licences", str(HERE / "licences"))
licences = importlib.util.module_from_spec(importlib.util.spec_from_loader("licences", loader))
loader.exec_module(licences)

TABLE = """
| `libgood.so` | libgood1 | MIT | `License: Expat` |
| `libnftables.so` | libnftables1 | GPL-2.0-only | `License: GPL-2` |

Allowed: MIT, LGPL-2.1-only,
GPL-3.0-or-later WITH GCC-exception-3.1.
"""


def found(names, copyright_text="License: Expat\nLicense: GPL-2\n"):
    return list(licences.findings(names, TABLE, lambda package: copyright_text))


class Findings(unittest.TestCase):
    def test_what_is_known_and_allowed_passes(self):
        self.assertEqual(found({"libgood.so"}), [])

    def test_a_licence_that_is_not_allowed(self):
        self.assertRegex(found({"libnftables.so"})[0], "GPL-2.0-only is not among")

    def test_a_library_nobody_has_looked_at(self):
        self.assertRegex(found({"libnew.so"})[0], "libnew.so: not in docs/licences.md")

    def test_a_package_that_says_something_else(self):
        self.assertRegex(found({"libgood.so"}, "License: GPL-3\n")[0], "does not say")
        self.assertRegex(found({"libgood.so"}, None)[0], "no copyright file")

    def test_the_real_table_is_read_whole(self):
        text = (HERE.parent / "docs/licences.md").read_text(encoding="utf-8")
        table, allowed = licences.known(text)
        self.assertEqual(len(table), text.count("\n| `"))
        self.assertTrue({licence for _, licence, _ in table.values()} <= allowed)

    def test_what_a_program_loads_is_seen(self):
        self.assertIn("libc.so", licences.linked("/bin/sh"))


if __name__ == "__main__":
    unittest.main()
