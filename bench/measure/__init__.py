"""What bench/tunnel is made of. The hosts, programs and their removal come from tests/net/lib.

The modules in reading order are in bench/README.md.
"""

import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]


def shown(word):
    """A word of a command line for people: what is in the project is named from its top."""
    if str(word) == sys.executable:
        return "python3"
    path = pathlib.Path(str(word))
    return str(path.relative_to(TOP)) if path.is_relative_to(TOP) else str(word)


sys.path.append(str(TOP / "tests/net"))
