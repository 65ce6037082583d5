"""Round trips by ICMP echo, in an open loop: when each probe is due is fixed beforehand, so that a slow
answer does not thin out the probes that would have met the same delay.

Run as a program, in the namespace of the one who asks: `prober.py ADDRESS INTERVAL_MS SECONDS` prints JSON.
A round trip is from the system call that sends to the kernel's time stamp on the answer; that the prober
itself was scheduled late is reported beside it and not part of it.
"""

import json
import os
import select
import socket
import struct
import sys
import time

TIMESTAMPNS = 35  # SO_TIMESTAMPNS, which the socket module lacks; also the type of its control message
ECHO_REQUEST, ECHO_REPLY = 8, 0
PATIENCE_S = 1.0  # for the last answers
PAYLOAD = bytes(48)


def checksum(data):
    """RFC 1071, over an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(identity, sequence):
    """An ICMP message; the sequence number is its low 16 bits, the whole stands in the payload."""
    body = struct.pack("!Q", sequence) + PAYLOAD
    def head(check):
        return struct.pack("!BBHHH", ECHO_REQUEST, 0, check, identity, sequence & 0xFFFF)
    return head(checksum(head(0) + body)) + body


def parse_reply(packet, identity):
    """The whole sequence number of an answer to us in an IPv4 packet; None for anything else."""
    if len(packet) < 20:
        return None
    message = packet[(packet[0] & 15) * 4:]
    if len(message) < 16 or message[0] != ECHO_REPLY or struct.unpack_from("!H", message, 4)[0] != identity:
        return None
    return struct.unpack_from("!Q", message, 8)[0]


def stamp_ns(ancillary):
    """When the kernel had it, in ns of CLOCK_REALTIME."""
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == TIMESTAMPNS and len(content) >= 16:
            seconds, nanoseconds = struct.unpack_from("qq", content)
            return seconds * 1_000_000_000 + nanoseconds
    return time.time_ns()


class Prober:
    """One run of probes."""

    def __init__(self, address, interval_s, seconds):
        self.target = (address, 0)
        self.interval_s, self.count = interval_s, max(1, round(seconds / interval_s))
        self.identity = os.getpid() & 0xFFFF
        self.sent_ns, self.late_us, self.rtt_us = {}, [], []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.setsockopt(socket.SOL_SOCKET, TIMESTAMPNS, 1)
        self.socket.setblocking(False)

    def run(self):
        begin = time.monotonic()
        for sequence in range(self.count):
            due = begin + sequence * self.interval_s
            self.receive_until(due)
            self.late_us.append((time.monotonic() - due) * 1e6)
            message = echo_request(self.identity, sequence)
            self.sent_ns[sequence] = time.time_ns()
            try:
                self.socket.sendto(message, self.target)
            except OSError:
                del self.sent_ns[sequence]
        self.receive_until(time.monotonic() + PATIENCE_S)
        return {"sent": self.count, "received": len(self.rtt_us), "rtt_us": self.rtt_us,
                "late_us": self.late_us}

    def receive_until(self, due):
        while (left := due - time.monotonic()) > 0 and (self.sent_ns or self.count > len(self.late_us)):
            if select.select([self.socket], [], [], left)[0]:
                packet, ancillary, _flags, _from = self.socket.recvmsg(2048, 64)
                sent = self.sent_ns.pop(parse_reply(packet, self.identity), None)
                if sent is not None:
                    self.rtt_us.append((stamp_ns(ancillary) - sent) / 1e3)


if __name__ == "__main__":
    print(json.dumps(Prober(sys.argv[1], float(sys.argv[2]) / 1e3, float(sys.argv[3])).run()))
