"""What was measured: every run of every scenario by everybody, and what the runs come to."""

from lib.statistics import ratio, summarize

MACHINE = "machine"  # in place of a daemon's name
OFFERED_ENOUGH = 99.0  # percent
QUIET = 0.1  # cores
BUSY = 0.9  # of a core: each end of bench_load is one thread


class Results:
    """Runs are dicts, {metric: number} or {"failed": why}."""

    def __init__(self):
        self.runs = {}  # scenario: competitor: list of runs

    def add(self, scenario, competitor, run):
        self.runs.setdefault(scenario, {}).setdefault(competitor, []).append(run)

    def good(self, scenario, competitor):
        """The runs that did not fail."""
        return [run for run in self.runs.get(scenario, {}).get(competitor, []) if "failed" not in run]

    def failures(self, scenario, competitor):
        """Why the others did."""
        return [run["failed"] for run in self.runs.get(scenario, {}).get(competitor, []) if "failed" in run]

    def metrics(self, scenario, competitor):
        """{metric: Summary} over the good runs, in the order in which the metrics were measured."""
        runs = self.good(scenario, competitor)
        names = list(dict.fromkeys(name for run in runs for name in run))
        return {name: summarize([run[name] for run in runs if name in run]) for name in names}

    def summary(self, scenario, competitor, metric):
        """None if nobody has measured it."""
        values = [run[metric] for run in self.good(scenario, competitor) if metric in run]
        return summarize(values) if values else None

    def median(self, scenario, competitor, metric):
        """The same."""
        found = self.summary(scenario, competitor, metric)
        return None if found is None else found.median

    def ratio(self, scenario, competitor, reference, metric):
        """Median against median; None where it means nothing."""
        return ratio(self.median(scenario, competitor, metric), self.median(scenario, reference, metric))

    def doubts(self, scenario, competitor):
        """Why the figures may be of something else than the daemon, one sentence each."""
        runs, doubts = self.good(scenario, competitor), []
        short = sum(run.get("generator_offered_share", 100.0) < OFFERED_ENOUGH for run in runs)
        if short:
            doubts.append(f"in {short} of {len(runs)} runs the load generator offered less than was asked "
                          "for: the CPU was short for it too")
        busy = sum(run.get("generator_busiest", 0.0) > BUSY for run in runs)
        if busy:
            doubts.append(f"in {busy} of {len(runs)} runs one end of the load generator had no time left: "
                          "the relay may do more")
        disturbed = sum(run.get("others_cpus", 0.0) > QUIET for run in runs)
        if disturbed:
            doubts.append(f"in {disturbed} of {len(runs)} runs the machine was busy before anything was "
                          "measured: its time is in the figures of the whole machine")
        return doubts

    def to_json(self, scenarios, reference):
        """One entry a scenario that ran; ratios are to the daemon called `reference`."""
        entries = []
        for scenario in scenarios:
            by_whom = self.runs.get(scenario.name)
            if by_whom is None:
                continue
            entry = {"name": scenario.name, "about": scenario.about, "results": {}}
            for competitor, runs in by_whom.items():
                summaries = self.metrics(scenario.name, competitor)
                result = {"metrics": {name: one.to_json() for name, one in summaries.items()}, "runs": runs,
                          "doubts": self.doubts(scenario.name, competitor)}
                if competitor not in (reference, MACHINE):
                    result["ratios"] = {name: self.ratio(scenario.name, competitor, reference, name)
                                        for name in summaries}
                entry["results"][competitor] = result
            entries.append(entry)
        return entries
