"""Between which PoPs legs are measured: the shapes of the emulated path."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Path:
    """`queue_ms` at `rate_mbps`. Data flows back over the link, from the last PoP to the first.

    link_options    further ones of lab_bed
    then_mbps       the rate from a third of a transfer on
    is_busy         hogs want the CPUs meanwhile
    far_pops        so many send to the first, through one link
    """

    name: str
    about: str
    rate_mbps: int = 200
    queue_ms: int = 40
    link_options: tuple = ()
    then_mbps: int = 0
    streams: int = 1
    is_busy: bool = False
    far_pops: int = 1

    def options(self):
        then = (f"--then-mbps={self.then_mbps}",) if self.then_mbps else ()
        return [*self.link_options, *then]

    def bdp_bytes(self, rtt_ms):
        """The bandwidth-delay product at the first rate."""
        return self.rate_mbps * 1e6 / 8 * rtt_ms / 1e3


# 200 Mbps with 40 ms of queue: 1 MB.
PATHS = (
    Path("wide", "1 Gbps, 50 ms of queue, and programs that burn the CPUs", 1000, 50, is_busy=True),
    Path("late-acks", "200 Mbps, 1 MB of queue; what goes to the sender arrives in lumps, 1 to 20 ms apart",
         link_options=("--onward-hold-us=1000-20000",)),
    Path("200M", "200 Mbps, 1 MB of queue"),
    Path("policer", "100 Mbps, policed: a bucket of 128 KB, no queue", 100,
         link_options=("--back-police-bytes=131072",)),
    Path("loss", "200 Mbps, 1 MB of queue, 0.1 % of the data's packets lost at random",
         link_options=("--back-loss-ppm=1000",)),
    Path("falls", "200 Mbps, 1 MB of queue, 20 Mbps after a third of the time", then_mbps=20),
    Path("rises", "20 Mbps, 1 MB of queue, 200 Mbps after a third of the time", 20, 400, then_mbps=200),
    Path("32", "200 Mbps, 1 MB of queue, 32 streams at once", streams=32),
    Path("two-to-one", "200 Mbps, 1 MB of queue, which two PoPs share that send to a third", far_pops=2),
)
