"""What several runs of one measurement come to."""

import dataclasses
import math
import statistics

WIDE = 0.25  # of the median, from the least to the most


def percentile(values, share):
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclasses.dataclass(frozen=True)
class Summary:
    """Of one metric. `shape` is "steady", "wide", or "two modes" with the middle of each."""

    median: float
    least: float
    most: float
    shape: str = "steady"
    modes: tuple = ()

    @property
    def spread(self):
        """From least to most, as a share of the median."""
        return (self.most - self.least) / abs(self.median) if self.median else 0.0

    def to_json(self):
        result = {"median": self.median, "min": self.least, "max": self.most, "spread": self.spread,
                  "shape": self.shape}
        return {**result, "modes": list(self.modes)} if self.modes else result


def summarize(values):
    """Of at least one value."""
    ordered = sorted(values)
    plain = Summary(statistics.median(ordered), ordered[0], ordered[-1])
    if plain.spread <= WIDE:
        return plain
    modes = _two_modes(ordered)
    return dataclasses.replace(plain, shape="two modes" if modes else "wide", modes=modes)


def _two_modes(ordered):
    """Two groups of at least two, with more than half of the range empty between them; else ()."""
    gaps = [(right - left, at) for at, (left, right) in enumerate(zip(ordered, ordered[1:]), 1)]
    widest, at = max(gaps)
    if widest <= (ordered[-1] - ordered[0]) / 2 or min(at, len(ordered) - at) < 2:
        return ()
    return (statistics.median(ordered[:at]), statistics.median(ordered[at:]))


def ratio(value, reference):
    """None where it means nothing."""
    return value / reference if value is not None and reference else None
