"""The limits: what cipher, curve and kernel allow by themselves, measured by bench_limits (bench/*.cc) on
the same machine in the same run."""

import functools
import json
import re
import subprocess

from . import bed as beds
from .scenario import Kind, Scenario

PACKET = 1420
IO_PORT = 9100
CIPHER_COSTS = ("seal_ns", "open_ns", "seal_keys_ns", "open_keys_ns", "seal_single_ns", "open_single_ns",
                "seal_small_ns", "open_small_ns", "seal_small_keys_ns", "open_small_keys_ns")
NOT_BUILT = ("bench_limits is not built: cmake --preset release && "
             "cmake --build --preset release --target bench_limits")
# A responder's, with the static-static one computed beforehand: es, ee, se, and its ephemeral key.
CURVE_OPERATIONS = 4


def run_program(settings, words):
    """The JSON that bench_limits prints."""
    program = settings.programs
    if program is None or not program.is_file():
        raise AssertionError(NOT_BUILT)
    done = subprocess.run([str(program), *words], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise AssertionError(f"bench_limits {' '.join(words)}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def cipher(settings, _daemon):
    """Sealing and opening packets of 1,420 and 64 bytes, with every engine; without a prefix the fastest
    one's."""
    result = run_program(settings, ["cipher"])
    metrics = {}
    for engine in result["engines"]:
        metrics.update({f"{engine['name']}_{key}": engine[key] for key in CIPHER_COSTS})
    best = min(result["engines"], key=lambda engine: engine["seal_ns"])
    metrics.update({key: best[key] for key in CIPHER_COSTS})
    metrics["cipher_s_per_gb"] = best["seal_ns"] / PACKET
    return metrics


def parse_speed(text):
    """µs an operation, out of `openssl speed -mr ecdhx25519`; None if it is not in there."""
    found = re.search(r"^\+F5:\d+:253:([\d.]+):", text, re.M)
    return 1e6 / float(found.group(1)) if found else None


def curve(settings, _daemon):
    """X25519 as our handshakes call it, with a key for once and with one that is kept, and as OpenSSL's own
    benchmark does, with keys and context made before; the handshakes a second that the latter alone would
    allow a core."""
    result = run_program(settings, ["curve"])
    said = subprocess.run(["openssl", "speed", "-mr", "-seconds", "1", "ecdhx25519"], capture_output=True,
                          text=True, timeout=60, check=False).stdout
    alone_us = parse_speed(said)
    if alone_us is None:
        raise AssertionError("`openssl speed ecdhx25519` gave no figure")
    return {"curve_us": alone_us, **result,
            "curve_handshakes_per_core_s": 1e6 / (CURVE_OPERATIONS * alone_us)}


def kernel_io(settings, _daemon, offloads=True):
    """UDP out and in, and into a TUN: everything that a tunnel's receiver asks of the kernel, without one."""
    if settings.programs is None or not settings.programs.is_file():
        raise AssertionError(NOT_BUILT)
    with beds.wire(settings, offloads) as bed:
        seconds = f"{settings.seconds:g}"
        bed.note("server", [settings.programs, "receive", IO_PORT, seconds])
        bed.note("client", [settings.programs, "send", beds.SERVER, IO_PORT, seconds])
        receiver = bed.hosts["server"].start([*bed.pin("server"), settings.programs, "receive", IO_PORT,
                                              seconds])
        receiver.wait_log("^ready$")
        sent = bed.hosts["client"].run([*bed.pin("client"), settings.programs, "send", beds.SERVER, IO_PORT,
                                        f"{settings.seconds + 0.5:g}"], timeout=settings.seconds + 20)
        if receiver.wait(20) != 0:
            raise AssertionError(f"bench_limits receive: {receiver.log()[-300:].strip()}")
        send, receive = json.loads(sent.stdout), json.loads(receiver.log().splitlines()[-1])
    metrics = {}
    for end, result in (("send", send), ("receive", receive)):
        metrics[f"io_{end}_ns"] = result["ns_per_packet"]
        metrics[f"io_{end}_s_per_gb"] = result["ns_per_packet"] / PACKET
        metrics[f"io_{end}_packets_per_call"] = result["packets_per_call"]
    return metrics


def scenarios(_settings):
    """All of this file's, in their order."""
    about = functools.partial(Scenario, kind=Kind.MACHINE)
    yield about("limit-cipher", "the cipher alone", cipher, lambda s: 5)
    yield about("limit-io", "the kernel's part alone", kernel_io, lambda s: s.seconds + 2)
    yield about("limit-io-off", "the same, veth offloads off", functools.partial(kernel_io, offloads=False),
                lambda s: s.seconds + 2)
    yield about("limit-curve", "the curve alone", curve, lambda s: 2)
