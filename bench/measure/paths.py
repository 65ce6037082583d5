"""Measured between two hosts: throughput of TCP and UDP, what it costs, and round trips."""

import functools
import json
import pathlib
import sys

from lib.cpu import Meter
from lib.statistics import nearest_rank

from . import bed as beds
from . import iperf
from .scenario import Kind, Scenario
from .settings import rate_name

PROBE_INTERVAL_MS = 5
SETTLE_S = 2  # a bed's making and unmaking


def _cost(meter, gigabytes, metrics):
    """What the meter saw, by payload that arrived."""
    for name, seconds in meter.used.items():
        metrics[f"{name}_cpu_s_per_gb"] = seconds / gigabytes
    metrics["machine_cpu_s_per_gb"] = meter.machine / gigabytes
    metrics["machine_cpus"] = meter.machine / meter.seconds
    metrics["stolen_share"] = 100 * meter.stolen / meter.seconds
    return metrics


def _tcp_on(bed, address, settings, streams, reverse, pids):
    before = bed.wire_packets("server" if reverse else "client")
    with Meter(**pids) as meter:
        result = iperf.tcp(bed, address, settings.seconds, streams, reverse)
    after = bed.wire_packets("server" if reverse else "client")
    if result.gigabytes <= 0:
        raise AssertionError("iperf3 has received nothing")
    if settings.congestion not in (result.congestion, "default"):
        raise AssertionError(f"TCP used {result.congestion} and not {settings.congestion}")
    metrics = {"gbps": result.gbps, "retransmits": result.retransmits}
    metrics["bytes_per_wire_packet"] = (after[1] - before[1]) / max(1, after[0] - before[0])
    return _cost(meter, result.gigabytes, metrics)


def tcp(settings, daemon, streams=1, reverse=False, offloads=True):
    """TCP through the tunnel; sender and receiver are those of its data."""
    with beds.pair(settings, daemon, offloads) as bed:
        ends = ("server", "client") if reverse else ("client", "server")
        pids = {"sender": bed.pid(ends[0]), "receiver": bed.pid(ends[1])}
        return _tcp_on(bed, beds.TUNNEL_SERVER, settings, streams, reverse, pids)


def vxlan(settings, daemon, offloads=True):
    """TCP in VXLAN in the tunnel."""
    with beds.pair(settings, daemon, offloads) as bed:
        beds.vxlan(bed, settings)
        before = bed.sent("client", bed.interfaces["client"])
        pids = {"sender": bed.pid("client"), "receiver": bed.pid("server")}
        metrics = _tcp_on(bed, beds.VXLAN_SERVER, settings, 1, False, pids)
        after = bed.sent("client", bed.interfaces["client"])
        metrics["bytes_per_tunnel_packet"] = (after[1] - before[1]) / max(1, after[0] - before[0])
        return metrics


def plain_tcp(settings, _daemon, offloads=True):
    """TCP over the wire without any tunnel: what the kernel and iperf3 take by themselves."""
    with beds.wire(settings, offloads) as bed:
        return _tcp_on(bed, beds.SERVER, settings, 1, False, {})


def udp(settings, daemon, rate, offloads=True):
    """Lone datagrams at a fixed rate."""
    with beds.pair(settings, daemon, offloads) as bed:
        with Meter(sender=bed.pid("client"), receiver=bed.pid("server")) as meter:
            result = iperf.udp(bed, beds.TUNNEL_SERVER, settings.seconds, rate)
        if result.gigabytes <= 0:
            raise AssertionError("iperf3 has received nothing")
        seconds = result.sent * iperf.UDP_PAYLOAD * 8 / result.offered_bps
        metrics = {"offered_mbps": result.offered_bps / 1e6,
                   "delivered_mbps": result.gigabytes * 8e3 / seconds,
                   "loss_share": 100 * (result.sent - result.received) / result.sent}
        return _cost(meter, result.gigabytes, metrics)


def probe(bed, address, settings):
    """Round trips as metrics, asked for by the client."""
    program = pathlib.Path(__file__).with_name("prober.py")
    argv = [*bed.pin("client"), sys.executable, "-B", "-I", program, address, PROBE_INTERVAL_MS,
            settings.seconds]
    bed.note("client", argv)
    done = bed.hosts["client"].run(argv, timeout=settings.seconds + 20)
    result = json.loads(done.stdout)
    rtt_us = result["rtt_us"]
    if not rtt_us:
        raise AssertionError("no echo came back")
    return {"rtt_p50_us": nearest_rank(rtt_us, 0.5), "rtt_p99_us": nearest_rank(rtt_us, 0.99),
            "rtt_p999_us": nearest_rank(rtt_us, 0.999), "rtt_max_us": max(rtt_us), "probes": result["sent"],
            "probe_loss_share": 100 * (1 - result["received"] / result["sent"]),
            "prober_late_p99_us": nearest_rank(result["late_us"], 0.99)}


def rtt_idle(settings, daemon):
    """Round trips while nothing else is in the tunnel."""
    with beds.pair(settings, daemon) as bed:
        return probe(bed, beds.TUNNEL_SERVER, settings)


def rtt_loaded(settings, daemon):
    """Round trips beside one TCP stream that takes all it can get."""
    with beds.pair(settings, daemon) as bed, iperf.background_tcp(bed, beds.TUNNEL_SERVER, settings.seconds):
        return probe(bed, beds.TUNNEL_SERVER, settings)


def plain_rtt(settings, _daemon):
    """Round trips over the wire."""
    with beds.wire(settings) as bed:
        return probe(bed, beds.SERVER, settings)


def _once(settings):
    return settings.seconds + SETTLE_S


def scenarios(settings):
    """All of this file's, in their order."""
    def of_tcp(name, about, **how):
        return Scenario(name, about, functools.partial(tcp, **how), _once)
    yield of_tcp("tcp-1", "TCP, one stream")
    yield of_tcp("tcp-1-reverse", "TCP, one stream, server to client", reverse=True)
    yield of_tcp("tcp-4", "TCP, four streams", streams=4)
    yield of_tcp("tcp-1-off", "TCP, one stream, veth offloads off", offloads=False)
    yield of_tcp("tcp-1-reverse-off", "the same, server to client", reverse=True, offloads=False)
    yield of_tcp("tcp-4-off", "TCP, four streams, veth offloads off", streams=4, offloads=False)
    yield Scenario("vxlan-1", "TCP in VXLAN, one stream", vxlan, _once)
    yield Scenario("vxlan-1-off", "TCP in VXLAN, one stream, veth offloads off",
                   functools.partial(vxlan, offloads=False), _once)
    for rate in settings.udp_rates:
        yield Scenario(f"udp-{rate_name(rate)}", f"UDP, lone datagrams, {rate_name(rate)}bit/s",
                       functools.partial(udp, rate=rate), _once)
        yield Scenario(f"udp-{rate_name(rate)}-off", "the same, veth offloads off",
                       functools.partial(udp, rate=rate, offloads=False), _once)
    yield Scenario("rtt-idle", "round trips, nothing else in the tunnel", rtt_idle, lambda s: _once(s) + 1)
    yield Scenario("rtt-tcp", "round trips beside one TCP stream", rtt_loaded, lambda s: _once(s) + 2)
    yield Scenario("plain-tcp", "no tunnel: TCP over the wire", plain_tcp, _once, Kind.MACHINE)
    yield Scenario("plain-tcp-off", "no tunnel: the same, veth offloads off",
                   functools.partial(plain_tcp, offloads=False), _once, Kind.MACHINE)
    yield Scenario("plain-rtt", "no tunnel: round trips over the wire", plain_rtt, _once, Kind.MACHINE)
