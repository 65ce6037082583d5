"""Measured of legs, path by path, in fresh nodes: the first transfer over a path that nobody knows, and a
longer one after it."""

import functools

from lib.cpu import Meter

from . import bed as beds
from . import iperf, leg_bed
from .counters import read_counters, read_segments
from .leg_paths import PATHS
from .leg_settings import FIRST_BDPS
from .scenario import Scenario

QUICK = ("200M", "late-acks", "policer")
SETTLE_S = 6  # a bed's making and unmaking
# A leg's segment: the tunnel's MTU without IPv4, TCP and its time stamps.
SEGMENT_BYTES = beds.MTU - 52
INTERVAL_S = 0.5
WHOLE_SHARE = 0.98  # of a first transfer: iperf3 ends by whole blocks
SLOWEST_MBPS = 1  # that a first transfer is waited for


def first_bytes(settings, path):
    """What the first transfer brings."""
    if settings.first_mb:
        return round(settings.first_mb * 1e6)
    return round(FIRST_BDPS * path.bdp_bytes(settings.rtt_ms))


def _segments(bed):
    """(sent, sent again) of all that send over the path."""
    both = [read_segments(bed.hosts[pop.label]) for pop in bed.far]
    return tuple(map(sum, zip(*both)))


def _dropped(bed):
    """Packets that the devices of the far PoPs have dropped, the tunnel's above all: a train counts once."""
    return sum(read_counters(bed.hosts[pop.label]).dropped for pop in bed.far)


def first_use(bed):
    """Metrics of the first transfer, which is of a given size. Of two senders each brings half."""
    size = first_bytes(bed.settings, bed.path)
    words = ["-n", size // len(bed.servers), "-P", bed.path.streams]
    before = _segments(bed)
    with iperf.downloads(bed, bed.servers, words, 30 + size * 8 / 1e6 / SLOWEST_MBPS) as reports:
        pass
    resent = _segments(bed)[1] - before[1]
    received = sum(report["end"]["sum_received"]["bytes"] for report in reports)
    if received < WHOLE_SHARE * size:
        raise AssertionError(f"only {received} of {size} bytes have come")
    seconds = max(report["end"]["sum_received"]["seconds"] for report in reports)
    return {"first_s": seconds, "first_resent": resent,
            "first_resent_bdps": resent * SEGMENT_BYTES / bed.path.bdp_bytes(bed.settings.rtt_ms)}


def later_use(bed):
    """Metrics of a longer transfer after it."""
    settings = bed.settings
    words = ["-t", f"{settings.seconds:g}", "-P", bed.path.streams, "-i", INTERVAL_S]
    before, dropped, local = _segments(bed), bed.link.dropped(), _dropped(bed)
    with Meter(hogs=[hog.pid for hog in bed.hogs]) as meter:
        with iperf.downloads(bed, bed.servers, words, settings.seconds + 30) as reports:
            if bed.path.then_mbps:
                bed.await_begin(settings.change_s)
                bed.link.change_rate()
    sent, resent = (now - then for now, then in zip(_segments(bed), before))
    mbps = [iperf.received_mbps(report, settings.from_s) for report in reports]
    if min(mbps) <= 0:
        raise AssertionError("iperf3 has received nothing")
    return {"leg_mbps": sum(mbps), "later_resent": resent, "later_resent_share": 100 * resent / sent,
            "link_dropped": bed.link.dropped() - dropped, "last_dropped": _dropped(bed) - local,
            "machine_cpus": (meter.machine - meter.used["hogs"]) / meter.seconds,
            "stolen_share": 100 * meter.stolen / meter.seconds}


def transfers(settings, node, path):
    """Both, one after the other."""
    with leg_bed.legs(settings, node, path) as bed:
        first = first_use(bed)
        later = later_use(bed)
        return {**first, **later, "others_cpus": bed.others_cpus, **node.learned(bed)}


def _seconds(settings, path):
    return settings.seconds + SETTLE_S + first_bytes(settings, path) * 16 / 1e6 / path.rate_mbps


def scenarios(_settings):
    """All there are, in their order."""
    return [Scenario(path.name, path.about, functools.partial(transfers, path=path),
                     functools.partial(_seconds, path=path)) for path in PATHS]
