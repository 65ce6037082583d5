"""A long way between two hosts: `lab_bed link`, which has a rate, a delay and a queue each way."""

import os
import pathlib
import re
import signal

from .process import wait_until

# A hiccup of the machine must not look like a loss of the link.
QUEUE_PACKETS = 4096


def lab_bed():
    """The program of the build under test."""
    return pathlib.Path(os.environ["TW_BIN"]).parent / "bench/lab_bed"


def link_command(program, near, far, rate_mbps, rtt_ms, queue_ms, options=()):
    """Its command line. Devices are `to-LABEL` of the other host, as a veth's are."""
    ends = (near.name, f"to-{far.label}", far.name, f"to-{near.label}")
    words = (program, "link", *ends, rate_mbps, round(rtt_ms * 1000), queue_ms, *options)
    return [str(word) for word in words]


class Link:
    """Runs as long as `network`. `argv` is of link_command(); each end gets its address, with prefix."""

    def __init__(self, network, argv, near, far, addresses, mtu=None):
        self.process = network.start(argv, name="lab_bed")
        self.process.wait_log("^ready$")
        for host, other, address in ((near, far, addresses[0]), (far, near, addresses[1])):
            host.address(f"to-{other.label}", address, mtu=mtu)
            host.ip(f"link set to-{other.label} txqueuelen {QUEUE_PACKETS}")

    @property
    def pid(self):
        return self.process.pid

    def dropped(self):
        """Segments that had no room in its queues, since it was made."""
        answers = re.compile(r"^dropped (\d+)$", re.M)
        before = len(answers.findall(self.process.log()))
        self.process.signal(signal.SIGUSR1)
        return int(wait_until(lambda: answers.findall(self.process.log())[before:], "the link's answer")[0])

    def change_rate(self):
        """To the second one that it was given."""
        self.process.signal(signal.SIGUSR2)
