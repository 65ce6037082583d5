"""The command line that the programs of bench share, and their way from it to the table."""

import argparse
import dataclasses
import os
import pathlib
import signal
import sys
from collections.abc import Callable

from lib import leftovers

from . import TOP, daemons, page, record, runner, table
from .results import Results
from .settings import Settings

BUILD = TOP / "build/release"
BUILD_IT = "build it: cmake --preset release && cmake --build --preset release"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclasses.dataclass(frozen=True)
class Bench:
    """What one program measures.

    scenarios(settings)    all of them, in their order; quick_names: those of --quick
    competitors(parser, flags, settings)    who takes part; may end the program by parser.error
    environment(settings, competitors), to_record(settings, scenarios, …)    see record.py
    """

    scenarios: Callable
    quick_names: tuple
    competitors: Callable
    environment: Callable
    to_record: Callable


def checked(parse):
    """An argparse type out of something that fails with ValueError."""
    def convert(text):
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return convert


def at_least(least, kind):
    """An argparse type: a number from `least` on."""
    def parse(text):
        value = kind(text)
        if not least <= value <= 100_000_000:
            raise ValueError(f"{text}: from {least} on")
        return value
    return checked(parse)


def words(text):
    """What stands between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def build_of(text):
    """`NAME=PATH` of a further Thalweg. Fails with ValueError."""
    daemon = daemons.parse(text)
    return daemon.name, daemon.words[0]


def our_program(parser, path):
    """Thalweg's; ends the program if it is not there."""
    ours = pathlib.Path(path).resolve()
    if not (ours.is_file() and os.access(ours, os.X_OK)):
        parser.error(f"{ours} is no program; {BUILD_IT} (or say --thalweg PATH)")
    return ours


def bench_programs(flags, ours):
    """The folder of bench_load and lab_bed: as said, beside ours, or where the release build is."""
    beside = ours.parent / "bench"
    return pathlib.Path(flags.programs or (beside if beside.is_dir() else BUILD / "bench")).resolve()


def need_programs(parser, paths):
    """Ends the program if one of bench's own is not there."""
    for path in paths:
        if not os.access(path, os.X_OK):
            parser.error(f"{path} is no program; {BUILD_IT} (or say --programs FOLDER)")


def relay_toml(parser, flags):
    """What is in the file of --relay-toml; ends the program if it cannot be read."""
    if not flags.relay_toml:
        return ""
    try:
        return pathlib.Path(flags.relay_toml).read_text(encoding="utf-8")
    except OSError as error:
        parser.error(f"--relay-toml: {error}")


def parser_of(name, doc, defaults=Settings):
    """A parser with the options that all have, and its groups: what, who, how. `defaults`: the settings of
    that program."""
    about, _, more = doc.partition("\n\n")
    parser = argparse.ArgumentParser(prog=name, description=about, epilog=more,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_argument_group("what to measure")
    what.add_argument("--list", action="store_true", help="print the scenarios, and end")
    what.add_argument("--only", type=words, default=[], metavar="SCENARIO[,..]",
                      help="these; * at the end stands for anything")
    what.add_argument("--quick", action="store_true", help="one run of a few scenarios, 3 s each")
    what.add_argument("--all", action="store_true", help="also what is measured on request only; see --list")
    what.add_argument("--runs", type=at_least(1, int), metavar="N", help=f"rounds ({defaults.runs})")
    what.add_argument("--seconds", type=at_least(1, float), metavar="S",
                      help=f"of a measurement ({defaults.seconds:g})")
    who = parser.add_argument_group("who competes")
    how = parser.add_argument_group("how")
    how.add_argument("--congestion", default="cubic", help="of TCP: cubic, bbr, … (cubic)")
    how.add_argument("--pin", action="store_true", help="programs to CPUs; else the scheduler decides")
    how.add_argument("--json", metavar="FILE", help="the whole run; -: to stdout instead of the table")
    how.add_argument("--html", metavar="FILE", help="the same as a page that opens without a network")
    return parser, what, who, how


def common_settings(flags, defaults):
    """The fields of settings that all have."""
    return {"runs": flags.runs or (1 if flags.quick else defaults.runs), "pin": flags.pin,
            "seconds": flags.seconds or (3 if flags.quick else defaults.seconds),
            "congestion": flags.congestion}


def _write(path, text):
    pathlib.Path(path).write_text(text, encoding="utf-8")


def _present(flags, result):
    if flags.html:
        _write(flags.html, page.to_page(result))
    if flags.json == "-":
        sys.stdout.write(record.to_text(result))
    else:
        if flags.json:
            _write(flags.json, record.to_text(result))
        sys.stdout.write(table.to_table(result))


def _ignore():
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _measured(settings, scenarios, found):
    """(results, number of the signal that ended it or None). Nothing that it made is left."""
    results, received = Results(), []

    def stop(number, _frame):
        received.append(number)
        _ignore()  # what is under way now is the cleaning up, which takes seconds
        raise KeyboardInterrupt
    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        runner.measure(settings, scenarios, found, results)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
    finally:
        _ignore()
        leftovers.remove_all()
    return results, received[0] if received else None


def run(bench, parser, flags, settings):
    """Does what the flags say; returns the exit code."""
    every = bench.scenarios(settings)
    if flags.list:
        for scenario in every:
            note = " (on request: --all or --only)" if scenario.on_request else ""
            print(f"{scenario.name:22} {scenario.about}; {scenario.kind.value}{note}")
        return 0
    try:
        scenarios = runner.choose(every, flags.only, flags.quick, flags.all, bench.quick_names)
    except ValueError as error:
        parser.error(str(error))
    found = bench.competitors(parser, flags, settings)
    if os.geteuid() != 0:
        parser.error("network namespaces need root")
    env = bench.environment(settings, found)
    results, signal_number = _measured(settings, scenarios, found)
    _present(flags, bench.to_record(settings, scenarios, found, results, env, signal_number is not None))
    if signal_number is not None:
        return 128 + signal_number
    return 0 if any(results.good(name, who) for name, by in results.runs.items() for who in by) else 1
