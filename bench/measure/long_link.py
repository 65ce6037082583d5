"""A long way between two hosts of a bed: `bench_link`, which has a rate, a delay and a queue each way."""

import re
import signal

import lib

from . import bed as beds

# A hiccup of the machine must not look like a loss of the link.
QUEUE_PACKETS = 4096


class LongLink:
    """Runs with the bed. Its devices are `to-LABEL` of the other end, as a veth's would be."""

    def __init__(self, bed, labels, addresses, rate_mbps, rtt_ms, queue_ms, options=()):
        near, far = (bed.hosts[label] for label in labels)
        argv = [bed.settings.link_program, near.name, f"to-{labels[1]}", far.name, f"to-{labels[0]}",
                rate_mbps, round(rtt_ms * 1000), queue_ms, *options]
        bed.note(f"between {labels[0]} and {labels[1]}", argv)
        self.process = bed.net.start([str(word) for word in argv], name="bench_link")
        self.process.wait_log("^ready$")
        bed.processes["link"] = self.process
        for host, other, address in ((near, labels[1], addresses[0]), (far, labels[0], addresses[1])):
            host.address(f"to-{other}", f"{address}/24", mtu=beds.WIRE_MTU)
            host.ip(f"link set to-{other} txqueuelen {QUEUE_PACKETS}")

    @property
    def pid(self):
        return self.process.pid

    def dropped(self):
        """Segments that had no room in its queues, since it was made."""
        answers = re.compile(r"^dropped (\d+)$", re.M)
        before = len(answers.findall(self.process.log()))
        self.process.signal(signal.SIGUSR1)
        return int(lib.wait_until(lambda: answers.findall(self.process.log())[before:],
                                  "the link's answer")[0])

    def change_rate(self):
        """To the second one that it was given."""
        self.process.signal(signal.SIGUSR2)
