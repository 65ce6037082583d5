"""What must not outlive a test, and its removal on every way out.

Each thing is noted here before it is made. A test that ends by itself, by an exception, by Ctrl-C or
SIGTERM removes what is noted; for SIGKILL (a test's timeout) there is the janitor: a process that
holds the reading end of a pipe, learns every note from it, and acts when the pipe closes.
"""

import ctypes
import glob
import os
import shutil
import signal
import subprocess
import time

_notes = []  # in the order made
_pipe = None  # to the janitor
_owner = None  # a forked child must not remove what is its parent's


def note(kind, name):
    """Promises that `name` will be removed: kind is `netns`, `file`, `journals` or `folder`."""
    global _pipe, _owner
    if _pipe is None:
        _owner = os.getpid()
        _pipe = _start_janitor()
    _notes.append((kind, name))
    os.write(_pipe, f"+ {kind} {name}\n".encode())


def remove(kind, name):
    """Removes it now. Nothing happens if it is gone already."""
    _undo(kind, name)
    if (kind, name) in _notes:
        _notes.remove((kind, name))
        os.write(_pipe, f"- {kind} {name}\n".encode())


def remove_all():
    """Removes everything noted."""
    if os.getpid() == _owner:
        for kind, name in _in_order(_notes):
            remove(kind, name)


def _in_order(notes):
    """Last made first, but namespaces before all else: what still runs there makes files."""
    return sorted(reversed(notes), key=lambda note: note[0] != "netns")


def die_with_parent(signal_number):
    """Makes the calling process get a signal when its parent ends, by whatever means."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal_number, 0, 0, 0)


def _pids_in(namespace):
    listing = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listing.stdout.split()]


def _undo(kind, name):
    if kind == "netns":
        deadline = time.monotonic() + 10
        while (pids := _pids_in(name)) and time.monotonic() < deadline:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)
        subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)
    elif kind == "file":
        try:
            os.unlink(name)
        except FileNotFoundError:
            pass
    elif kind == "journals":
        # A killed node's journal is undone by the next start in its network namespace; here that
        # namespace goes, and with it all that the journal names.
        for path in glob.glob(f"/run/thalweg/{name}.*.journal") + glob.glob(f"/run/thalweg/{name}.*.peers"):
            os.unlink(path)
    elif kind == "folder":
        shutil.rmtree(name, ignore_errors=True)
    else:
        raise ValueError(kind)


def _start_janitor():
    """The writing end of the janitor's pipe. It is no child of ours, nor in our session: what kills
    us and our children does not reach it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            os.close(writing)
            try:
                _janitor(reading)
            finally:
                os._exit(0)
        os._exit(0)
    os.close(reading)
    os.waitpid(child, 0)
    return writing


def _janitor(reading):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # ctest waits until nobody holds the test's output any more.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    notes = []
    with os.fdopen(reading, encoding="utf-8") as lines:
        for line in lines:
            sign, kind, name = line.rstrip("\n").split(" ", 2)
            if sign == "+":
                notes.append((kind, name))
            elif (kind, name) in notes:
                notes.remove((kind, name))
    for kind, name in _in_order(notes):
        _undo(kind, name)
