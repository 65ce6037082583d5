"""tools/reference finds a table that differs, and mends it."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
loader = importlib.machinery.SourceFileLoader("reference", str(HERE / "reference"))
reference = importlib.util.module_from_spec(importlib.util.spec_from_loader("reference", loader))
loader.exec_module(reference)

DOCUMENT = """# Keys

<!-- thalweg reference keys node -->
| key |
<!-- end of reference -->
between
<!-- thalweg reference keys peer -->
<!-- end of reference -->
"""


def make(words):
    return {"reference keys node": "| key |\n", "reference keys peer": "| name |\n"}[words]


class Reference(unittest.TestCase):
    def test_what_differs_is_found_and_mended(self):
        text, changed = reference.renewed(DOCUMENT, make)
        self.assertEqual(changed, [("reference keys peer", "", "| name |\n")])
        self.assertEqual(reference.renewed(text, make), (text, []))
        self.assertEqual(text, DOCUMENT.replace("keys peer -->\n", "keys peer -->\n| name |\n"))


if __name__ == "__main__":
    unittest.main()
