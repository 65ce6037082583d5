"""What the kernel of a host has counted: TCP segments sent again, packets and datagrams that had no room."""

import dataclasses


def parse_protocols(text):
    """/proc/net/snmp as {protocol: {name: number}}: a line of names, and one of numbers."""
    lines, found = text.splitlines(), {}
    for names, numbers in zip(lines[::2], lines[1::2]):
        protocol, _, names = names.partition(":")
        found[protocol] = dict(zip(names.split(), map(int, numbers.partition(":")[2].split())))
    return found


def parse_drops(text):
    """Of /proc/net/dev: what all devices have dropped, either way."""
    total = 0
    for line in text.splitlines():
        _, colon, counts = line.partition(":")
        if colon:
            fields = counts.split()
            total += int(fields[3]) + int(fields[11])
    return total


@dataclasses.dataclass
class Counters:
    """Of one host, since it was made; subtract what was before."""

    resent: int  # TCP segments
    dropped: int  # packets, by all devices; a train counts once
    overflowed: int  # UDP datagrams that a socket had no room for, either way

    def __sub__(self, other):
        return Counters(self.resent - other.resent, self.dropped - other.dropped,
                        self.overflowed - other.overflowed)


def read_counters(host):
    """Of a host (a lib.Namespace) now."""
    said = host.run(["cat", "/proc/net/snmp", "/proc/net/dev"]).stdout
    snmp, _, devices = said.partition("Inter-|")
    found = parse_protocols(snmp)
    udp = found["Udp"]
    return Counters(found["Tcp"]["RetransSegs"], parse_drops(devices),
                    udp["RcvbufErrors"] + udp["SndbufErrors"])


def read_segments(host):
    """(sent, sent again) of a host's TCP, since it was made."""
    tcp = parse_protocols(host.run(["cat", "/proc/net/snmp"]).stdout)["Tcp"]
    return tcp["OutSegs"], tcp["RetransSegs"]
