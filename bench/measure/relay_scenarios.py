"""Measured between a client and a server, through a relay: bulk, new connections, single bytes, and
connections that are idle."""

import functools
import signal

import lib
from lib.cpu import Meter

from . import iperf, memory
from . import relay_bed as beds
from .relay_flood import against_flood
from .relay_interactive import alone, beside_bulk
from .scenario import Kind, Scenario

SETTLE_S = 2  # a bed's making and unmaking
HOLD_S = 60  # for as many connections as there may be
QUICK = ("bulk-1", "bulk-1-off", "connect-1", "interactive", "idle")


def meter_of(bed):
    """Of the relay, if there is one, and the machine."""
    return Meter(relay=bed.relay_pids) if bed.relays else Meter()


def bulk(settings, relay, streams=1, offloads=True, reverse=False):
    """iperf3 through the relay. What the relay takes, and the whole machine."""
    with beds.between(settings, relay, offloads) as bed:
        sender = "server" if reverse else "client"
        before = bed.sent(sender, "to-relay")
        with meter_of(bed) as meter:
            result = iperf.tcp(bed, beds.SERVER, settings.seconds, streams, reverse, relay.address)
        after = bed.sent(sender, "to-relay")
        if result.gigabytes <= 0:
            raise AssertionError("iperf3 has received nothing")
        if settings.congestion != result.congestion:
            raise AssertionError(f"TCP used {result.congestion} and not {settings.congestion}")
        metrics = {"gbps": result.gbps}
        if bed.relays:
            metrics["relay_cpu_s_per_gb"] = meter.used["relay"] / result.gigabytes
        return {**metrics, "machine_cpu_s_per_gb": meter.machine / result.gigabytes,
                "machine_cpus": meter.machine / meter.seconds,
                "others_cpus": bed.others_cpus, "stolen_share": 100 * meter.stolen / meter.seconds,
                "retransmits": result.retransmits,
                "bytes_per_wire_packet": (after[1] - before[1]) / max(1, after[0] - before[0])}


def ask(bed, address, seconds, parallel):
    """One run of new connections; returns bench_load's report."""
    return bed.report_of(seconds, "loop", address, beds.LOAD_PORT, f"{seconds:g}", parallel)


def latency_metrics(report, plain):
    """`plain`: the report of the same without a relay, a moment before; None: there is no relay."""
    latency = report["latency_us"]
    metrics = {"latency_p50_us": latency["p50"], "latency_p99_us": latency["p99"],
               "latency_p999_us": latency["p99_9"], "connect_p50_us": report["connect_us"]["p50"],
               "connections_per_s": report["per_second"],
               "failed_share": 100 * report["failed"] / max(1, report["all"] + report["failed"])}
    if plain is not None:
        for share in ("p50", "p99"):
            metrics[f"plain_{share}_us"] = plain["latency_us"][share]
            metrics[f"added_{share}_us"] = latency[share] - plain["latency_us"][share]
    return metrics


def connections(settings, relay, parallel):
    """New connections, so many at a time. One at a time: first without a relay, then through it. Of several
    the latency is how long they wait for each other, and nothing to be compared."""
    with beds.hosts(settings) as bed:
        plain = None
        if parallel == 1 and relay.name != "direct":
            plain = ask(bed, beds.SERVER, settings.seconds, parallel)
        bed.start_relay(relay)
        pids = {"relay": bed.relay_pids} if bed.relays else {}
        with Meter(answers=bed.processes["server"].pid, **pids) as meter:
            report = ask(bed, relay.address, settings.seconds, parallel)
        metrics = latency_metrics(report, plain)
        if bed.relays:
            metrics["relay_cpu_us_per_connection"] = meter.used["relay"] / report["all"] * 1e6
        asking, answering = report["cpu_s"] / meter.seconds, meter.used["answers"] / meter.seconds
        return {**metrics, "machine_cpu_us_per_connection": meter.machine / report["all"] * 1e6,
                "generator_cpus": asking + answering, "generator_busiest": max(asking, answering),
                "others_cpus": bed.others_cpus, "stolen_share": 100 * meter.stolen / meter.seconds}


