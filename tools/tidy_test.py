#!/usr/bin/env python3
"""Shows each rule of `tools/tidy` firing on the smallest text that breaks it, and staying silent on
its nearest innocent neighbour."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent


def load_tidy():
    loader = importlib.machinery.SourceFileLoader("tidy", str(HERE / "tidy"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("tidy", loader))
    loader.exec_module(module)
    return module


tidy = load_tidy()
LAYERS = tidy.tidy_cpp.read_layers(
    "base:\nwire:\ncrypto:\nwg: wire crypto  # a comment\nlane: wg wire\nnode: lane\n")


def findings(path, text):
    return [str(f) for f in tidy.check_source(tidy.Source(path, text), LAYERS)]


class Rules(unittest.TestCase):
    def refused(self, path, text, what, line=1):
        """Exactly one finding, at that line, that says `what`."""
        found = findings(path, text)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{path}:{line}: "), found)
        self.assertIn(what, found[0])

    def accepted(self, path, text):
        self.assertEqual(findings(path, text), [])

    def test_include_edges(self):
        self.refused("src/wg/a.cc", '\n#include "lane/b.h"\n', "wg may not include lane", 2)
        self.refused("src/wg/a.cc", '#include "b.h"\n', 'write it as "folder/file.h"')
        self.refused("src/wg/a.cc", '#include "nowhere/b.h"\n', 'write it as "folder/file.h"')
        self.accepted("src/wg/a.cc", '#include "base/b.h"\n#include "wg/a.h"\n#include "wire/c.h"\n')

    def test_each_library_has_its_folder(self):
        homes = {"openssl/evp.h": "crypto", "sodium.h": "crypto", "toml++/toml.h": "node",
                 "nlohmann/json.hpp": "node", "prometheus/counter.h": "node", "netlink/netlink.h": "machine",
                 "cap-ng.h": "machine", "seccomp.h": "node",
                 "CLI/CLI.hpp": "cli", "spdlog/spdlog.h": "base", "bpf/libbpf.h": "port"}
        for header, home in homes.items():
            self.accepted(f"src/{home}/a.cc", f"#include <{header}>\n")
            self.refused("src/wg/a.cc", f"#include <{header}>\n", "belongs to src/")
        self.refused("src/wg/a.cc", "#include <gtest/gtest.h>\n", "belongs to *_test.cc")
        self.accepted("src/wg/a_test.cc", "#include <gtest/gtest.h>\n")
        self.accepted("src/wg/test_a.h", "// One.\n// Two.\n#pragma once\n#include <gtest/gtest.h>\n")
        self.accepted("src/node/a.cc", "#include <linux/netlink.h>\n")

    def test_banned_calls(self):
        for call in ("strcpy(a, b)", "sprintf(a, b)", "system(a)", "std::system(a)", "popen(a, b)", "rand()",
                     "std::rand()", "::rand()", "atoi(a)", "strtok(a, b)", "alloca(n)"):
            self.refused("src/wg/a.cc", f"\nint x = {call};\n", " — ", 2)
        for call in ("Error::system(a)", "error.system(a)", "operand(a)", "snprintf(a, n)", "file_system(a)"):
            self.accepted("src/wg/a.cc", f"int x = {call};\n")

    def test_banned_words(self):
        self.refused("src/wg/a.cc", "void f() { throw 1; }\n", "return a Result")
        self.refused("src/wg/a.cc", "using namespace std;\n", "name what is used")
        self.refused("src/exec/a.cc", "void f() { thread.detach(); }\n", "join it")
        self.accepted("src/exec/a.cc", "void f() { context.detach(poller); }\n")
        self.accepted("src/node/endpoints/endpoint_resolver.cc", "void f() { thread.detach(); }\n")
        self.refused("src/wg/a.cc", "#define A 1\n", "macro")
        self.accepted("src/base/assert.h", "// Why.\n#pragma once\n#define A 1\n")
        self.refused("src/wg/a.cc", "// TO" "DO: later\n", "unfinished mark")
        self.accepted("src/wg/a.cc", 'auto name = "file.X' 'XXXXX";\n')
        self.refused("src/wg/a.cc", "class PeerManager {};\n", "says nothing")
        self.refused("src/wg/wg_utils.cc", "", "file name that says nothing")

    def test_comments_and_literals_are_not_code(self):
        self.accepted("src/wg/a.cc", "// throw\n/* rand() */ auto a = \"throw\";\n")
        self.accepted("src/wg/a.cc", "auto b = R\"x(throw \")x\";\n")
        self.refused("src/wg/a.cc", "auto a = '\"'; int b = rand();  // \"\n", "hidden global randomness")
        self.refused("src/wg/a.cc", "auto a = 1'000; int b = rand(); int c = 2'0;\n", "hidden global")

    def test_secrets_and_sleeps(self):
        self.refused("src/crypto/a.cc", "int x = std::memcmp(a, b, 16);\n", "constant-time")
        self.accepted("src/wire/a.cc", "int x = std::memcmp(a, b, 16);\n")
        self.refused("src/wg/a_test.cc", "void f() { usleep(1); }\n", "inject the clock")
        self.refused("src/wg/a_test.cc", "void f() { std::this_thread::sleep_for(x); }\n", "inject the clock")
        self.refused("tests/net/test_a.py", "import time\ntime.sleep(1)\n", "wait_until", 2)

    def test_headers(self):
        self.refused("src/wg/a.h", "// Why.\nint x;\n", "no #pragma once")
        self.refused("src/wg/a.h", "#pragma once\n", "opens without its idea")

    def test_paths_of_one_machine(self):
        self.refused("docs/a.md", "see /ro" "ot/x\n", "path of one machine")
        self.refused("docs/a.md", "see /ho" "me/somebody/x\n", "path of one machine")
        self.accepted("docs/a.md", "see /proc/net, ~/x, src/root/x and $HOME/x\n")
        self.refused("src/wg/a.cc", 'auto a = "/t' 'mp/x";\n', "shared folder")
        machine = tidy.machine_paths(["usr", "data"])
        for text, count in (("/data/x", 1), ("cp '/data/x'", 1), ("/usr/x /var/data/x metadata/x", 0)):
            source = tidy.Source("docs/a.md", text)
            self.assertEqual(len(list(tidy.check_text(source, machine))), count, text)

    def test_fuzz_targets(self):
        self.accepted("tests/fuzz/a.cc", "// link: tw_wire\n// covers: wire/ip/ecn.cc wire/ip/ip_*.cc\n")
        self.refused("tests/fuzz/a.cc", "// link: tw_wire\n", "does not say what it is about")
        self.refused("tests/fuzz/a.cc", "// link: tw_wire\n// covers: wire/ip/ecn.cc wire/absent.cc\n",
                     "src/wire/absent.cc is not there", 2)
        self.accepted("tests/fuzz/replay_corpus.cc", "// Feeds files.\n")


class Sizes(unittest.TestCase):
    def lines_of(self, found):
        return [finding.split(": ", 1)[1] for finding in found]

    def test_files(self):
        self.assertEqual(findings("src/wg/a.cc", "\n" * 500), [])
        self.assertIn("look: file of 501", findings("src/wg/a.cc", "\n" * 501)[0])
        self.assertIn(":801: file of 801", findings("src/wg/a.cc", "\n" * 801)[0])

    def test_lines(self):
        self.assertEqual(findings("src/wg/a.cc", "// " + "ä" * 97 + "\n"), [])
        self.assertIn("line of 101", findings("src/wg/a.cc", "// " + "x" * 98 + "\n")[0])
        self.assertIn("line of 111", findings("scripts/a", "#!/bin/sh\n# " + "x" * 109 + "\n")[0])

    def test_functions(self):
        body = "  f();\n" * 59
        for head in ("void f() {", "int T::f(int a) const noexcept {", "T::T(int a) : a_{a}, b_(1) {",
                     "template <class T>\nauto f(T a) -> int {",
                     "struct A {\n  int x{};\n public:\n  void f() {",
                     "namespace {\nclass A final : public B {\n  A() : B{1} {"):
            for extra in ("", "  g();\n"):
                tail = "}\n" * (head.count("{\n") + 1)
                found = findings("src/wg/a.cc", f"{head}\n{body[:-7]}{extra}{tail}")
                long = extra != "" or head.startswith("template")
                self.assertEqual([f for f in found if "function" in f] != [], long, (head, found))
        self.assertEqual(findings("src/wg/a_test.cc", f"void f() {{\n{body}{body}}}\n"), [])

    def test_long_tables_and_types_are_not_functions(self):
        rows = "  {f(1), 2},\n" * 100
        for head, tail in (("constexpr std::array<T, 9> rows = {{", "}};"), ("const T rows[] = {", "};"),
                           ("enum class A : int {", "};"), ("class alignas(64) A {", "};"),
                           ("template <class T>\nstruct A {", "};")):
            self.assertEqual(findings("src/wg/a.cc", f"{head}\n{rows}{tail}\n"), [])

    def test_python_functions(self):
        self.assertIn("function f of 61", findings("tools/a.py", "def f():\n" + "    g()\n" * 60)[0])


class Comments(unittest.TestCase):
    def test_a_comment_names_its_subject(self):
        for first in ("/// What it takes.", "// Of all.", "  // Whose it is.", "///< Whether so."):
            found = findings("src/wg/a.cc", f"int a;\n{first}\nint b;\n")
            self.assertIn("name its subject", found[0], first)
        for text in ("// Returns what\n// Of all is one\n", "// Whatever.\n", 'auto a = "// What is";\n'):
            self.assertEqual(findings("src/wg/a.cc", text), [])


class Tree(unittest.TestCase):
    def test_rooms(self):
        def found(units):
            names = [f"a{number}{end}" for number in range(units) for end in (".h", ".cc", "_test.cc")]
            return list(tidy.check_rooms([tidy.Source(f"src/wg/{name}", "") for name in names]))

        self.assertEqual(found(20), [])
        self.assertIn("21 units", str(found(21)[0]))

    def test_fixtures(self):
        def found(header, *users):
            include = f'#include "{header[4:]}"\n'
            sources = [tidy.Source(path, include) for path in users] + [tidy.Source(header, "")]
            return [str(finding) for finding in tidy.check_fixtures(sources)]

        self.assertIn("test_x.h", found("src/wg/link_for_test.h", "src/wg/a_test.cc")[0])
        self.assertIn("test_x.h", found("src/wg/pair.h", "src/wg/test_peers.h", "tests/fuzz/a.cc")[0])
        self.assertEqual(found("src/wg/test_pair.h", "src/wg/a_test.cc"), [])
        self.assertEqual(found("src/wg/a.h", "src/wg/a_test.cc", "src/wg/b.cc"), [])
        self.assertEqual(found("src/wg/a.h", "src/wg/a_test.cc", "src/wg/a.cc"), [])
        self.assertEqual(found("src/wg/a.h", "bench/a.cc"), [])

    def test_a_class_lives_in_one_file(self):
        def found(*texts):
            sources = [tidy.Source(f"src/wg/a{number}.cc", text) for number, text in enumerate(texts)]
            return [str(finding) for finding in tidy.tidy_cpp.check_classes(sources)]

        first = "namespace tw {\nA::A() : b_{1} {\n}\n"
        second = "namespace tw {\nint\nA::c(D::E e) const {\n}\n"
        self.assertIn("src/wg/a1.cc:2: tw::A has members in src/wg/a0.cc too", found(first, second)[0])
        for member in ("A& A::operator=(A&& a) {", "std::map<B, C::D> A::f() {", "A::~A() {",
                       "template <class T>\nvoid A<T>::f(T t) {", "A::operator bool() {"):
            self.assertEqual(len(found(first, f"namespace tw {{\n{member}\n}}\n")), 1, member)
        for other in ("namespace tw {\nA::B::B() {\n}\n", "namespace tw::wg {\nA::A() {\n}\n",
                      "namespace tw {\nB b(A::C c) {\nreturn A::d();\n}\n",
                      "namespace tw {\nstruct A {\nvoid f();\n};\nvoid A::f() {\n}\n",
                      "namespace tw {\nA a{B::c(1)};\n// void A::f() {}\n"):
            self.assertEqual(found(first, other), [], other)
        test = tidy.Source("src/wg/a_test.cc", second)
        self.assertEqual(list(tidy.tidy_cpp.check_classes([tidy.Source("src/wg/a.cc", first), test])), [])

    def test_readmes(self):
        code = tidy.Source("src/wg/a.cc", "")
        found = list(tidy.check_readmes([code]))
        self.assertIn("src/wg/README.md:1: missing", str(found[0]))
        found = list(tidy.check_readmes([code, tidy.Source("src/wg/README.md", "\n" * 31)]))
        self.assertIn("cut it to 30", str(found[0]))
        self.assertEqual(list(tidy.check_readmes([code, tidy.Source("src/wg/README.md", "\n" * 30)])), [])

    def test_layers(self):
        self.assertEqual(list(tidy.check_layers(LAYERS, {"wg", "base"})), [])
        self.assertIn("has no line", str(next(tidy.check_layers(LAYERS, {"new"}))))
        self.assertIn("each other", str(next(tidy.check_layers({"a": {"b"}, "b": {"a"}}, set()))))

    def test_whole_tree(self):
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder)
            for path, text in {"tools/layers.txt": "base:\n", "src/base/README.md": "# base\n",
                               ".clang-format": "BasedOnStyle: Google\n",
                               "src/base/good.cc": "int x = 1;\n", "src/base/bad.cc": "int y=1;\n",
                               "build/ignored.cc": "throw;\n"}.items():
                (top / path).parent.mkdir(parents=True, exist_ok=True)
                (top / path).write_text(text, encoding="utf-8")
            found = [str(f) for f in tidy.check_tree(top)]
            self.assertEqual(len(found), 1, found)
            self.assertTrue(found[0].startswith("src/base/bad.cc:1: not formatted — run"), found)


if __name__ == "__main__":
    unittest.main()
