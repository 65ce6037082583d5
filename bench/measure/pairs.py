"""What interleaved pairs of measurements come to: the ratio of the first to the second, and how sure it is.

Ratios are averaged as logarithms, so that twice as much and half as much cancel each other; the interval is
Student's, which needs no more than a few pairs.
"""

import dataclasses
import math
import statistics

# 97.5 % points of Student's t by degrees of freedom, from 1 on.
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
         2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
         2.045, 2.042)


def t_975(degrees):
    """Of at least one degree of freedom. Beyond the table its last value, which is a little too careful."""
    return T_975[min(degrees, len(T_975)) - 1]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """`lower` and `upper` are the bounds of the 95 % interval of the mean; None of a single pair."""

    ratios: tuple
    mean: float
    lower: float | None = None
    upper: float | None = None

    def to_json(self):
        return dataclasses.asdict(self)

    def text(self):
        """`0.99× (0.95–1.03, 95 % interval, 10 pairs)`."""
        if self.lower is None:
            return f"{self.mean:.3f}× (one pair)"
        interval = f"{self.lower:.3f}–{self.upper:.3f}, 95 % interval"
        return f"{self.mean:.3f}× ({interval}, {len(self.ratios)} pairs)"


def of_ratios(ratios):
    """Of at least one ratio above zero."""
    logs = [math.log(one) for one in ratios]
    mean = statistics.fmean(logs)
    if len(logs) == 1:
        return Pairs(tuple(ratios), math.exp(mean))
    half = t_975(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return Pairs(tuple(ratios), math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def of_runs(first, second, metric):
    """Round by round; rounds in which either has no such figure are left out. None if none is left."""
    both = [(one.get(metric), other.get(metric)) for one, other in zip(first, second)]
    ratios = [one / other for one, other in both if one and other]
    return of_ratios(ratios) if ratios else None
