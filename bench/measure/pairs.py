"""What interleaved pairs of measurements come to: the ratio of the first to the second, and how sure it is.

Ratios are averaged as logarithms, so that twice as much and half as much cancel each other; the interval is
Student's, which needs no more than a few pairs.
"""

import dataclasses
import math

from lib.statistics import mean_interval


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
    mean, *bounds = mean_interval([math.log(one) for one in ratios])
    return Pairs(tuple(ratios), math.exp(mean), *(one if one is None else math.exp(one) for one in bounds))


def of_runs(first, second, metric):
    """Round by round; rounds in which either has no such figure are left out. None if none is left."""
    both = [(one.get(metric), other.get(metric)) for one, other in zip(first, second)]
    ratios = [one / other for one, other in both if one and other]
    return of_ratios(ratios) if ratios else None
