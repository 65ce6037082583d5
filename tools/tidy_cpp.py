"""The rules of `tools/tidy` for C and C++ text. They read characters, not a syntax tree: fast, and
wrong only where code is written to confuse. Comments and literals are blanked before they look.
"""

import dataclasses
import re

LONGEST_FUNCTION = 60
COLUMNS = 100

# Which folders of src/ may see a library. All others reach it through those folders' own headers.
LIBRARIES = (
    (r"openssl/|sodium(\.h|/)|intel-ipsec-mb\.h", {"crypto"}),
    (r"toml\+\+/|toml\.h", {"node"}),
    (r"nlohmann/", {"node", "lab", "cli"}),
    (r"prometheus/", {"node"}),
    (r"netlink/", {"machine"}),
    (r"cap-ng\.h", {"machine"}),
    (r"seccomp\.h", {"node"}),
    (r"bpf/(lib)?bpf\.h", {"port"}),
    (r"CLI/", {"cli"}),
    (r"spdlog/", {"base"}),
    (r"g(test|mock)/", set()),  # tests only
)

# What is called, and what to call instead. A name of another scope (`Error::system(`) is not meant.
BANNED_CALLS = (
    (r"strcpy|strcat|stpcpy|sprintf|vsprintf|gets", "unbounded write — use std::string, fmt or std::span"),
    (r"system|popen", "a shell — start the program by an argument vector"),
    (r"rand|srand|drand48", "hidden global randomness — take a tw::Random (base/random.h)"),
    (r"atoi|atol|atoll|atof", "parses without telling errors — use std::from_chars"),
    (r"strtok|localtime|gmtime|strerror|inet_ntoa", "static storage — use the _r form or our type"),
    (r"alloca", "unbounded stack — use a bounded std::array"),
)
SLEEPS = re.compile(r"\b(?:sleep|usleep|nanosleep|clock_nanosleep|sleep_for|sleep_until)\s*\(")
BANNED_TEXT = (
    (re.compile(r"\bthrow\b"), "throw — return a Result"),
    (re.compile(r"\busing\s+namespace\s+std\s*;"), "using namespace std — name what is used"),
    (re.compile(r"\b(?:class|struct|enum class)\s+\w*(?:Manager|Helper|Utils?)\b"),
     "a name that says nothing — use the field's word"),
)
DETACH = re.compile(r"(?:\.|->)detach\s*\(\s*\)")
# Nothing interrupts getaddrinfo(3), and a process that ends must not wait for silent name servers.
MAY_DETACH = "src/node/endpoints/endpoint_resolver.cc"
# A comment that begins so is half a sentence: it hides its subject.
HEADLESS_COMMENT = re.compile(r"\s*//+<?\s*(What|Of|Who|Whose|Whether|How|Which|Those)\s")
BANNED_FILE_NAME = re.compile(r"(^|_)(manager|helpers?|utils?|misc|common)(_|\.|$)")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the report. Warnings are printed but do not fail."""

    path: str
    line: int
    text: str
    warning: bool = False

    def __str__(self):
        return f"{self.path}:{self.line}: {'look: ' if self.warning else ''}{self.text}"


class Source:
    """A file's text by its path in the project, and what kind of file that makes it."""

    def __init__(self, path, text):
        self.path, self.text, self.lines = path, text, text.splitlines()
        name = path.rsplit("/", 1)[-1]
        self.name = name
        self.folder = path.split("/")[1] if path.startswith("src/") and path.count("/") > 1 else None
        self.is_cpp = name.endswith((".h", ".cc", ".bpf.c"))
        self.is_python = name.endswith(".py") or (self.lines[:1] and "python" in self.lines[0]
                                                  and self.lines[0].startswith("#!"))
        self.is_script = self.is_python or text.startswith("#!")
        self.is_unit_test = name.endswith("_test.cc")
        self.may_use_gtest = self.is_unit_test or re.fullmatch(r"test_.*\.h", name)
        self.is_test = self.is_unit_test or (path.startswith("tests/")
                                             and not path.startswith("tests/net/lib/"))


def find_all(source, pattern, text, what):
    """A finding for each match of pattern in text, whose lines are those of the source."""
    for match in pattern.finditer(text):
        yield Finding(source.path, text.count("\n", 0, match.start()) + 1, what)


