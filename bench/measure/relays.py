"""Who competes: programs that carry TCP from a client to a server, and none at all (`direct`).

Each is set up as its users would for one busy thread of plain TCP; `bare` has no users: it is what a relay
costs on this kernel whatever else it does. The client of a proxy connects to the
proxy; the client of Thalweg, like that of no relay, to the server itself.
"""

import dataclasses
import glob
import os
import subprocess
import tempfile

import lib

from . import bed as beds
from . import relay_bed as places
from . import shown

HAPROXY = """global
  nbthread 1
  maxconn 9200
  maxpipes 400
defaults
  mode tcp
  maxconn 9200
  option splice-auto
  timeout connect 10s
  timeout client 2h
  timeout server 2h
"""
NGINX = """load_module {module};
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log stderr crit;
events {{
  worker_connections {files};
}}
stream {{
  proxy_connect_timeout 10s;
  proxy_timeout 2h;
"""
NGINX_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
THALWEG = """[node]
control_socket = "{folder}/control.sock"
log_level = "warning"
[tunnel]
interface = "{interface}"
private_key_file = "{folder}/node.key"
addresses = ["10.9.0.1/24"]
{governor}[[policy]]
from = ["{front}"]
to = ["{back}"]
protocol = "tcp"
action = "relay"
[relay]
enabled = true
client_devices = ["{device}"]
max_connections = 9200
max_connections_per_client = 9200
"""


def write_private(folder, name, text):
    """A file that only we may read; returns its path."""
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    return path


def haproxy_text(own, target):
    """HAProxy's file: what comes to the ports of the load at one address goes on to another."""
    return HAPROXY + "".join(f"listen port-{port}\n  bind {own}:{port}\n  server server {target}:{port}\n"
                             for port in places.PORTS)


