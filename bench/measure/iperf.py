"""iperf3 over a bed's wire or tunnel, and what both of its ends say."""

import contextlib
import dataclasses
import json

import lib

UDP_PAYLOAD = 1392  # with its headers a full packet of the tunnel
PORT = 5201


@dataclasses.dataclass
class Tcp:
    """`gigabytes` (10^9) are what the receiving program has read."""

    gbps: float
    gigabytes: float
    retransmits: int
    congestion: str


@dataclasses.dataclass
class Udp:
    """Packets that were sent, and that arrived: both ends' own counts. (iperf3's loss knows only gaps
    before the last packet that the receiver saw.)"""

    offered_bps: float
    gigabytes: float
    sent: int
    received: int


@contextlib.contextmanager
def _server(bed, address):
    host = bed.hosts["server"]
    # With -J it says nothing before its end, but gives its own counts to a client that asks for them.
    argv = [*bed.pin("server"), "iperf3", "-s", "-1", "-J", "-B", address, "-p", PORT]
    bed.note("server", argv)
    process = host.start(argv)
    lib.wait_until(lambda: process.exit_code is not None or
                   f"{address}:{PORT} " in host.run(["ss", "-Hltn"]).stdout, f"{process} to listen")
    yield process
    process.end(grace=2)


def _run(bed, address, words, seconds, via=None):
    client = bed.hosts["client"]
    with _server(bed, address) as server:
        argv = [*bed.pin("client"), "iperf3", "-J", "-c", via or address, "-p", PORT, "-t", f"{seconds:g}",
                *words]
        bed.note("client", argv)
        done = client.run(argv, check=False, timeout=seconds + 20)
        return _report_of(done.stdout or done.stderr, server)


def _report_of(said, server):
    report = json.loads(said) if said.startswith("{") else {"error": said.strip()}
    if "error" in report:
        raise AssertionError(f"iperf3: {report['error']}\n{server.log()[-300:]}")
    return report


def tcp(bed, address, seconds, streams=1, reverse=False, via=None, bits_per_second=0):
    """One run, from client to server unless `reverse`. `via`: where the client connects to, if that is not
    where the server listens. `bits_per_second`: no faster than that; 0: as fast as it can."""
    words = ["-P", streams, *(["-R"] if reverse else [])]
    if bits_per_second:
        words += ["-b", f"{bits_per_second:.0f}"]
    report = _run(bed, address, words, max(1, round(seconds)), via)
    end = report["end"]
    received = end["sum_received"]
    return Tcp(received["bits_per_second"] / 1e9, received["bytes"] / 1e9,
               end["sum_sent"].get("retransmits", 0), end.get("sender_tcp_congestion", "unknown"))


def udp(bed, address, seconds, bits_per_second):
    """Lone datagrams from client to server at a fixed rate."""
    words = ["-u", "-b", f"{bits_per_second:.0f}", "-l", UDP_PAYLOAD, "--get-server-output"]
    report = _run(bed, address, words, max(1, round(seconds)))
    sent = sum(interval["sum"]["packets"] for interval in report["intervals"])
    duration = report["end"]["sum"]["seconds"]
    came = sum(interval["sum"]["bytes"] for interval in report["server_output_json"]["intervals"])
    return Udp(sent * UDP_PAYLOAD * 8 / duration, came / 1e9, sent, min(sent, came // UDP_PAYLOAD))


@contextlib.contextmanager
def downloads(bed, addresses, words, patience_s):
    """The server sends to the client from each of its addresses at once, beside the block; `words` say how
    much. Yields a list that has a report of each when the block is over and they have ended, for which
    `patience_s` is left."""
    reports = []
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(_server(bed, address)) for address in addresses]
        clients = []
        for address in addresses:
            argv = [*bed.pin("client"), "iperf3", "-J", "-R", "-c", address, "-p", PORT, *words]
            bed.note("client", argv)
            clients.append(bed.hosts["client"].start(argv))
        yield reports
        for client, server in zip(clients, servers):
            client.wait(patience_s)
            reports.append(_report_of(client.log(), server))


def received_mbps(report, from_s):
    """From that second to the last, by what the receiving program has read in each interval."""
    counted = [one["sum"] for one in report["intervals"] if one["sum"]["start"] >= from_s - 0.05]
    seconds = sum(one["seconds"] for one in counted)
    return sum(one["bytes"] for one in counted) * 8 / 1e6 / seconds if seconds else 0.0


@contextlib.contextmanager
def background_tcp(bed, address, seconds, via=None, reverse=False):
    """A TCP stream that runs beside the block, for at least `seconds`; it must still run at its end.
    `via`, `reverse`: see tcp()."""
    with _server(bed, address):
        words = ["iperf3", "-c", via or address, "-p", PORT, "-t", round(seconds) + 5, "-i", "0.1"]
        argv = [*bed.pin("client"), *words, "--forceflush", *(["-R"] if reverse else [])]
        bed.note("client", argv)
        client = bed.hosts["client"].start(argv)
        client.wait_log(r"bits/sec")  # it is past the connection's start
        yield
        if client.exit_code is not None:
            raise AssertionError(f"iperf3 ended with {client.exit_code}: {client.log()[-300:].strip()}")
        client.end(grace=2)
    lib.wait_until(lambda: client.exit_code is not None, "the end of iperf3")
