"""One thing that is measured."""

import dataclasses
import enum
from collections.abc import Callable


class Kind(enum.Enum):
    """Whom a scenario measures."""

    DAEMON = "everybody"
    OURS = "thalweg only"
    MACHINE = "the machine"


@dataclasses.dataclass(frozen=True)
class Scenario:
    """`run(settings, daemon)` makes its hosts, measures, and returns {metric: number}; a failure is an
    exception. `seconds(settings)` is about how long it takes.

    once    in the first round only
    on_request    only if named by --only, or with --all: it takes minutes
    """

    name: str
    about: str
    run: Callable
    seconds: Callable
    kind: Kind = Kind.DAEMON
    once: bool = False
    on_request: bool = False

    def competitors(self, daemons):
        """Who runs it; None stands for the machine."""
        if self.kind is Kind.MACHINE:
            return [None]
        return [d for d in daemons if d.is_ours] if self.kind is Kind.OURS else list(daemons)
