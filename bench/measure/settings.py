"""What a run was asked to do."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Settings:
    """Rates are in bits a second."""

    thalweg: str
    runs: int = 5
    seconds: float = 5.0
    congestion: str = "cubic"
    pin: bool = False
    udp_rates: tuple = (200e6, 500e6, 1e9)
    load: float = 3e9  # of all peers together
    flood_load: float = 300e6
    flood_pps: int = 100_000
    rekey_seconds: float = 150.0  # sessions are renewed after 120
    commands: list = dataclasses.field(default_factory=list)  # what was run, for the record; see Bed.note
    programs: pathlib.Path | None = None  # where the build's bench_limits is


def parse_rate(text):
    """`200M`, `1.5G`, `64k` in bits a second. Fails with ValueError."""
    scale = {"k": 1e3, "M": 1e6, "G": 1e9}
    digits, factor = (text[:-1], scale[text[-1]]) if text[-1:] in scale else (text, 1)
    value = float(digits) * factor
    if not 1e3 <= value <= 1e12:
        raise ValueError(f"{text!r}: not a rate between 1k and 1000G")
    return value


def rate_name(value):
    """The shortest way to write it: `200M`, `1.5G`."""
    for letter, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:g}{letter}"
    return f"{value:g}"
