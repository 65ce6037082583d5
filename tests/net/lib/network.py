"""Hosts and wires: network namespaces, and veth pairs between them."""

import ipaddress
import os
import shlex
import subprocess
import tempfile

from . import leftovers
from .process import SLOWNESS, Process, wait_until


class Namespace:
    """One host. `label` is its name in the test, `name` the one `ip netns` knows."""

    def __init__(self, network, label):
        self.network, self.label = network, label
        self.name = f"twt-{os.getpid()}-{network.number}-{label}"

    def run(self, argv, check=True, stdin=None, timeout=30, env=None):
        """Runs a program to its end; returns subprocess.CompletedProcess with text. argv may be a line."""
        words = shlex.split(argv) if isinstance(argv, str) else [str(word) for word in argv]
        done = subprocess.run(["ip", "netns", "exec", self.name, *words], capture_output=True, text=True,
                              input=stdin if stdin is not None else "", timeout=timeout * SLOWNESS,
                              check=False, env={**os.environ, **(env or {})})
        if check and done.returncode != 0:
            raise AssertionError(f"{self.label}: `{shlex.join(words)}` ended with {done.returncode}:\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def ip(self, arguments, check=True):
        """`ip` with these arguments, in the namespace; returns what it printed."""
        words = shlex.split(arguments)
        done = subprocess.run(["ip", "-n", self.name, *words], capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.label}: `ip {arguments}` failed: {done.stderr.strip()}")
        return done.stdout

    def sysctl(self, key, value):
        self.run(["sysctl", "-q", "-w", f"{key}={value}"])

    def start(self, argv, env=None, name=None):
        """Starts a program in the background. See Process."""
        words = shlex.split(argv) if isinstance(argv, str) else [str(word) for word in argv]
        return self.network.start(["ip", "netns", "exec", self.name, *words], env, name or words[0])

    def address(self, interface, *addresses, mtu=None):
        """Gives an interface its addresses (`10.0.0.1/24`, `fd00::1/64`) and sets it up."""
        for address in addresses:
            nodad = " nodad" if ipaddress.ip_interface(address).version == 6 else ""
            self.ip(f"address add {address} dev {interface}{nodad}")
        self.ip(f"link set {interface}{f' mtu {mtu}' if mtu else ''} up")


class Network:
    """The hosts of one test; a context manager. Leaving it stops the programs and removes the hosts."""

    _count = 0

    def __init__(self):
        Network._count += 1
        self.number = Network._count
        self.folder = None  # for files of the test: removed at the end
        self.processes = []
        self._namespaces = []
        self.transcript = ""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="twt-")
        leftovers.note("folder", self.folder)
        return self

    def __exit__(self, *exception):
        for process in reversed(self.processes):
            process.end()
        self.transcript = "".join(f"--- {process}, exit code {process.exit_code}\n{process.log()[-4000:]}\n"
                                  for process in self.processes)
        try:
            if exception[:1] in ((), (None,)):  # else what already failed matters more
                for process in self.processes:
                    process.check_reports()
        finally:
            for namespace in reversed(self._namespaces):
                leftovers.remove("netns", namespace.name)
            leftovers.remove("folder", self.folder)

    def namespace(self, label):
        """A new host with its loopback up. Labels are short: interfaces are named after them."""
        namespace = Namespace(self, label)
        leftovers.note("netns", namespace.name)
        subprocess.run(["ip", "netns", "add", namespace.name], check=True)
        self._namespaces.append(namespace)
        namespace.ip("link set lo up")
        return namespace

    def veth(self, left, right, left_addresses, right_addresses, mtu=None):
        """A wire. The interface on each host is `to-LABEL` of the other; addresses are with prefix."""
        to_right, to_left = f"to-{right.label}", f"to-{left.label}"
        subprocess.run(["ip", "link", "add", to_right, "netns", left.name, "type", "veth",
                        "peer", "name", to_left, "netns", right.name], check=True)
        left.address(to_right, *_each(left_addresses), mtu=mtu)
        right.address(to_left, *_each(right_addresses), mtu=mtu)
        # The kernel finds the carrier a moment later, and lists routes as `linkdown` until then.
        for host, device in ((left, to_right), (right, to_left)):
            wait_until(lambda host=host, device=device: "state UP" in host.ip(f"link show {device}"),
                       f"{device} to be up")

    def start(self, argv, env=None, name=None):
        """Starts a program outside of the test's namespaces. See Process."""
        name = os.path.basename(name or argv[0])
        log = os.path.join(self.folder, f"{len(self.processes)}-{name}.log")
        process = Process(argv, log, env)
        self.processes.append(process)
        return process


def _each(addresses):
    return [addresses] if isinstance(addresses, str) else addresses
