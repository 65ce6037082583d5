"""Who competes: user-space WireGuard programs that `wg` can configure."""

import dataclasses
import os
import re
import shlex
import shutil
import subprocess

import lib

from . import shown

QUIET = {"LOG_LEVEL": "error"}
NAME = re.compile(r"[A-Za-z0-9._-]{1,24}")


@dataclasses.dataclass(frozen=True)
class Daemon:
    """`words` come before the interface on its command line. `is_ours`: it can also read a TOML file."""

    name: str
    words: tuple
    is_ours: bool = False

    def version(self):
        """The first line of what it says to --version, or why there is none."""
        try:
            said = subprocess.run([self.words[0], "--version"], capture_output=True, text=True, timeout=10,
                                  check=False, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"unknown: {error}"
        lines = (said.stdout or said.stderr).strip().splitlines()
        return lines[0] if lines else "unknown"

    def start(self, host, interface, prefix=()):
        """Its Process in the foreground, as soon as `wg` can talk to it. `prefix`: as `taskset -c 0`."""
        return lib.run_wireguard(host, [*prefix, *self.words, interface], interface, QUIET)

    def command(self):
        """Its command line, without what is this machine's alone."""
        return shlex.join([shown(self.words[0]), *self.words[1:], "IFACE"])


def thalweg(path):
    """Ours, of a build."""
    return Daemon("thalweg", (str(path), "wg", "-f"), True)


def wireguard_go():
    """Debian's."""
    return Daemon("wireguard-go", ("wireguard-go", "-f"))


def parse(text):
    """`NAME=PATH[ ARGS]`; without arguments `-f` is one, which most of them take. Fails with ValueError."""
    name, equals, line = text.partition("=")
    words = shlex.split(line)
    if not equals or not NAME.fullmatch(name) or not words:
        raise ValueError(f"{text!r}: not NAME=PATH[ ARGS]")
    path = shutil.which(words[0])
    if path is None:
        raise ValueError(f"{text!r}: {words[0]} is no program")
    return Daemon(name, (os.path.abspath(path), *(words[1:] or ["-f"])))
