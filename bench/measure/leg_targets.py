"""What legs want to reach, in one table: as fast as legs that start as TCP does, and little sent again."""

from . import pairs
from .leg_nodes import REFERENCE
from .leg_paths import PATHS
from .targets import Target

METRIC = "leg_mbps"
LEAST_RATIO = 0.95  # of the lower bound
MOST_BDPS = 1  # resent at a path's first use
MOST_SHARE = 0.5  # percent resent later


def _most(scenario, metric):
    return lambda median: median(scenario, metric, part="most")


def targets():
    """Those of one competitor alone. Every run must meet them."""
    for path in PATHS:
        yield Target(f"{path.name}: resent at first use, most of all runs", "BDP", "≤", MOST_BDPS,
                     _most(path.name, "first_resent_bdps"))
        yield Target(f"{path.name}: resent later, most of all runs", "%", "≤", MOST_SHARE,
                     _most(path.name, "later_resent_share"))


def against_reference(results, competitor):
    """{scenario: Pairs} of every path that both have run."""
    found = {}
    for path in PATHS:
        by_whom = results.runs.get(path.name, {})
        if one := pairs.of_runs(by_whom.get(competitor, []), by_whom.get(REFERENCE, []), METRIC):
            found[path.name] = one
    return found


def checked_pairs(by_path):
    """Those of pairs, as check_targets() says the others. A single pair has no bound."""
    return [{"what": f"{name}: throughput against {REFERENCE}, lower 95 % bound of {len(one.ratios)} pairs",
             "unit": "×", "relation": "≥", "target": LEAST_RATIO, "figure": one.lower,
             "met": one.lower >= LEAST_RATIO}
            for name, one in by_path.items() if one.lower is not None]
