#!/usr/bin/env python3
"""Reads from a finished program what cmake/hardening.cmake has asked for.

    tests/hardening/check.py PROGRAM…

What can be seen in the file itself (its segments, its notes, what it imports) is read there. What leaves no
mark of its own is read from the command lines that the compiler writes into the debugging information of
every compile unit: so the program must not be stripped. Exits with 1 and a sentence for each thing missing.
"""

import re
import subprocess
import sys

# Options of a compile unit, and what each does.
options = {
    "-fstack-protector-strong": "a canary in every function that has an array",
    "-fstack-clash-protection": "no step over the page that guards a stack",
    "-ftrivial-auto-var-init=zero": "no variable with what an earlier call has left",
}
options_of = {
    "X86-64": {"-fcf-protection=full": "indirect jumps land on marked places"},
    "AArch64": {"-mbranch-protection=standard": "indirect jumps land on marked places"},
}
# Imported symbols: a pattern, and what its absence says.
imports = {
    r"__stack_chk_fail": "no function checks a canary",
    r"__\w+_chk": "FORTIFY checks no call of the C library",
    r"_ZSt21__glibcxx_assert_failPKciS0_S0_": "_GLIBCXX_ASSERTIONS are off",
}
# Notes of the linker.
marks = {"X86-64": r"x86 feature:.*\bSHSTK\b", "AArch64": r"AArch64 feature:.*\bBTI\b"}


def readelf(program, *arguments):
    return subprocess.run(["readelf", "--wide", *arguments, program], check=True, text=True,
                          capture_output=True, errors="replace").stdout


def flaws_of_file(program, machine):
    """Yields the flaws of segments, notes and imports."""
    header = readelf(program, "--file-header")
    segments = readelf(program, "--program-headers")
    dynamic = readelf(program, "--dynamic")
    symbols = readelf(program, "--dyn-syms")
    if not re.search(r"Type:\s+DYN", header) or not re.search(r"FLAGS_1.*\bPIE\b", dynamic):
        yield "it is not position independent (PIE)"
    if "GNU_RELRO" not in segments:
        yield "it has no RELRO segment"
    if not re.search(r"FLAGS_1.*\bNOW\b", dynamic):
        yield "it binds lazily, so that its table of functions stays writable (no RELRO-now)"
    stack = re.search(r"GNU_STACK(?:\s+0x[0-9a-f]+){5}\s+([RWE ]+?)\s+[0-9]", segments)
    if stack is None or "E" in stack.group(1):
        yield "its stack is executable, or nothing says that it is not"
    for flags in re.findall(r"LOAD(?:\s+0x[0-9a-f]+){5}\s+([RWE ]+?)\s+0x", segments):
        if "W" in flags and "E" in flags:
            yield "a segment is writable and executable"
    if re.search(r"\(TEXTREL\)|\(RPATH\)|\(RUNPATH\)", dynamic):
        yield "it relocates its code, or brings its own path to libraries"
    for symbol, absence in imports.items():
        if not re.search(rf"\b{symbol}\b", symbols):
            yield f"{absence} ({symbol} is not imported)"
    if not re.search(marks[machine], readelf(program, "--notes")):
        yield f"it has no mark of control-flow protection ({marks[machine]})"


def flaws_of_units(program, machine):
    """Yields the flaws of the compilers' command lines."""
    units = readelf(program, "--debug-dump=info", "--dwarf-depth=1")
    producers = re.findall(r"DW_AT_producer\s*:.*?(GNU .*|clang .*|.*clang version .*)", units)
    # Units of link-time optimisation are of no source file: what they hold keeps its own file's options.
    compiled = [line for line in producers if not line.startswith(("GNU AS", "GNU GIMPLE"))]
    if not compiled:
        yield "no compile unit says how it was compiled: is it stripped?"
    for option, use in {**options, **options_of[machine]}.items():
        without = sum(option not in line for line in compiled)
        if without:
            yield f"{without} of {len(compiled)} compile units lack {option} ({use})"


def flaws(program):
    """Sentences; none if the program has everything."""
    machine = re.search(r"Machine:.*(X86-64|AArch64)", readelf(program, "--file-header"))
    if machine is None:
        return ["it is for a machine whose protections this test does not know"]
    return [*flaws_of_file(program, machine.group(1)), *flaws_of_units(program, machine.group(1))]


def main(programs):
    if not programs:
        sys.exit(__doc__)
    found = {program: flaws(program) for program in programs}
    for program, sentences in found.items():
        for sentence in sentences:
            print(f"{program}: {sentence}")
        if not sentences:
            print(f"{program}: hardened")
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
