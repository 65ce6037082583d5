"""Statistics of several runs of one measurement: for tests and bench/. `base/statistics` has the same in
C++, and test_lab_bed.py compares them."""

import dataclasses
import math
import statistics

WIDE = 0.25  # of the median, from the least to the most


def nearest_rank(values, share):
    """The percentile as a value that occurred: the smallest that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


# 97.5 % points of Student's t by degrees of freedom, from 1 on.
T_POINTS = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
         2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
         2.045, 2.042)


def student_t(degrees):
    """The 97.5 % point for at least one degree of freedom. Beyond the table its last value, which makes
    intervals 4 % too wide at most."""
    return T_POINTS[min(degrees, len(T_POINTS)) - 1]


def mean_interval(values):
    """(mean, low, high): the interval holds the mean of what the values are a sample of, 95 % of the times
    (Student's t). Its bounds are None for a single value."""
    mean = statistics.fmean(values)
    if len(values) == 1:
        return mean, None, None
    half = student_t(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


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
    if plain.most - plain.least <= WIDE * abs(plain.median):
        return plain
    modes = _two_modes(ordered)
    if not modes and not plain.median:
        return plain  # nothing, but for a run or two
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
