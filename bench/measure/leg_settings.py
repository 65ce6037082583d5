"""What a run of bench/legs was asked to do."""

import dataclasses
import pathlib

FIRST_BDPS = 2  # bandwidth-delay products that the first transfer brings, if it is not said


@dataclasses.dataclass(frozen=True)
class Settings:
    """`also`: further builds of Thalweg, (name, path) each. `more_toml` ends the [relay] table of the PoPs'
    files; that of `unpaced` too."""

    thalweg: str
    programs: pathlib.Path  # where the build's lab_bed is
    runs: int = 10
    seconds: float = 30.0
    begin: float | None = None  # of what counts, within `seconds`
    congestion: str = "cubic"
    pin: bool = False
    also: tuple = ()
    competing: int = 2  # CPU hogs, where the path has some
    rtt_ms: float = 215
    first_mb: float | None = None
    more_toml: str = ""
    commands: list = dataclasses.field(default_factory=list)  # what was run, for the record; see Hosts.note

    @property
    def from_s(self):
        """Windows have opened by then, whatever a transfer begins with."""
        return min(5.0, self.seconds / 3) if self.begin is None else self.begin

    @property
    def change_s(self):
        """When the rate of a path changes that has two."""
        return self.seconds / 3

    @property
    def bed_program(self):
        return self.programs / "lab_bed"
