"""Single bytes over a connection that stays, one at a time: what a keystroke waits for the relay."""

import json
import time

from . import iperf
from . import relay_bed as beds

SHARES = ("p50", "p95", "p99")


def exchange(bed, address, seconds):
    """Bytes there and back for so long; returns bench_load's report."""
    done = bed.hosts["client"].run(bed.load("echo", address, beds.LOAD_PORT, f"{seconds:g}"), check=False,
                                   timeout=seconds + 30)
    if done.returncode != 0 or not done.stdout.startswith("{"):
        bed.check_alive()
        raise AssertionError(f"bench_load echo: {(done.stderr or done.stdout).strip()[-300:]}")
    report = json.loads(done.stdout)
    if report["measured"] == 0:
        raise AssertionError("no byte has come back")
    return report


def exchange_metrics(report, plain=None):
    """`plain`: the report of the same without a relay, a moment before. A byte and its echo are forwarded
    once each, so that half of what the relay adds is a forwarding."""
    took = report["exchange_us"]
    metrics = {"exchanges": report["measured"]}
    metrics |= {f"exchange_{share}_us": took[share] for share in SHARES}
    if plain is not None:
        without = plain["exchange_us"]
        metrics |= {f"plain_{share}_us": without[share] for share in SHARES}
        metrics |= {f"added_{share}_us": took[share] - without[share] for share in SHARES}
        metrics["forwarding_p50_us"] = metrics["added_p50_us"] / 2
    return metrics


def alone(settings, relay):
    """The relay is idle before each byte. First the same without a relay."""
    with beds.hosts(settings) as bed:
        plain = exchange(bed, beds.SERVER, settings.seconds) if relay.name != "direct" else None
        bed.start_relay(relay)
        metrics = exchange_metrics(exchange(bed, relay.address, settings.seconds), plain)
        return {**metrics, "others_cpus": bed.others_cpus}


def beside_bulk(settings, relay):
    """A stream as fast as it can goes through the same relay meanwhile."""
    with beds.between(settings, relay) as bed:
        with iperf.background_tcp(bed, beds.SERVER, settings.seconds, relay.address):
            before, since = bed.sent("client", "to-relay")[1], time.monotonic()
            metrics = exchange_metrics(exchange(bed, relay.address, settings.seconds))
            sent = bed.sent("client", "to-relay")[1] - before
            beside = sent * 8 / (time.monotonic() - since) / 1e9
        return {**metrics, "beside_gbps": beside, "others_cpus": bed.others_cpus}
