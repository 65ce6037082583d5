"""Measured with the load generator, `thalweg lab clients`: many peers, floods, handshakes."""

import functools
import json
import shlex

from lib.cpu import Meter, Sampler

from . import bed as beds
from .scenario import Scenario

PEERS = (50, 250, 1000)
FLOODS = ("bad-mac1", "spoofed", "random-index")
FLOOD_PEERS = 50
HANDSHAKE_PEERS = 1000  # a responder answers one peer at most 50 times a second
OUTSTANDING = 64
TRAIN = 16
WARMUP_S = 1
SEALED_AHEAD_MB = 8192
SEALED_AHEAD_S = 20  # beyond, so much would have to be kept that sealing on the way is the lesser evil
SETTLE_S = 4


def generator_words(settings, peers, seconds, *more):
    """The generator's command line for a crowd."""
    return [settings.thalweg, "lab", "clients", "--target", f"{beds.SERVER}:{beds.PORT}", "--peers", peers,
            "--size", beds.MTU, "--duration", f"{seconds:g}", "--warmup", WARMUP_S, "--json", *more]


def load_words(bed, rate, train, seconds):
    """What it sends, and where its own sink is: inside the server's namespace, behind the tunnel."""
    words = ["--rate", f"{rate:.0f}", "--burst", train, "--sink", f"{beds.CROWD_SERVER}:{beds.SINK_PORT}",
             "--sink-netns", bed.hosts["server"].name, "--bystander"]
    if seconds <= SEALED_AHEAD_S:
        words += ["--sealed-ahead", "--ahead-memory", SEALED_AHEAD_MB]
    return words


def generate(bed, words, seconds):
    """Runs it; returns its JSON."""
    bed.note("clients", [*bed.pin("clients"), *words])
    done = bed.hosts["clients"].run([*bed.pin("clients"), *words], check=False, timeout=seconds + 90)
    if done.returncode != 0 or not done.stdout.startswith("{"):
        bed.check_alive()
        said = (done.stderr or done.stdout).strip()[-300:]
        raise AssertionError(f"`{shlex.join(map(str, words[:3]))}` ended with {done.returncode}: {said}")
    return json.loads(done.stdout)


def loaded(settings, daemon, peers, rate, train, seconds, more=()):
    """One run of load; returns (the generator's report, metrics that every load has)."""
    with beds.crowd(settings, daemon, peers) as bed:
        words = [*generator_words(settings, peers, seconds), *load_words(bed, rate, train, seconds), *more]
        with Sampler(bed.pid("server"), bed.interface, beds.MTU) as sampler:
            report = generate(bed, words, seconds)
        return report, load_metrics(report, sampler.steady())


def load_metrics(report, steady):
    """Of the generator's report; `steady` is Sampler.steady()."""
    load, bystander = report["load"], report["bystander"]
    metrics = {"offered_mbps": load["offered_bps"] / 1e6, "delivered_mbps": load["delivered_bps"] / 1e6,
               "loss_share": 100 * load["loss"], "established": report["handshakes"]["established"],
               "reordered": load["reordered"], "corrupt": load["corrupt"],
               "generator_cpus": sum(thread["share"] for thread in report["cpu"].values()),
               "generator_offered_share": 100 * load["offered_bps"] / load["intended_bps"],
               "generator_kept_schedule": float(load["kept_schedule"])}
    if bystander["received"] > 0:
        for key, name in (("p50", "p50"), ("p99", "p99"), ("p99_9", "p999"), ("max", "max")):
            metrics[f"bystander_{name}_us"] = bystander["rtt_us"][key]
    if steady is not None:
        cpu_s, packets, seconds = steady
        metrics["cpu_ns_per_packet"] = cpu_s / packets * 1e9
        metrics["daemon_cpus"] = cpu_s / seconds
    return metrics


def crowd(settings, daemon, peers, train):
    """So many peers, together at --load."""
    return loaded(settings, daemon, peers, settings.load, train, settings.seconds)[1]


def flood(settings, daemon, kind, seconds=None):
    """Established peers at --flood-load while somebody floods; `kind` None: nobody, for comparison."""
    seconds = seconds or settings.seconds
    more = ["--flood", kind, "--flood-rate", settings.flood_pps] if kind else []
    report, metrics = loaded(settings, daemon, FLOOD_PEERS, settings.flood_load, 1, seconds, more)
    load = report["load"]
    metrics["delivered_share"] = 100 * load["delivered_bps"] / load["intended_bps"]
    if load["offered_bps"] > 0:
        metrics["delivered_of_offered_share"] = 100 * load["delivered_bps"] / load["offered_bps"]
    metrics["rekeys"] = load["handshakes"]
    if kind:
        metrics["flood_kpps"] = report["flood"]["pps"] / 1e3
    return metrics


def rekey(settings, daemon, kind):
    """The same for longer than a session lasts without a new handshake."""
    metrics = flood(settings, daemon, kind, settings.rekey_seconds)
    return {**metrics, "rekeys_per_peer": metrics["rekeys"] / FLOOD_PEERS}


def handshakes(settings, daemon):
    """As many handshakes as the daemon answers; per core by the CPU time it took for them."""
    with beds.crowd(settings, daemon, HANDSHAKE_PEERS) as bed:
        words = generator_words(settings, HANDSHAKE_PEERS, settings.seconds, "--handshakes-only",
                                "--outstanding", OUTSTANDING)
        with Meter(daemon=bed.pid("server")) as meter:
            report = generate(bed, words, settings.seconds)
        done = report["handshakes"]
        # The warm-up's CPU time is in the meter as well: its handshakes come at the same rate.
        share = done["seconds"] / (done["seconds"] + WARMUP_S)
        used = meter.used["daemon"] * share
        if done["completed"] == 0 or used <= 0:
            raise AssertionError("no handshake was completed")
        return {"handshakes_per_s": done["per_second"], "handshakes_per_core_s": done["completed"] / used,
                "response_p99_us": done["response_us"]["p99"], "daemon_cpus": used / done["seconds"],
                "generator_cpus": sum(thread["share"] for thread in report["cpu"].values())}


def scenarios(_settings):
    """All of this file's, in their order."""
    def once(settings):
        return settings.seconds + WARMUP_S + SETTLE_S
    for peers in PEERS:
        for name, about, train in (("lone", "lone packets", 1), ("train", f"trains of {TRAIN}", TRAIN)):
            yield Scenario(f"peers-{peers}-{name}", f"{peers:,} peers, {about}",
                           functools.partial(crowd, peers=peers, train=train), once)
    yield Scenario("flood-none", f"{FLOOD_PEERS} peers at a fixed rate, no flood",
                   functools.partial(flood, kind=None), once)
    for kind in FLOODS:
        yield Scenario(f"flood-{kind}", f"the same under a flood: {kind}",
                       functools.partial(flood, kind=kind), once)
    for kind in FLOODS:
        yield Scenario(f"rekey-{kind}", "the same for longer than a session lasts",
                       functools.partial(rekey, kind=kind), lambda s: s.rekey_seconds + WARMUP_S + SETTLE_S,
                       once=True, on_request=True)
    yield Scenario("handshakes", "responder handshakes", handshakes, once)
