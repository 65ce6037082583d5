"""A leg that has been idle starts with what its path is known to carry: the kernel's restart after idle
(RFC 5681, 4.1) would make it begin with ten segments. The bulk sender is the last PoP, which has accepted
the leg. A wire between the PoPs delays every packet. With TW_LONG the leg is idle for ten minutes.
"""

import os
import re

import lib
from lib.relay import RelayCase

IDLE_S = 600 if os.environ.get("TW_LONG") else 4  # either is far beyond a retransmission timeout
ONE_WAY_S = 0.025
PORT = 8080

# Joins its two devices, each packet a little later. A flight is what has come from the last PoP in large
# packets, after half a second without any, when the first packet of the other side leaves for it: until
# then nothing can have been acknowledged.
WIRE = """
import collections, select, socket, sys, time
DELAY = float(sys.argv[1])
def opened(device):
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
    made.bind((device, 0))
    made.setblocking(False)
    return made
first, last = opened("to-first"), opened("to-last")
other = {first: last, last: first}
waiting = collections.deque()
count, last_large = None, 0.0
print("joined", flush=True)
while True:
    left = max(waiting[0][0] - time.monotonic(), 0) if waiting else None
    for ready in select.select([first, last], [], [], left)[0]:
        for _ in range(64):
            try:
                frame, address = ready.recvfrom(65536)
            except BlockingIOError:
                break
            if address[2] == socket.PACKET_OUTGOING:
                continue
            now = time.monotonic()
            if ready is last and len(frame) > 1000:
                if now - last_large > 0.5:
                    count = 0
                last_large = now
                if count is not None:
                    count += 1
            waiting.append((now + DELAY, ready, frame))
    while waiting and waiting[0][0] <= time.monotonic():
        _, came_by, frame = waiting.popleft()
        if came_by is first and count:
            print("flight", count, flush=True)
            count = None
        try:
            other[came_by].send(frame)
        except OSError:
            pass
"""


class IdleLegs(RelayCase):
    KEEPALIVE_S = 0
    RELAY = "[relay.pool]\nlow = 1\nhigh = 1\nmax_age_s = 3600\n"

    def connect_pops(self):
        wire = self.net.namespace("wire")
        self.net.veth(self.first, wire, "198.18.2.1/24", [])
        self.net.veth(wire, self.last, [], "198.18.2.2/24")
        for namespace, device in ((self.first, "to-wire"), (wire, "to-first"), (wire, "to-last"),
                                  (self.last, "to-wire")):
            namespace.run(["ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off", "tx", "off"])
        self.wire = wire.start(["python3", "-u", "-c", WIRE, str(ONE_WAY_S)])
        self.wire.wait_log("joined")

    def first_flight(self):
        """Returns the number of packets in a download's first flight."""
        before = self.wire.log().count("flight")
        got = lib.curl(self.client, f"http://192.0.2.80:{PORT}/file")
        self.assertEqual(got.bytes, 2_000_000)
        lib.wait_until(lambda: self.wire.log().count("flight") > before, "the flight's end")
        lines = [line for line in self.wire.log().split("\n") if line.startswith("flight")]
        return int(lines[before].split()[1])

    def await_a_warm_leg(self):
        lib.wait_until(lambda: self.pop()["warm"]["idle"] == 1 and self.status("last")["waiting_legs"] == 1,
                       "a warm leg", timeout=20)

    def await_idleness(self, seconds):
        """Waits until all legs that the last PoP has accepted are idle for so long, as their kernel says."""
        def idle_ms():
            legs = self.last.run(["ss", "-tinH", "state", "established", "sport", "=", ":9702"]).stdout
            return [int(ms) for ms in re.findall(r" lastrcv:(\d+)", legs)]
        lib.wait_until(lambda: idle_ms() and min(idle_ms()) > seconds * 1000, "idleness",
                       timeout=seconds + 20)

    def test_an_idle_leg_starts_with_what_its_path_carries(self):
        lib.serve_files(self.server, "192.0.2.80", {"file": os.urandom(2_000_000)}, PORT)
        self.await_a_warm_leg()
        self.first_flight()
        self.await_a_warm_leg()
        self.await_idleness(IDLE_S)
        hits = self.pop()["warm"]["hits"]
        flight = self.first_flight()
        self.assertEqual(self.pop()["warm"]["hits"], hits + 1, "the leg was not the idle one")
        self.assertGreater(flight, 25)
        path = self.status("last")["pops"][0]["path"]
        self.assertGreater(path["probes_passed"] + path["probes_failed"] + path["probes_undecided"], 0)

    def test_without_pacing_it_begins_as_any_other(self):
        """Shows what the test above would see if the window were not opened."""
        lib.serve_files(self.server, "192.0.2.80", {"file": os.urandom(2_000_000)}, PORT)
        for host in ("first", "last"):
            for key, value in (("pacing", "off"), ("initcwnd", "10")):
                done = getattr(self, host).run(
                    [os.environ["TW_BIN"], "set", f"relay.turbo.{key}", value, "--socket",
                     f"{self.net.folder}/{host}.sock"])
                self.assertEqual(done.returncode, 0)
        self.await_a_warm_leg()
        self.first_flight()
        self.await_a_warm_leg()
        self.await_idleness(4)
        self.assertLess(self.first_flight(), 25)


if __name__ == "__main__":
    lib.main()
