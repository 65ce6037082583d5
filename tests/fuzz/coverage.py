#!/usr/bin/env python3
"""usage: coverage.py BUILD [CORPORA]

Prints how many lines of the files that each fuzz target is about its corpus runs through. Those files
stand in a line of the target, below src/:  `// covers: wire/ip/ecn.cc wire/ip_*.cc`.

BUILD    a build with the option TW_COVERAGE (the preset `coverage`), whose target `fuzzers` is built
CORPORA  a folder with a corpus a target; without it tests/fuzz/corpus

Exits with 1 if a corpus cannot be replayed, or a file that a target names is not in its program."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "src")


class Failure(Exception):
    """What went wrong, for a person."""


def covers(target):
    """Returns the files that tests/fuzz/TARGET.cc is about."""
    with open(os.path.join(HERE, target + ".cc"), encoding="utf-8") as file:
        named = re.search(r"^// covers: (.+)$", file.read(), re.MULTILINE)
    if not named:
        raise Failure(f"tests/fuzz/{target}.cc has no line `// covers: …`: name the files it is about")
    files = [file for pattern in named.group(1).split()
             for file in sorted(glob.glob(pattern, root_dir=SOURCES)) or [pattern]]
    return [file for file in files if not file.endswith("_test.cc")]


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", **options)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no word"]
        raise Failure(f"{os.path.basename(command[0])} ended with {done.returncode}: {last[0]}")
    return done.stdout


def lines_of(program, corpus, files):
    """Yields (file, lines run, lines there are) of a replay of the corpus."""
    with tempfile.TemporaryDirectory() as folder:
        raw, profile = os.path.join(folder, "raw"), os.path.join(folder, "profile")
        run(program, corpus, env={**os.environ, "LLVM_PROFILE_FILE": raw})
        run("llvm-profdata-19", "merge", "-sparse", raw, "-o", profile)
        report = json.loads(run("llvm-cov-19", "export", "-summary-only", "-instr-profile", profile,
                                program))
    found = {os.path.realpath(one["filename"]): one["summary"]["lines"]
             for one in report["data"][0]["files"]}
    for file in files:
        lines = found.get(os.path.join(SOURCES, file))
        if lines is None:
            raise Failure(f"no line of src/{file} is in the program")
        yield file, lines["covered"], lines["count"]


def main(build, corpora=os.path.join(HERE, "corpus")):
    failed = False
    targets = sorted(name[:-3] for name in os.listdir(HERE) if name.endswith(".cc"))
    targets.remove("replay_corpus")
    for target in targets:
        program = os.path.join(build, "tests/fuzz/fuzz_" + target)
        try:
            for file, run_through, count in lines_of(program, os.path.join(corpora, target),
                                                     covers(target)):
                percent = 100 * run_through / max(count, 1)
                print(f"{target:<22} {percent:5.1f} % of {count:>4} lines  src/{file}")
        except (Failure, OSError) as failure:
            print(f"{target:<22} {failure}")
            failed = True
    return failed


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