def read_layers(text):
    """`folder: allowed…` lines as {folder: set of folders}."""
    layers = {}
    for line in text.splitlines():
        folder, colon, allowed = line.partition("#")[0].partition(":")
        if colon:
            layers[folder.strip()] = set(allowed.split())
    return layers


TOKENS = re.compile(
    r'//[^\n]*(?:\\\n[^\n]*)*|/\*.*?\*/'
    r'|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.S)


def blank(text):
    """The text with comments gone and literals empty; every line keeps its number."""
    def replace(match):
        token = match.group(0)
        lines = "\n" * token.count("\n")
        return lines if token.startswith("/") else '""' + lines
    return TOKENS.sub(replace, text)


def check_includes(source, layers):
    allowed = layers.get(source.folder, set()) | {"base", source.folder}
    for number, line in enumerate(source.lines, 1):
        include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
        if not include:
            continue
        mark, header = include.groups()
        for pattern, folders in LIBRARIES:
            if not re.match(pattern, header) or source.folder in folders:
                continue
            if header.startswith(("gtest/", "gmock/")) and source.may_use_gtest:
                continue
            home = ", ".join(f"src/{f}" for f in sorted(folders)) or "*_test.cc or test_*.h"
            yield Finding(source.path, number, f"<{header}> belongs to {home} — use what that offers")
        if mark == '"' and source.folder:
            target = header.split("/")[0]
            if "/" not in header or target not in layers:
                yield Finding(source.path, number, f'"{header}" — write it as "folder/file.h"')
            elif target not in allowed:
                yield Finding(source.path, number, f"{source.folder} may not include {target} — turn the "
                                                   "dependency round (edges: tools/layers.txt)")


def skip_template(head):
    """Removes `template <…>` and attributes, whose words would mislead."""
    while (start := re.search(r"\btemplate\s*<", head)) is not None:
        depth, end = 1, start.end()
        while end < len(head) and depth:
            depth += {"<": 1, ">": -1}.get(head[end], 0)
            end += 1
        head = head[:start.start()] + head[end:]
    return re.sub(r"\balignas\s*\([^)]*\)|\[\[[^\]]*\]\]", "", head)


def kind_of_block(head):
    """What the brace after `head` opens outside of functions: scope, function, initializer, other."""
    head = skip_template(head).strip()
    if re.match(r"(inline\s+)?(namespace|extern)\b", head) or head == "":
        return "scope"
    if re.match(r"(typedef\s+|static\s+)*(class|struct|union|enum)\b[^()]*$", head):
        return "scope"
    if head.endswith(("(", ",", "=", "return")) or "(" not in head:
        return "initializer"
    # A constructor's `: member_{…}, other_{…} {`: only the brace after a bracket opens the body.
    if re.search(r"\)\s*(noexcept\s*)?:(?!:)", head) and re.search(r"[\w>]$", head):
        return "initializer"
    return "function"


def function_heads(code):
    """(first line, last line, head) of each function; lambdas count as part of what holds them."""
    code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: "\n" * m.group(0).count("\n"), code, flags=re.M)
    stack, head_start, line = [], 0, 1
    for index, character in enumerate(code):
        if character == "\n":
            line += 1
        elif character == "{":
            head = code[head_start:index]
            kind = "nested" if stack and stack[-1][0] != "scope" else kind_of_block(head)
            lead = head[:len(head) - len(head.lstrip())].count("\n")
            stack.append((kind, line - head.count("\n") + lead, head))
            if kind in ("scope", "function"):
                head_start = index + 1
        elif character == "}" and stack:
            kind, first, head = stack.pop()
            if kind == "function":
                yield first, line, skip_template(head)
            if kind in ("scope", "function"):
                head_start = index + 1
        elif character == ";" and (not stack or stack[-1][0] == "scope"):
            head_start = index + 1
        elif character == ":" and re.search(r"\b(public|private|protected)\s*$", code[head_start:index]):
            head_start = index + 1


def functions(code):
    """(first line, last line, name) of each function."""
    for first, last, head in function_heads(code):
        name = re.search(r"([\w:~]+|operator\W+)\s*\(", head)
        yield first, last, name.group(1) if name else "?"