@dataclasses.dataclass(frozen=True)
class Relay:
    """A competitor. start(bed) runs it on the host `relay` and returns its processes.

    address    where the client connects to
    seen_as    the client's address, as the server sees it
    """

    name: str = "direct"
    words: tuple = ()
    is_ours: bool = False
    address: str = places.SERVER
    seen_as: str = places.CLIENT
    most_idle: int = 1_000_000

    def start(self, _bed):
        """No relay: the host forwards."""
        return []

    def version(self):
        """The line of what it says about itself that has the version."""
        if not self.words:
            return ""
        try:
            said = subprocess.run(self.words, capture_output=True, text=True, timeout=10, check=False,
                                  stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"unknown: {error}"
        lines = [line for line in (said.stdout or said.stderr).splitlines() if line.strip()]
        return next((line for line in lines if "ersion" in line), lines[0] if lines else "unknown")

    def command(self):
        """How it is run."""
        return "no relay: the host in the middle forwards"

    def _run(self, bed, argv):
        argv = [*bed.pin("relay"), *argv]
        bed.note("relay", [word.replace(bed.net.folder, "FOLDER") for word in map(str, argv)])
        return bed.hosts["relay"].start(argv)


@dataclasses.dataclass(frozen=True)
class Thalweg(Relay):
    """Ours: a node that takes TCP from its client's device, by its defaults but for the two limits."""

    binary: str = ""
    more_toml: str = ""
    governor: str = ""

    def write_file(self, folder):
        """The node's file; returns its path."""
        write_private(folder, "node.key", lib.genkey() + "\n")
        text = THALWEG.format(folder=folder, interface=lib.unique_interface(), front=places.FRONT,
                              back=places.BACK, device=places.FRONT_DEVICE,
                              governor=f'governor = "{self.governor}"\n' if self.governor else "")
        return write_private(folder, "node.toml", text + self.more_toml)

    def refusal(self):
        """None, or why this build does not take such a file, in one line."""
        with tempfile.TemporaryDirectory(prefix="twt-") as folder:
            done = subprocess.run([self.binary, "check", "-c", self.write_file(folder)], capture_output=True,
                                  text=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
            said = (done.stderr or done.stdout).replace(folder + "/", "").strip()
        if done.returncode == 0:
            return None
        return said.splitlines()[0] if said else f"`check` ended with {done.returncode}"

    def start(self, bed):
        return [self._run(bed, [self.binary, "run", "-c", self.write_file(bed.net.folder)])]

    def command(self):
        return f"{shown(self.binary)} run -c node.toml"


@dataclasses.dataclass(frozen=True)
class Haproxy(Relay):
    """One thread, TCP mode, splicing where HAProxy thinks it pays."""

    def start(self, bed):
        text = haproxy_text(places.RELAY_FRONT, places.SERVER)
        path = write_private(bed.net.folder, "haproxy.cfg", text)
        return [self._run(bed, ["haproxy", "-db", "-f", path])]

    def command(self):
        return "haproxy -db -f FILE; " + "; ".join(" ".join(line.split()) for line in HAPROXY.splitlines())


@dataclasses.dataclass(frozen=True)
class Nginx(Relay):
    """The stream module, one worker."""

    def start(self, bed):
        text = NGINX.format(module=NGINX_MODULE, files=places.OPEN_FILES, folder=bed.net.folder)
        text += "".join(f"  server {{ listen {places.RELAY_FRONT}:{port}; "
                        f"proxy_pass {places.SERVER}:{port}; }}\n" for port in places.PORTS) + "}\n"
        path = write_private(bed.net.folder, "relay.conf", text)
        return [self._run(bed, ["nginx", "-e", "stderr", "-c", path])]

    def command(self):
        return "nginx -c FILE; stream, one worker, the rest by default"


@dataclasses.dataclass(frozen=True)
class Socat(Relay):
    """A process for each connection, and one more for each port."""

    def start(self, bed):
        return [self._run(bed, ["socat", *self.options(port)]) for port in places.PORTS]

    def options(self, port):
        return ["-b65536", f"TCP4-LISTEN:{port},bind={places.RELAY_FRONT},reuseaddr,fork,backlog=4096",
                f"TCP4:{places.SERVER}:{port}"]

    def command(self):
        return "socat " + " ".join(self.options("PORT"))


@dataclasses.dataclass(frozen=True)
class Bare(Relay):
    """The measuring stick: bench_load passes bytes on, one thread, and does nothing else (load_pass.cc)."""

    def start(self, bed):
        return [self._run(bed, [bed.settings.load_program, *self.options()])]

    def options(self):
        return ["pass", places.RELAY_FRONT, places.SERVER, *map(str, places.PORTS)]

    def command(self):
        return "bench_load " + " ".join(self.options())


def everybody(settings):
    """All there are, ours first."""
    def proxy(kind, name, *words, **more):
        return kind(name, words, address=places.RELAY_FRONT, seen_as=places.RELAY_BACK, **more)
    ours = Thalweg("thalweg", (settings.thalweg, "--version"), True, seen_as=places.RELAY_BACK,
                   binary=settings.thalweg, more_toml=settings.more_toml, governor=settings.governor)
    return [ours, proxy(Haproxy, "haproxy", "haproxy", "-v"), proxy(Nginx, "nginx", "nginx", "-v"),
            proxy(Socat, "socat", "socat", "-V", most_idle=500), proxy(Bare, "bare"), Relay()]


def missing(relay):
    """What has to be installed for it, or None."""
    if relay.words and not relay.is_ours and not any(
            os.access(os.path.join(folder, relay.words[0]), os.X_OK) for folder in os.get_exec_path()):
        return relay.words[0]
    if isinstance(relay, Nginx) and not glob.glob(NGINX_MODULE):
        return "libnginx-mod-stream"
    return None


def offload_line(are_on):
    """The command that makes the wires so."""
    return f"ethtool -K DEVICE {beds.OFFLOADS[are_on]}, both ends of both wires"
