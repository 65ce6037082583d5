"""WireGuard devices in namespaces: Debian's wireguard-go, ours, and `wg` to configure both alike."""

import dataclasses
import fcntl
import itertools
import os
import pathlib
import re
import struct
import subprocess

from . import leftovers
from .process import wait_until

SOCKETS = pathlib.Path("/var/run/wireguard")
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN_NO_PI_VNET_HDR = 0x0001 | 0x1000 | 0x4000
TUN_F_CSUM_TSO_UDP_TUNNEL = 0x1 | 0x2 | 0x4 | 0x80 | 0x100
_numbers = itertools.count()


def unique_interface():
    """A new interface name. UAPI sockets do not know namespaces: names must be unique machine-wide."""
    name = f"tw{os.getpid()}n{next(_numbers)}"
    leftovers.note("journals", name)
    leftovers.note("file", str(_socket_of(name)))
    return name


def _socket_of(interface):
    return SOCKETS / f"{interface}.sock"


def genkey():
    """A new private key, in base64."""
    return _wg_output("genkey")


def genpsk():
    """A new preshared key, in base64."""
    return _wg_output("genpsk")


def pubkey(private_key):
    """The public key that belongs to a private one."""
    return _wg_output("pubkey", private_key)


def _wg_output(command, stdin=""):
    done = subprocess.run(["wg", command], input=stdin, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@dataclasses.dataclass
class Peer:
    """A [Peer] section of `wg setconf`."""

    public_key: str
    allowed_ips: str
    endpoint: str | None = None
    preshared_key: str | None = None
    keepalive: int | None = None

    def section(self):
        lines = ["[Peer]", f"PublicKey = {self.public_key}", f"AllowedIPs = {self.allowed_ips}"]
        if self.endpoint:
            lines.append(f"Endpoint = {self.endpoint}")
        if self.preshared_key:
            lines.append(f"PresharedKey = {self.preshared_key}")
        if self.keepalive is not None:
            lines.append(f"PersistentKeepalive = {self.keepalive}")
        return "\n".join(lines) + "\n"


def wg(namespace, *arguments, stdin=None, check=True):
    """Debian's `wg` with these arguments; returns what it printed."""
    return namespace.run(["wg", *arguments], stdin=stdin, check=check).stdout


def configure(namespace, interface, private_key, peers=(), listen_port=None):
    """Replaces the whole configuration of a device by `wg setconf`."""
    lines = ["[Interface]", f"PrivateKey = {private_key}"]
    if listen_port is not None:
        lines.append(f"ListenPort = {listen_port}")
    text = "\n".join(lines) + "\n" + "".join(peer.section() for peer in peers)
    wg(namespace, "setconf", interface, "/dev/stdin", stdin=text)


def wireguard_go(namespace, interface, env=None):
    """Debian's wireguard-go in the foreground; returns its Process when `wg` can talk to it."""
    return run_wireguard(namespace, ["wireguard-go", "-f", interface], interface,
                         {"LOG_LEVEL": "verbose", **(env or {})})


def thalweg(namespace, *arguments, env=None):
    """Starts our program, `thalweg ARGUMENT…`; returns its Process."""
    binary = os.environ.get("TW_BIN")
    if not binary or not os.access(binary, os.X_OK):
        raise AssertionError(f"TW_BIN={binary}: not a program; ctest sets it to the build's thalweg")
    return namespace.start([binary, *arguments], env, "thalweg")


def thalweg_wg(namespace, interface, *options, env=None):
    """Our device in the foreground, `thalweg wg -f OPTION… IFACE`; returns its Process when it is ready."""
    return _await_socket(thalweg(namespace, "wg", "-f", *options, interface, env=env), interface)


def run_wireguard(namespace, argv, interface, env=None):
    """Any user-space WireGuard that serves the UAPI for interface."""
    return _await_socket(namespace.start(argv, env), interface)


def _await_socket(process, interface):
    path = _socket_of(interface)
    leftovers.note("file", str(path))  # for a name that is not of unique_interface()

    def ready():
        if process.exit_code is not None:
            raise AssertionError(f"{process} ended with {process.exit_code}:\n{process.log()}")
        return path.is_socket()
    wait_until(ready, f"{path} of {process}")
    return process


def resumes_transfers():
    """True if this kernel lets eBPF open the window of a single socket (Linux 6.4)."""
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups())) >= (6, 4)


def is_about_the_kernel(line):
    """True of a line of the log that says what this kernel lacks; newer ones have no such line."""
    return re.search(r"this kernel's TUN has no|legs to other PoPs start with their route's window", line)


def tun_has_udp_tunnels():
    """True if a TUN of this kernel hands over trains inside UDP tunnels (Linux 6.17)."""
    tun = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"twq%d", IFF_TUN_NO_PI_VNET_HDR))
        fcntl.ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM_TSO_UDP_TUNNEL)
    except OSError:
        return False
    finally:
        os.close(tun)
    return True
