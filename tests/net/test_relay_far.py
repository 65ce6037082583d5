"""The rough connections of test_relay_chaos.py between PoPs that are 120 ms apart: there transfers
gather their bytes (src/relay/stream/gathering.h), and no byte, no end and no reset may suffer by it."""

import lib
import test_relay_chaos
from lib.link import Link, lab_bed, link_command


class FarTest(test_relay_chaos.ChaosCase):
    def connect_pops(self):
        argv = link_command(lab_bed(), self.first, self.last, rate_mbps=500, rtt_ms=120, queue_ms=100)
        Link(self.net, argv, self.first, self.last, ("198.18.2.1/24", "198.18.2.2/24"))

    def test_rough_connections(self):
        self.check_rough_runs()


if __name__ == "__main__":
    lib.main()
