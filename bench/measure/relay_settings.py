"""What a run of bench/relay was asked to do."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Settings:
    """`load_program` is the build's bench_load; `more_toml` ends the [relay] table of Thalweg's file, where
    `governor` is the worker's, if it is not the default. `stateful`: each relay's host has a firewall."""

    thalweg: str
    load_program: pathlib.Path
    runs: int = 5
    seconds: float = 5.0
    congestion: str = "cubic"
    pin: bool = False
    parallel: int = 64  # connections at a time
    idle: int = 9000  # connections that are held
    bulk_bytes: int = 1_000_000  # that each of them fetches
    more_toml: str = ""
    governor: str = ""
    stateful: bool = False
    commands: list = dataclasses.field(default_factory=list)  # what was run, for the record; see Hosts.note