def hold(bed, address, count, bulk_bytes):
    """Opens so many connections, lets each fetch so much, and resets them. Returns what memory they take
    idle, and after that."""
    begin = memory.settled(bed.relay_pids)
    process = bed.hosts["client"].start(bed.load("hold", address, beds.LOAD_PORT, count, bulk_bytes))
    found = []
    for word in ("held", "moved"):
        process.wait_log(f"^{word} {count}$", HOLD_S)
        bed.check_alive()
        found.append(memory.settled(bed.relay_pids) - begin)
        process.signal(signal.SIGUSR1)
    if process.wait(HOLD_S) != 0:
        raise AssertionError(f"bench_load hold: {process.log()[-300:].strip()}")
    return found


def memory_metrics(count, idle, moved, plain_idle, plain_moved):
    """By connection. The kernel's part is the relay's: without what client and server take by themselves."""
    metrics = {"idle_connections": count}
    for name, through, plain in (("", idle, plain_idle), ("bulk_", moved, plain_moved)):
        one, without = through.over(count), plain.over(count)
        metrics |= {f"user_{name}kb": one.pss, f"user_{name}rss_kb": one.rss,
                    f"kernel_{name}kb": one.slab - without.slab,
                    f"socket_pages_{name}kb": one.socket_pages - without.socket_pages}
    return metrics


def idle_connections(settings, relay):
    """Connections that are held: what each takes in the relay's process and in the kernel, when it is new
    and after it has carried something. The same without a relay comes first, and is what is taken off."""
    with beds.hosts(settings) as bed:
        count = min(settings.idle, relay.most_idle)
        plain = hold(bed, beds.SERVER, count, settings.bulk_bytes)
        if relay.name == "direct":
            return {"idle_connections": count, "kernel_kb": plain[0].over(count).slab,
                    "kernel_bulk_kb": plain[1].over(count).slab}
        lib.wait_until(lambda: not bed.hosts["server"].run("ss -Htn state established").stdout,
                       "the server to have no connection left", HOLD_S)
        bed.start_relay(relay)
        return memory_metrics(count, *hold(bed, relay.address, count, settings.bulk_bytes), *plain)


def scenarios(settings):
    """All there are, in their order."""
    def once(one):
        return one.seconds + SETTLE_S
    def of_bulk(name, about, on_request=False, **how):
        return Scenario(name, about, functools.partial(bulk, **how), once, on_request=on_request)
    yield of_bulk("bulk-1", "one stream")
    yield of_bulk("bulk-8", "eight streams", streams=8)
    yield of_bulk("bulk-1-off", "one stream, veth offloads off", offloads=False)
    yield of_bulk("bulk-8-off", "eight streams, veth offloads off", streams=8, offloads=False)
    yield of_bulk("bulk-1-reverse", "one stream, server to client", True, reverse=True)
    yield of_bulk("bulk-1-reverse-off", "the same, veth offloads off", True, reverse=True, offloads=False)
    for parallel in dict.fromkeys((1, settings.parallel)):
        yield Scenario(f"connect-{parallel}", f"new connection, 1 KB and back, {parallel} at a time",
                       functools.partial(connections, parallel=parallel),
                       lambda s, runs=2 if parallel == 1 else 1: runs * s.seconds + SETTLE_S + 1)
    yield Scenario("interactive", "one byte and its echo on an idle connection", alone,
                   lambda s: 2 * s.seconds + SETTLE_S + 1)
    yield Scenario("interactive-beside-bulk", "the same while one stream goes through the same relay",
                   beside_bulk, lambda s: s.seconds + SETTLE_S + 2)
    yield Scenario("idle", f"memory of an idle connection, of {settings.idle:,} open", idle_connections,
                   lambda s: 12 + s.idle / 500)
    yield Scenario("syn-flood", "100,000 SYNs a second from sources that do not exist",
                   functools.partial(against_flood, ask=ask), lambda s: 6 * s.seconds + 25, Kind.OURS,
                   on_request=True)
