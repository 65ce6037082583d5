"""A flood of SYNs from sources that do not exist, at the client's device: what it leaves to others."""

import contextlib
import dataclasses
import json
import time

import lib

from . import iperf
from . import relay_bed as beds

SOURCES = "10.128.0.0/9"  # bench_load's
RATE = 100_000
STEADY_BPS = 1e9
BEFORE_S, AFTER_S = 0.5, 1
# The flood is to be taken for clients: the policy relays them, and they are reached by that device.
POLICY = f"""[[policy]]
from = ["{SOURCES}"]
to = ["{beds.BACK}"]
protocol = "tcp"
action = "relay"
"""
SHIELD = ("table inet shield { chain early { type filter hook prerouting priority raw; "
          f"ip saddr {SOURCES} drop; }}; }}")


def status(bed, relay):
    """What the relay says of early SYN."""
    said = bed.hosts["relay"].run([relay.binary, "status", "--json", "--socket",
                                   f"{bed.net.folder}/control.sock"]).stdout
    return json.loads(said)["relay"]["early_syn"]


def set_early_syn(bed, relay, word):
    bed.hosts["relay"].run([relay.binary, "set", "relay.early_syn", word, "--socket",
                            f"{bed.net.folder}/control.sock"])


@contextlib.contextmanager
def flooded(bed, seconds, found):
    """The flood runs during the block, which is to take so long; `found` is told how fast it was."""
    link = json.loads(bed.hosts["relay"].run(f"ip -j link show {beds.FRONT_DEVICE}").stdout)[0]
    longest = round(seconds + BEFORE_S + AFTER_S + 0.5)
    words = ("to-relay", "RELAYS_MAC", beds.SERVER, beds.LOAD_PORT, RATE, longest)
    process = bed.hosts["client"].start([link["address"] if word == "RELAYS_MAC" else word
                                         for word in bed.load("flood", *words)])
    time.sleep(BEFORE_S)
    yield
    if process.wait(longest + 30) != 0:
        raise AssertionError(f"bench_load flood: {process.log()[-300:].strip()}")
    found.append(json.loads(process.log())["per_second"])


@contextlib.contextmanager
def shielded(bed, relay):
    """A firewall drops the flood, and nobody else looks at it."""
    set_early_syn(bed, relay, "off")
    bed.hosts["relay"].run(["nft", SHIELD])
    yield
    bed.hosts["relay"].run("nft delete table inet shield")
    set_early_syn(bed, relay, "on")


def throughput(bed, settings, relay, rates=None, bits_per_second=0):
    """Gbps of one stream, beside the flood if `rates` are there to be told of it."""
    with flooded(bed, settings.seconds, rates) if rates is not None else contextlib.nullcontext():
        return iperf.tcp(bed, beds.SERVER, settings.seconds, via=relay.address,
                         bits_per_second=bits_per_second).gbps


def against_flood(settings, relay, ask):
    """`ask(bed, address, seconds, parallel)` measures new connections of a client that is known."""
    relay = dataclasses.replace(relay, more_toml=relay.more_toml + POLICY)
    rates = []
    with beds.between(settings, relay) as bed:
        bed.hosts["relay"].ip(f"route add {SOURCES} via {beds.CLIENT} dev {beds.FRONT_DEVICE}")
        usual = ask(bed, relay.address, settings.seconds, 1)["latency_us"]
        steady = throughput(bed, settings, relay, bits_per_second=STEADY_BPS)
        beside = throughput(bed, settings, relay, rates, STEADY_BPS)
        with shielded(bed, relay):
            most = throughput(bed, settings, relay, rates)
        before, since = status(bed, relay), time.monotonic()
        left = throughput(bed, settings, relay, rates)
        with flooded(bed, settings.seconds, rates):
            known = ask(bed, relay.address, settings.seconds, 1)
        after, took = status(bed, relay), time.monotonic() - since
        claimed = after["claimed"] - before["claimed"]
        lib.wait_until(lambda: status(bed, relay)["unclaimed"] == 0, "the flood's halves to expire", 30)
    seen, reported = (after["devices"][0][what] - before["devices"][0][what]
                      for what in ("seen", "reported"))
    return {"flood_kpps": min(rates) / 1e3, "steady_kept_share": 100 * beside / steady, "gbps": left,
            "unlimited_kept_share": 100 * left / most, "usual_p50_us": usual["p50"],
            "latency_p50_us": known["latency_us"]["p50"], "latency_p99_us": known["latency_us"]["p99"],
            "known_against_usual": known["latency_us"]["p50"] / usual["p50"],
            "failed_share": 100 * known["failed"] / max(1, known["all"] + known["failed"]),
            "stranger_halves_per_s": (after["begun"] - before["begun"] - claimed) / took,
            "reported_share": 100 * reported / max(1, seen), "others_cpus": bed.others_cpus}
