"""What a run of bench/pop was asked to do."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Settings:
    """`also`: further builds of Thalweg, (name, path) each. `client`: the program of the client's tunnel, by
    path; "thalweg": the first Thalweg. `more_toml` ends the [relay] table of the PoPs' files."""

    thalweg: str
    programs: pathlib.Path  # where the build's bench_load and lab_bed are
    runs: int = 5
    seconds: float = 5.0
    warm_up: float = 1.0  # of one stream before anything is measured: PoPs run for days
    congestion: str = "cubic"
    pop_congestion: str = "cubic"
    pin: bool = False
    also: tuple = ()
    wireguard_go: str = "wireguard-go"
    client: str = "wireguard-go"
    parallel: int = 64  # connections at a time
    competing: int = 0  # CPU hogs beside everything
    rate_mbps: int = 2000  # of the emulated link
    queue_ms: int = 50  # that may wait for it, at that rate
    more_toml: str = ""
    commands: list = dataclasses.field(default_factory=list)  # what was run, for the record; see Hosts.note

    @property
    def load_program(self):
        return self.programs / "bench_load"

    @property
    def bed_program(self):
        return self.programs / "lab_bed"
