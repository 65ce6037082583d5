"""Single bytes over a connection that stays, one at a time: what a keystroke waits for the relay."""

import contextlib
import json
import signal
import time

from . import iperf
from . import relay_bed as beds

SHARES = ("p50", "p95", "p99")


def exchange(bed, address, seconds):
    """Bytes there and back for so long; returns bench_load's report."""
    return bed.report_of(seconds, "echo", address, beds.LOAD_PORT, f"{seconds:g}")


@contextlib.contextmanager
def stamped(bed, metrics):
    """Puts into `metrics` how long the relay's host took with each byte meanwhile: from its arrival at one
    device until it left by the other, by the kernel's time stamps."""
    argv = [bed.settings.load_program, "stamps", beds.FRONT_DEVICE, "to-server", beds.LOAD_PORT]
    bed.note("relay", argv)
    process = bed.hosts["relay"].start(argv)
    process.wait_log("^ready$")
    yield
    process.signal(signal.SIGUSR1)
    if process.wait() != 0:
        raise AssertionError(f"bench_load stamps: {process.log()[-300:].strip()}")
    metrics |= forwarding_metrics(json.loads(process.log().splitlines()[-1]))


def forwarding_metrics(report):
    """Of bytes and echoes together."""
    if report["forwarded"] == 0:
        raise AssertionError("no byte was seen on its way through")
    return {f"forwarding_{share}_us": report["forwarding_us"][share] for share in SHARES}


def exchange_metrics(report, plain=None):
    """`plain`: the report of the same without a relay, a moment before. A byte and its echo are forwarded
    once each, so that half of what the relay adds is a forwarding, with what it does to the ends."""
    took = report["exchange_us"]
    metrics = {"exchanges": report["measured"]}
    metrics |= {f"exchange_{share}_us": took[share] for share in SHARES}
    if plain is not None:
        without = plain["exchange_us"]
        metrics |= {f"plain_{share}_us": without[share] for share in SHARES}
        metrics |= {f"added_{share}_us": took[share] - without[share] for share in SHARES}
        metrics["added_one_way_p50_us"] = metrics["added_p50_us"] / 2
    return metrics


def alone(settings, relay):
    """The relay is idle before each byte. First the same without a relay."""
    with beds.hosts(settings) as bed:
        plain = exchange(bed, beds.SERVER, settings.seconds) if relay.name != "direct" else None
        bed.start_relay(relay)
        forwarding = {}
        with stamped(bed, forwarding):
            report = exchange(bed, relay.address, settings.seconds)
        return {**forwarding, **exchange_metrics(report, plain), "others_cpus": bed.others_cpus}


def beside_bulk(settings, relay):
    """A stream as fast as it can goes through the same relay meanwhile."""
    with beds.between(settings, relay) as bed:
        with iperf.background_tcp(bed, beds.SERVER, settings.seconds, relay.address):
            before, since = bed.sent("client", "to-relay")[1], time.monotonic()
            forwarding = {}
            with stamped(bed, forwarding):
                report = exchange(bed, relay.address, settings.seconds)
            sent = bed.sent("client", "to-relay")[1] - before
            beside = sent * 8 / (time.monotonic() - since) / 1e9
        return {**forwarding, **exchange_metrics(report), "beside_gbps": beside,
                "others_cpus": bed.others_cpus}
