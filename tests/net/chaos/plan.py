"""What the two ends of one connection do, drawn from a seed and the connection's number.

Both ends draw the same plan, so nothing needs to be said between them: not even which connection it is,
because each has a port of its own at the server.
"""

import dataclasses
import random

FIRST_PORT = 20_000
SIDES = ("client", "server")


@dataclasses.dataclass
class Stream:
    """What one side sends, in pieces: (bytes, pause before them in s, urgent)."""

    content: bytes
    pieces: list
    delay_s: float


@dataclasses.dataclass
class Reader:
    """How one side reads. It pauses `pause_s` before each of its first `pauses` reads."""

    receive_buffer: int | None  # bytes as SO_RCVBUF takes them; None: the system's
    read_bytes: int
    pauses: int
    pause_s: float
    delay_s: float


@dataclasses.dataclass
class Reset:
    """`side` resets when it has sent, or received, so many bytes."""

    side: str
    after: str  # "sent" or "received"
    offset: int


@dataclasses.dataclass
class Plan:
    version: int  # of IP
    send: dict  # side: Stream
    read: dict  # side: Reader
    last: str | None  # a side that begins to send only after the other's end; None: both at once
    reset: Reset | None


def port_of(index):
    return FIRST_PORT + index


def _size(dice):
    low, high = dice.choices([(0, 0), (1, 1), (2, 1_000), (1_000, 100_000), (100_000, 1_000_000),
                              (1_000_000, 4_000_000)], [10, 5, 31, 35, 16, 3])[0]
    return dice.randint(low, high)


def _pieces(dice, size):
    """Writes of one connection are alike: all tiny, all large, or of any size. At most some 300."""
    floor = max(1, size // 300)
    ceiling = max(floor, dice.choice([1, 10, 1_000, 1_400, 50_000, 1_000_000]))
    with_pauses = dice.random() < 0.4
    urgent = dice.random() < 0.15
    pieces, left, pauses = [], size, 10
    while left > 0:
        count = min(left, dice.randint(floor, ceiling))
        pause_s = 0.0
        if with_pauses and pauses > 0 and dice.random() < 0.2:
            pause_s, pauses = dice.uniform(0, 0.15), pauses - 1
        # An urgent byte is the last of its write.
        pieces.append((count, pause_s, urgent and dice.random() < 0.2))
        left -= count
    return pieces


def _reader(dice, size):
    buffers = [None, None, 65_536]
    if size <= 500_000:
        buffers.append(8_192)
    if size <= 20_000:
        buffers += [1_152, 1_152]  # the kernel's least, twice of which it takes
    slow = dice.random() < 0.3
    return Reader(receive_buffer=dice.choice(buffers),
                  read_bytes=dice.choice([4_096, 65_536, 1 << 20 if size > 100_000 else 100]),
                  pauses=dice.randint(1, 20) if slow else 0, pause_s=dice.uniform(0, 0.1),
                  delay_s=dice.choice([0, 0, 0, 0.01, 0.3, 1.0]))


def rough(seed, index):
    """Anything that may happen to a connection, over within seconds."""
    dice = random.Random(f"{seed}/{index}")
    sizes = {side: _size(dice) for side in SIDES}
    send = {side: Stream(dice.randbytes(sizes[side]), _pieces(dice, sizes[side]),
                         dice.choice([0, 0, 0, 0.01, 0.2, 0.8])) for side in SIDES}
    read = {"client": _reader(dice, sizes["server"]), "server": _reader(dice, sizes["client"])}
    reset = None
    if dice.random() < 0.25:
        side = dice.choice(SIDES)
        after = dice.choice(["sent", "received"])
        sender = side if after == "sent" else SIDES[side == "client"]
        reset = Reset(side, after, dice.randint(0, sizes[sender]))
    return Plan(version=dice.choice([4, 6]), send=send, read=read,
                last=dice.choice([None, None, *SIDES]), reset=reset)


def _trickle(dice, pieces):
    """Bytes all the time, 0.1 s from one piece to the next."""
    size = dice.randint(1, 4_000)
    return Stream(dice.randbytes(pieces * size), [(size, 0.1, False)] * pieces, 0)


def _calm(dice, send):
    read = {side: Reader(None, 65_536, 0, 0, 0) for side in SIDES}
    return Plan(version=dice.choice([4, 6]), send=send, read=read, last=None, reset=None)


def held(seed, index):
    """A connection that would last for a minute: for what happens to those that are alive. Some move
    bytes both ways, some one way, some are silent after the first byte."""
    dice = random.Random(f"{seed}/held/{index}")
    silent = Stream(b"xx", [(1, 0, False), (1, 600, False)], 0)
    send = {side: _trickle(dice, 600) if index % 4 in busy else silent
            for side, busy in (("client", (1, 2)), ("server", (2, 3)))}
    return _calm(dice, send)


def steady(seed, index):
    """A connection of five seconds that must get through: for an outage that passes."""
    dice = random.Random(f"{seed}/steady/{index}")
    return _calm(dice, {side: _trickle(dice, 50) for side in SIDES})


KINDS = {"rough": rough, "held": held, "steady": steady}
