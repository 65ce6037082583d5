#!/usr/bin/env python3
"""The test of the test: check.py must miss each protection that probe.cc is built without."""

import pathlib
import platform
import subprocess
import tempfile
import unittest

import check

probe = pathlib.Path(__file__).with_name("probe.cc")
of_machine = {"x86_64": ["-fcf-protection=full", "-Wl,-z,ibt,-z,shstk"],
              "aarch64": ["-mbranch-protection=standard"]}
everything = ["-O2", "-g1", "-std=c++23", "-fPIE", "-pie", "-fstack-protector-strong",
              "-fstack-clash-protection", "-ftrivial-auto-var-init=zero", "-D_GLIBCXX_ASSERTIONS",
              "-D_FORTIFY_SOURCE=3", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack",
              *of_machine.get(platform.machine(), [])]


class Check(unittest.TestCase):
    def flaws(self, *, without=(), instead=()):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "probe"
            options = [option for option in everything if option not in without]
            subprocess.run(["g++", *options, *instead, "-o", program, probe], check=True)
            return "\n".join(check.flaws(str(program)))

    def test_nothing_is_missed_where_nothing_is_missing(self):
        self.assertEqual(self.flaws(), "")

    def test_what_is_left_out_is_named(self):
        cases = {
            ("-fstack-protector-strong", "-fno-stack-protector"): "no function checks a canary",
            ("-fstack-clash-protection", "-fno-stack-clash-protection"): "lack -fstack-clash-protection",
            ("-ftrivial-auto-var-init=zero", "-ftrivial-auto-var-init=uninitialized"):
                "lack -ftrivial-auto-var-init=zero",
            ("-D_GLIBCXX_ASSERTIONS", "-U_GLIBCXX_ASSERTIONS"): "_GLIBCXX_ASSERTIONS are off",
            ("-D_FORTIFY_SOURCE=3", "-U_FORTIFY_SOURCE"): "FORTIFY checks no call",
            ("-Wl,-z,relro", "-Wl,-z,norelro"): "no RELRO segment",
            ("-Wl,-z,now", "-Wl,-z,lazy"): "no RELRO-now",
            ("-Wl,-z,noexecstack", "-Wl,-z,execstack"): "its stack is executable",
            ("-pie", "-no-pie"): "not position independent",
            ("-g1", "-g0"): "no compile unit says how it was compiled",
        }
        if platform.machine() == "x86_64":
            cases["-fcf-protection=full", "-fcf-protection=none"] = "lack -fcf-protection"
            cases["-Wl,-z,ibt,-z,shstk", "-fcf-protection=full"] = "no mark of control-flow protection"
        for (left_out, instead), said in cases.items():
            with self.subTest(left_out):
                self.assertIn(said, self.flaws(without=[left_out], instead=[instead]))


if __name__ == "__main__":
    unittest.main()
