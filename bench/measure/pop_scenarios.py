"""Measured between a client and a server, over a pair of PoPs: bulk both ways, near and far, new connections,
round trips beside a stream, and what a stream loses while something takes the CPUs away."""

import functools

from . import busy, iperf, pop_cost
from . import pop_bed as beds
from .load_bed import LOAD_PORT
from .paths import probe
from .pop_bed import Way
from .relay_scenarios import latency_metrics
from .scenario import Scenario

SETTLE_S = 4  # a bed's making and unmaking
QUICK = ("bulk-1", "bulk-4", "bulk-1-off", "connect-1", "rtt-bulk")
STREAMS = (1, 4, 32)
FAR_MS = (20, 215)
FAR_FACTOR = 2  # as long a measurement: windows have to open
STEADY_BPS = 1e9
READING_S = 15  # all counters of all hosts, on a machine that has no CPU left


def _warm_up(bed, pops, way):
    settings = bed.settings
    if settings.warm_up:
        seconds = settings.warm_up * (FAR_FACTOR if way.rtt_ms else 1)
        iperf.tcp(bed, beds.SERVER, seconds, reverse=True, via=pops.address)


def _seconds(settings, way):
    return settings.seconds * (FAR_FACTOR if way.rtt_ms else 1)


def bulk(settings, pops, streams=1, upload=False, way=Way(), bits_per_second=0, bursts=False):
    """iperf3 through everything: the server sends, unless `upload`. `bursts`: something takes the CPUs away
    meanwhile."""
    with beds.path(settings, pops, way) as bed:
        _warm_up(bed, pops, way)
        if bursts:
            bed.hogs += busy.bursts(bed.net)
        with pop_cost.spent(bed, pops) as cost:
            result = iperf.tcp(bed, beds.SERVER, _seconds(settings, way), streams, not upload, pops.address,
                               bits_per_second)
        if result.gigabytes <= 0:
            raise AssertionError("iperf3 has received nothing")
        if settings.congestion != result.congestion:
            raise AssertionError(f"TCP used {result.congestion} and not {settings.congestion}")
        return {"gbps": result.gbps, **pop_cost.of_bytes(cost, result.gigabytes, pops),
                **pop_cost.beside(bed, pops, cost)}


def connections(settings, pops, parallel, way=Way()):
    """New connections, so many at a time, 1 KB and back each."""
    with beds.path(settings, pops, way) as bed:
        _warm_up(bed, pops, way)
        with pop_cost.spent(bed, pops) as cost:
            report = bed.report_of(settings.seconds, "loop", pops.address, LOAD_PORT,
                                   f"{settings.seconds:g}", parallel)
        return {**latency_metrics(report, None), **pop_cost.of_connections(cost, report["all"], pops),
                **pop_cost.beside(bed, pops, cost)}


def round_trips(settings, pops):
    """Pings from the client to the server beside one download that takes all it can get."""
    with beds.path(settings, pops) as bed:
        _warm_up(bed, pops, Way())
        with iperf.background_tcp(bed, beds.SERVER, settings.seconds + READING_S, pops.address, reverse=True):
            before = bed.sent("first", "to-client")[1]
            with pop_cost.spent(bed, pops) as cost:
                metrics = probe(bed, beds.SERVER, settings)
            sent = bed.sent("first", "to-client")[1] - before
        return {**metrics, "beside_gbps": sent * 8 / cost.seconds / 1e9, **pop_cost.beside(bed, pops, cost)}


def _of_bulk(ending, about, way):
    for streams in STREAMS:
        for upload in (False, True):
            words = ("one stream" if streams == 1 else f"{streams} streams",
                     "client to server" if upload else "server to client", about)
            name = f"bulk-{streams}{'-up' if upload else ''}{ending}"
            yield Scenario(name, ", ".join(filter(None, words)),
                           functools.partial(bulk, streams=streams, upload=upload, way=way),
                           lambda s: _seconds(s, way) + s.warm_up + SETTLE_S,
                           on_request=upload and way != Way())


def _far(settings, rtt_ms):
    return f"{settings.rate_mbps / 1000:g} Gbps and {rtt_ms} ms between the PoPs"


def scenarios(settings):
    """All there are, in their order."""
    def once(one):
        return one.seconds + one.warm_up + SETTLE_S
    yield from _of_bulk("", "", Way())
    yield from _of_bulk("-off", "veth offloads off", Way(offloads=False))
    for rtt_ms in FAR_MS:
        yield from _of_bulk(f"-{rtt_ms}ms", _far(settings, rtt_ms), Way(rtt_ms=rtt_ms))
    for parallel in dict.fromkeys((1, settings.parallel)):
        about = f"new connection, 1 KB and back, {parallel} at a time"
        yield Scenario(f"connect-{parallel}", about, functools.partial(connections, parallel=parallel), once)
        for rtt_ms in FAR_MS:
            yield Scenario(f"connect-{parallel}-{rtt_ms}ms", f"the same, {_far(settings, rtt_ms)}",
                           functools.partial(connections, parallel=parallel, way=Way(rtt_ms=rtt_ms)), once,
                           on_request=True)
    yield Scenario("rtt-bulk", "round trips beside one stream, server to client", round_trips,
                   lambda s: once(s) + 3)
    taken = f"{busy.BURN_MS} ms of every {busy.PERIOD_MS} each CPU is taken away"
    yield Scenario("bursts", f"1 Gbps, server to client; {taken}",
                   functools.partial(bulk, bits_per_second=STEADY_BPS, bursts=True), once)
