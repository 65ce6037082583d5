"""What Thalweg wants to reach over the whole path, in one table; the figures are against the competitor's."""


from lib.statistics import ratio

from .targets import Target

OTHER = "wireguard-go+haproxy"


def _against(metric, scenario, other_metric=None):
    return lambda median: ratio(median(scenario, metric), median(scenario, other_metric or metric, OTHER))


def _scaled(scenario):
    """Against a wireguard-go of 2025, where that of 2022 was measured."""
    return _against("pops_cpu_s_per_gb", scenario, "pops_scaled_cpu_s_per_gb")


COST = tuple((f"bulk-{streams}{way}{ending}", f"{words}, {about}{more}", value)
             for ending, more in (("", ""), ("-off", ", offloads off"))
             for streams, words, value in ((1, "one stream", 0.45), (4, "4 streams", 0.4),
                                           (32, "32 streams", 0.4))
             for way, about in (("", "down"), ("-up", "up")))
MORE = {"standard": 1.6, "thalweg": 2.0}  # of throughput, by the client's program


def targets_of(settings):
    """With hogs beside it nothing may be worse than the competitor."""
    if settings.competing:
        return tuple(_beside_hogs(settings))
    return tuple(_alone(MORE["thalweg" if settings.client == "thalweg" else "standard"]))


def _alone(more):
    for name, about, value in COST:
        yield Target(f"{about}: PoPs' CPU-s/GB against {OTHER}", "×", "≤", value,
                     _against("pops_cpu_s_per_gb", name))
        yield Target(f"{about}: the same, scaled to a wireguard-go of 2025", "×", "≤", value, _scaled(name))
        yield Target(f"{about}: throughput against {OTHER}", "×", "≥", more, _against("gbps", name))
    yield Target("round trips beside one stream, p99", "µs", "≤", 2000,
                 lambda median: median("rtt-bulk", "rtt_p99_us"))


def _beside_hogs(settings):
    for name, about, _value in COST:
        yield Target(f"{about}: throughput against {OTHER}", "×", "≥", 1.3, _against("gbps", name))
        yield Target(f"{about}: PoPs' CPU-s/GB against {OTHER}", "×", "≤", 1,
                     _against("pops_cpu_s_per_gb", name))
    for name in ("connect-1", f"connect-{settings.parallel}"):
        yield Target(f"{name}: connections a second against {OTHER}", "×", "≥", 1,
                     _against("connections_per_s", name))
    yield Target(f"round trips beside one stream, p99 against {OTHER}", "×", "≤", 1,
                 _against("rtt_p99_us", "rtt-bulk"))
