"""Measured without traffic: memory, and how long it takes to configure and to show many peers."""

import os
import re
import time

import lib
from lib.cpu import memory_mb

from . import bed as beds
from . import iperf
from .scenario import Kind, Scenario

MANY = 10_000
SOME = 1_000
SHOWN = re.compile(r"^peer: ", re.M)


def memory(settings, daemon):
    """Of the server's daemon: one peer idle, after load, and with many idle peers."""
    with beds.pair(settings, daemon) as bed:
        idle, _ = memory_mb(bed.pid("server"))
        iperf.tcp(bed, beds.TUNNEL_SERVER, settings.seconds, streams=4)
        loaded, most = memory_mb(bed.pid("server"))
    metrics = {"memory_idle_mb": idle, "memory_loaded_mb": loaded, "memory_most_mb": most}
    resident = {}
    for peers in (1, SOME, MANY):
        with beds.crowd(settings, daemon, peers) as bed:
            resident[peers], _ = memory_mb(bed.pid("server"))
    metrics["memory_1000_mb"], metrics["memory_10000_mb"] = resident[SOME], resident[MANY]
    metrics["bytes_per_peer"] = (resident[MANY] - resident[1]) * 1e6 / (MANY - 1)
    return metrics


def control(settings, daemon):
    """`wg setconf` of many peers on a device without any, and `wg show` of them."""
    with lib.Network() as net:
        bed = beds.Bed(net, settings, ("clients", "server"))
        interface = bed.start("server", daemon)
        path = beds.write_configuration(bed, MANY)
        server = bed.hosts["server"]
        begin = time.monotonic()
        server.run(["wg", "setconf", interface, path], timeout=120)
        configured = time.monotonic()
        shown = server.run(["wg", "show", interface], timeout=120).stdout
        showed = time.monotonic()
        peers = len(SHOWN.findall(shown))
        if peers < MANY:
            raise AssertionError(f"{peers} of {MANY} peers are shown")
        return {"setconf_ms": (configured - begin) * 1e3, "show_ms": (showed - configured) * 1e3}


def write_toml(folder, interface, configuration):
    """The node's file for what a `wg setconf` file says; returns its path."""
    with open(configuration, encoding="utf-8") as stream:
        text = stream.read()
    key_file = os.path.join(folder, "node.key")
    with open(os.open(key_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as stream:
        stream.write(re.search(r"^PrivateKey = (\S+)", text, re.M).group(1) + "\n")
    lines = ["[node]", f'control_socket = "{folder}/control.sock"', 'log_level = "info"', "[tunnel]",
             f'interface = "{interface}"', 'private_key_file = "node.key"', f"listen_port = {beds.PORT}",
             f'addresses = ["{beds.CROWD_SERVER}/10"]', f"mtu = {beds.MTU}"]
    for key, allowed in re.findall(r"^PublicKey = (\S+)\nAllowedIPs = (\S+)", text, re.M):
        lines += ["[[peer]]", f'public_key = "{key}"', f'allowed_ips = ["{allowed}"]']
    path = os.path.join(folder, "node.toml")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    return path


def toml(settings, _daemon):
    """`thalweg run` with many peers in its file, from its start until it says that it is up."""
    with lib.Network() as net:
        bed = beds.Bed(net, settings, ("clients", "server"))
        interface = lib.unique_interface()
        path = write_toml(net.folder, interface, beds.write_configuration(bed, MANY))
        server = bed.hosts["server"]
        begin = time.monotonic()
        process = server.start([settings.thalweg, "run", "-c", path])
        process.wait_log(rf"{interface}: up", timeout=60)
        ready = time.monotonic()
        peers = len(server.run(["wg", "show", interface, "peers"], timeout=60).stdout.splitlines())
        if peers < MANY:
            raise AssertionError(f"{peers} of {MANY} peers are shown")
        return {"toml_ms": (ready - begin) * 1e3}


def scenarios(_settings):
    """All of this file's, in their order."""
    yield Scenario("memory", "resident memory of the server", memory, lambda s: s.seconds + 12)
    yield Scenario("control", f"{MANY:,} peers by wg setconf, and shown", control, lambda s: 5)
    yield Scenario("toml", f"{MANY:,} peers in the node's own file", toml, lambda s: 6, Kind.OURS)
