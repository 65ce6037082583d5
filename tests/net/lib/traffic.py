"""Traffic and its results: ping, iperf3, curl from nginx."""

import dataclasses
import hashlib
import ipaddress
import json
import os
import re

from .process import SLOWNESS, wait_until


@dataclasses.dataclass
class Ping:
    """`rtt_ms` has one entry per reply."""

    sent: int
    received: int
    rtt_ms: list


def ping(namespace, address, count=3, interval=0.05, size=56, wait=2):
    """Sends echo requests and waits for every reply, at most `wait` s each. Loss is no failure here.

    Not ping(8), which stays for only one more interval after the last request if it has seen a
    reply before: a machine busy for 50 ms would be taken for a loss."""
    done = namespace.run(["fping", "-q", "-C", count, "-p", round(interval * 1000), "-t", wait * 1000,
                          "-b", size, address], check=False, timeout=count * interval + wait + 10)
    times = re.search(rf"^{re.escape(address)} :((?: (?:[\d.]+|-))+)$", done.stderr, re.MULTILINE)
    if not times:
        raise AssertionError(f"{namespace.label}: fping {address}: {done.stdout}{done.stderr}")
    rtt_ms = [float(value) for value in times.group(1).split() if value != "-"]
    return Ping(count, len(rtt_ms), rtt_ms)


def unanswered(log):
    """Sequence numbers that ping(8) has no reply to, of those before its last reply: it may be ended
    while one is on its way, and calls that a loss."""
    answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ", log)}
    return sorted(set(range(1, max(answered, default=1))) - answered)


def free_port(namespace, address="::", udp=False):
    """A port that nobody in the namespace had a moment ago."""
    family = "AF_INET6" if ":" in address else "AF_INET"
    kind = "SOCK_DGRAM" if udp else "SOCK_STREAM"
    code = (f"import socket as s; x = s.socket(s.{family}, s.{kind}); x.bind(({address!r}, 0)); "
            "print(x.getsockname()[1])")
    return int(namespace.run(["python3", "-c", code]).stdout)


@dataclasses.dataclass
class Throughput:
    """What the receiving side counted. `lost` is None for TCP."""

    bits_per_second: float
    bytes: int
    seconds: float
    retransmits: int | None
    lost: int | None


def iperf3(client, server, address, seconds=2, reverse=False, streams=1, udp_bits_per_second=None, extra=()):
    """One run from client to a server of its own on `server` at address (reverse: the other way)."""
    port = free_port(server, address)
    listener = server.start(["iperf3", "-s", "-1", "--forceflush", "-B", address, "-p", port])
    listener.wait_log(r"Server listening")
    words = ["iperf3", "-J", "-c", address, "-p", port, "-t", seconds, "-P", streams, *extra]
    if reverse:
        words.append("-R")
    if udp_bits_per_second:
        words += ["-u", "-b", udp_bits_per_second]
    done = client.run(words, check=False, timeout=seconds + 30)
    listener.stop()
    report = json.loads(done.stdout) if done.stdout.startswith("{") else {"error": done.stderr}
    if "error" in report:
        raise AssertionError(f"iperf3 {client.label} to {address}: {report['error']}\n{listener.log()}")
    end = report["end"]
    if udp_bits_per_second:
        total = end["sum"]
        return Throughput(total["bits_per_second"], total["bytes"], total["seconds"], None,
                          total["lost_packets"])
    total = end["sum_received"]
    return Throughput(total["bits_per_second"], total["bytes"], total["seconds"],
                      end["sum_sent"].get("retransmits"), None)


@dataclasses.dataclass
class Download:
    """`code` is HTTP's, 0 if there was no reply; `exit_code` is curl's, 0 if all was well."""

    exit_code: int
    code: int
    bytes: int
    sha256: str
    ttfb_s: float
    total_s: float


def curl(namespace, url, extra=(), timeout=60):
    """Downloads a URL. A failed transfer is no failure here: see exit_code."""
    folder = namespace.network.folder
    body = os.path.join(folder, f"download-{os.getpid()}")
    done = namespace.run(["curl", "-s", "-o", body, "--noproxy", "*", "-m", timeout * SLOWNESS, *extra, "-w",
                          "%{http_code} %{time_starttransfer} %{time_total}", url],
                         check=False, timeout=timeout + 10)
    content = b""
    if os.path.exists(body):
        with open(body, "rb") as stream:
            content = stream.read()
        os.unlink(body)
    code, ttfb_s, total_s = done.stdout.split()
    return Download(done.returncode, int(code), len(content), hashlib.sha256(content).hexdigest(),
                    float(ttfb_s), float(total_s))


NGINX = """
daemon off;
worker_processes 1;
user {user};
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  tcp_nopush on;
  sendfile on;
  server {{
    listen {listen};
    root {root};
  }}
}}
"""


def serve_files(namespace, address, files, port=80, options=""):
    """nginx with these files, {name: bytes}; returns {name: sha256}, for comparison with downloads.
    `options` follow the address: of nginx's listen, or further lines of its server."""
    root = os.path.join(namespace.network.folder, f"www-{namespace.label}-{port}")
    os.mkdir(root)
    for name, content in files.items():
        with open(os.path.join(root, name), "wb") as stream:
            stream.write(content)
    host = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    config = os.path.join(root, "..", f"nginx-{namespace.label}-{port}.conf")
    with open(config, "w", encoding="utf-8") as stream:
        stream.write(NGINX.format(user="root", folder=namespace.network.folder,
                                  listen=f"{host}:{port} {options}",
                                  root=root))
    process = namespace.start(["nginx", "-c", config])

    def listening():
        if process.exit_code is not None:
            raise AssertionError(f"{process} ended with {process.exit_code}:\n{process.log()}")
        return f":{port} " in namespace.run(["ss", "-Hltn"]).stdout
    wait_until(listening, f"nginx on {host}:{port}")
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