# `A::B::name(`, whose class is A::B. Namespaces are written in lower case.
MEMBER = re.compile(r"(?<![\w:])((?:[a-z_]\w*::)*)((?:[A-Z]\w*(?:<[^<>]*>)?::)+)"
                    r"(?:operator[^(]*|~?\w+)\s*\(")


def classes_defined(source):
    """{class: line of the first} of the classes that have member functions defined in this .cc,
    but for those that it declares itself."""
    code = blank(source.text)
    namespace = re.search(r"^namespace ([\w:]+)", code, re.M)
    found = {}
    for first, _, head in function_heads(code):
        member = MEMBER.search(head)
        if member:
            name = re.sub(r"<[^<>]*>", "", member.group(2)).removesuffix("::")
            if not re.search(rf"\b(?:class|struct|union)\s+{name}\b[^;{{()]*{{", code):
                found.setdefault(f"{namespace.group(1) if namespace else ''}::{name}", first)
    return found


def check_classes(sources):
    """A class's member functions are defined in one .cc; a nested class counts as one of its own."""
    homes = {}
    for source in sources:
        if source.path.endswith(".cc") and not source.is_test:
            for name, line in classes_defined(source).items():
                homes.setdefault(name, []).append((source.path, line))
    for name, places in sorted(homes.items()):
        first = places[0][0]
        for path, line in places[1:]:
            yield Finding(path, line, f"{name} has members in {first} too — divide it by subject into "
                                      "classes, each in one .cc")


def check_shape(source, code):
    for number, line in enumerate(source.lines, 1):
        if len(line) > COLUMNS and "://" not in line:
            yield Finding(source.path, number, f"line of {len(line)} columns — break it (at most {COLUMNS})")
    if not source.is_test:
        for first, last, name in functions(code):
            if last - first + 1 > LONGEST_FUNCTION:
                yield Finding(source.path, first, f"function {name} of {last - first + 1} lines — split it "
                                                  f"(at most {LONGEST_FUNCTION})")
    if BANNED_FILE_NAME.search(source.name):
        yield Finding(source.path, 1, "a file name that says nothing — name it after its main type")
    if source.name.endswith(".h"):
        if "#pragma once" not in source.lines:
            yield Finding(source.path, 1, "no #pragma once — add it after the opening comment")
        if not source.text.startswith("//"):
            yield Finding(source.path, 1, "opens without its idea — begin with 2 to 10 lines of // comment")


def check_words(source, code):
    for names, what in BANNED_CALLS:
        call = re.compile(rf"(?<![\w.>:])(?:std::|::)?(?:{names})\s*\(")
        yield from find_all(source, call, code, what)
    for pattern, what in BANNED_TEXT:
        yield from find_all(source, pattern, code, what)
    if source.path != MAY_DETACH:
        yield from find_all(source, DETACH, code, "detached thread — keep it, stop it and join it")
    if source.is_unit_test:
        yield from find_all(source, SLEEPS, code, "a unit test that sleeps — inject the clock")
    if source.folder in ("crypto", "wg") and not source.is_test:
        yield from find_all(source, re.compile(r"\bmemcmp\s*\("), code,
                            "leaks secrets by its timing — use the constant-time comparison of crypto")
    if source.path != "src/base/assert.h" and not source.name.endswith(".bpf.c") and source.folder != "bpf":
        yield from find_all(source, re.compile(r"^[ \t]*#[ \t]*define\b", re.M), code,
                            "macro — use a constant or a function (macros: base/assert.h only)")


def check_comments(source):
    for number, line in enumerate(source.lines, 1):
        begins = number == 1 or not source.lines[number - 2].lstrip().startswith("//")
        found = begins and HEADLESS_COMMENT.match(line)
        if found:
            yield Finding(source.path, number,
                          f"a comment that begins with {found.group(1)} — name its subject "
                          "(“Returns …”, “Fails if …”, “The …”)")


def check(source, layers):
    """All rules for one C++ file."""
    code = blank(source.text)
    yield from check_includes(source, layers)
    yield from check_shape(source, code)
    yield from check_words(source, code)
    yield from check_comments(source)
