#!/usr/bin/python3
"""Checks what no compiler checks: layers, libraries, banned functions, sizes, docs, form.

    lint.py            all rules over all files of the project
    lint.py RULE...    some of them

Exceptions stand in tools/lint-allow.txt, one a line: rule, place, reason. One that is not needed
any more is an error too.
"""

import os
import re
import subprocess
import sys

# Layers of lib/: a module includes only modules of earlier lines. Files of one module share its
# name up to an underscore: pb_json.c belongs to pb.
LAYERS = [
    "base",
    "err str",
    "arena clock conf crypto",
    "log metrics",
    "loop",
    "bus httpc httpd pb pg",
    "admin jwt rpc",
    "pbrow",
    "service",
]
LEVEL = {module: i for i, line in enumerate(LAYERS) for module in line.split()}

# Outside libraries, by the header, and the module of lib/ that alone may include it.
LIBRARIES = {
    "uv": "loop", "nats": "bus", "microhttpd": "httpd", "libpq-fe": "pg", "jwt": "jwt",
    "curl": "httpc", "jansson": "pb", "sodium": "crypto",
}
# Files that decide and do nothing else: no module that reaches outside the process.
PURE = {"gate", "grant", "hint", "history", "history_sums", "limit", "negotiate", "news", "pulse",
        "room", "route", "router", "status", "validate", "webhook"}
REACHES_OUT = {"bus", "httpc", "httpd", "pg", "loop", "admin", "service"}

# Never, and never in what runs in a clinic (tests and benchmarks may).
BANNED = {
    "strcpy": "tv_arena_strdup or snprintf", "strcat": "struct tv_buf", "sprintf": "snprintf",
    "vsprintf": "vsnprintf", "strtok": "tv_str_cut", "alloca": "an arena", "gets": "fgets",
    "system": "posix_spawn, without a shell",
}
BANNED_IN_SERVICES = {
    "atoi": "tv_str_to_i64", "atol": "tv_str_to_i64", "atoll": "tv_str_to_i64",
    "strtol": "tv_str_to_i64", "gmtime": "lib/clock.h", "localtime": "the database's zones",
    "rand": "tv_random", "PQexec": "lib/pg.h, which does not block",
}
FILE_LINES_MAX = 600
TEST_LINES_MAX = 1000  # of a file of tests, which is read by the case
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
ALLOW_FILE = "tools/lint-allow.txt"


class Fault:
    def __init__(self, rule, place, line, text):
        self.rule, self.place, self.line, self.text = rule, place, line, text

    def __str__(self):
        at = f":{self.line}" if self.line else ""
        return f"{self.place.split('(')[0]}{at}: {self.rule}: {self.text}"


class Tree:
    """The files of the project, by path, read once."""

    def __init__(self, paths):
        self.texts = {}
        for path in sorted(paths):
            try:
                with open(path, encoding="utf-8") as f:
                    self.texts[path] = f.read()
            except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
                continue  # an image, or removed and not yet committed

    def matching(self, *endings, under=""):
        return [p for p in self.texts if p.endswith(endings) and p.startswith(under)]

    def c_files(self, under=""):
        return self.matching(".c", ".h", under=under)


def project_files():
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True,
                          text=True, check=True)
    return done.stdout.splitlines()


def code_only(text, strings=False):
    """C without comments and, unless `strings`, what is in strings; lines stay where they are."""
    def blank(m):
        if m[0][0] == '"':
            return m[0] if strings else '""'
        return re.sub(r"[^\n]", " ", m[0])
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def includes(text):
    for i, line in enumerate(code_only(text, strings=True).splitlines(), 1):
        m = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if m:
            yield i, m[2]


def module_of(path):
    """lib/pb_json.c is of module pb."""
    name = os.path.splitext(os.path.basename(path))[0]
    return name if name in LEVEL else name.split("_")[0]


def lib_include(path, header):
    """The module of lib/ that `header` is, or None."""
    if header.startswith("lib/"):
        return module_of(header)
    if path.startswith("lib/") and "/" not in header and module_of(header) in LEVEL:
        return module_of(header)
    return None


# -- rules -----------------------------------------------------------------------------------------

def rule_layers(tree):
    for path in tree.c_files("lib/"):
        mine = module_of(path)
        if mine not in LEVEL:
            yield Fault("layers", path, 0, f"module {mine} has no layer in tools/lint.py")
            continue
        for line, header in includes(tree.texts[path]):
            other = lib_include(path, header)
            if header.startswith("services/"):
                yield Fault("layers", path, line, "lib/ knows no service")
            elif other and other != mine and LEVEL.get(other, 99) >= LEVEL[mine]:
                yield Fault("layers", path, line, f"{mine} does not stand above {other}")


def rule_services(tree):
    for path in tree.c_files("services/"):
        service = path.split("/")[1]
        pure = os.path.splitext(os.path.basename(path))[0] in PURE
        for line, header in includes(tree.texts[path]):
            if header.startswith("services/") and header.split("/")[1] != service:
                yield Fault("services", path, line, f"{service} includes a header of another")
            if pure and lib_include(path, header) in REACHES_OUT:
                yield Fault("services", path, line, f"a pure file includes {header}")


def rule_libraries(tree):
    for path in tree.c_files("lib/") + tree.c_files("services/"):
        used = set()
        for line, header in includes(tree.texts[path]):
            library = re.split(r"[/.]", header)[0]
            owner = LIBRARIES.get(library)
            if owner is None or lib_include(path, header):
                continue
            used.add(library)
            if not path.startswith("lib/") or module_of(path) != owner:
                yield Fault("libraries", path, line, f"only lib/{owner} includes <{header}>")
        if len(used) > 1:
            yield Fault("libraries", path, 0, f"two libraries: {', '.join(sorted(used))}")


def rule_banned(tree):
    for path in tree.c_files():
        banned = dict(BANNED)
        if path.startswith(("lib/", "services/")):
            banned.update(BANNED_IN_SERVICES)
        call = re.compile(r"(?<![\w.>])(" + "|".join(banned) + r")\s*\(")
        for i, line in enumerate(code_only(tree.texts[path]).splitlines(), 1):
            for m in call.finditer(line):
                yield Fault("banned", path, i, f"{m[1]}: use {banned[m[1]]}")


def rule_unfinished(tree):
    words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
    for path in tree.texts:
        if path.endswith("package-lock.json"):
            continue
        for i, line in enumerate(tree.texts[path].splitlines(), 1):
            if words.search(line):
                yield Fault("unfinished", path, i, line.strip()[:60])


def rule_length(tree):
    """Files and functions that ask to be divided."""
    for path in tree.matching(".c", ".h", ".py", ".sh", ".ts", ".tsx"):
        lines = tree.texts[path].count("\n")
        most = TEST_LINES_MAX if path.startswith("tests/") else FILE_LINES_MAX
        if lines > most:
            yield Fault("length", path, 0, f"{lines} lines, more than {most}")
    for path in tree.matching(".c"):
        for name, start, lines in functions(code_only(tree.texts[path])):
            if lines > FUNCTION_LINES_MAX:
                yield Fault("length", f"{path}({name})", start,
                            f"{name} has {lines} lines, more than {FUNCTION_LINES_MAX}")


def functions(code):
    """(name, first line, lines) of each function in formatted C."""
    start = name = None
    for i, line in enumerate(code.splitlines(), 1):
        m = re.match(r"[A-Za-z_][^;={]*?(\w+)\(", line)
        if start is None and m:
            start, name = i, m[1]
        if line.startswith("}") and start is not None:
            yield name, start, i - start + 1
        if line.startswith("}") or (start is not None and line.rstrip().endswith(";")
                                    and not line.startswith(" ")):
            start = None


def rule_form(tree):
    for path in tree.matching(".py", ".sh", ".sql", ".mk", "Makefile", ".proto", ".c", ".h"):
        text = tree.texts[path]
        if text and not text.endswith("\n"):
            yield Fault("form", path, 0, "no newline at the end")
        for i, line in enumerate(text.splitlines(), 1):
            if len(line) > COLUMNS_MAX and not path.endswith(".mk"):
                yield Fault("form", path, i, f"{len(line)} columns")
            if line != line.rstrip():
                yield Fault("form", path, i, "space at the end of the line")
            if "\t" in line and not path.endswith((".mk", "Makefile")):
                yield Fault("form", path, i, "tab")
        if path.endswith(".h") and not re.search(r"^#ifndef (\w+_H)\n#define \1$", text, re.M):
            yield Fault("form", path, 0, "no include guard")


def rule_lockfiles(tree):
    for path in tree.matching("package-lock.json"):
        if '"resolved"' in tree.texts[path]:
            yield Fault("lockfiles", path, 0, "it names a registry; see tools/node/.npmrc")


def rule_docs(tree):
    """Targets that docs speak of exist, links lead somewhere."""
    makefiles = tree.matching(".mk") + ["Makefile"]
    rules = re.findall(r"^([a-z][a-z0-9 -]*):", "\n".join(
        tree.texts.get(p, "") for p in makefiles), re.M)
    targets = {name for rule in rules for name in rule.split()}
    for path in tree.matching(".md"):
        fenced = False
        for i, line in enumerate(tree.texts[path].splitlines(), 1):
            fenced ^= line.startswith("```")
            start = r"^\s*(?:sudo )?|&& |`" if fenced else "`"
            for m in re.finditer(rf"(?:{start})make ([a-z][a-z0-9-]*)", line):
                if m[1] not in targets:
                    yield Fault("docs", path, i, f"there is no target {m[1]}")
            for m in re.finditer(r"\]\(([^)#\s]+)", line):
                to = os.path.normpath(os.path.join(os.path.dirname(path), m[1]))
                if "://" not in m[1] and not m[1].startswith("mailto:") and not os.path.exists(to):
                    yield Fault("docs", path, i, f"{m[1]} leads nowhere")


def rule_config(tree):
    """docs/CONFIG.md and the configuration tables name the same variables."""
    page = tree.texts.get("docs/CONFIG.md")
    if page is None:
        return
    row = re.compile(r'\{\s*"([A-Z][A-Z0-9_]+)",\s*TV_CONF_')
    named = {}
    for path in tree.c_files("services/") + tree.c_files("lib/"):
        for m in row.finditer(tree.texts[path]):
            named.setdefault(m[1], path)
    told = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`", page))
    for name in sorted(set(named) - told):
        yield Fault("config", named[name], 0, f"{name} is not in docs/CONFIG.md")
    for name in sorted(n for n in told - set(named) if n.startswith("TELEVISIT_")):
        if name.removesuffix("_FILE") not in named:
            yield Fault("config", "docs/CONFIG.md", 0, f"{name} is read by no service")


# What the release before cannot live with: its programs run on the new schema while they are being
# replaced, and still do after a rollback. DROP of what only forbids or speeds up is no loss to it.
CONTRACTS = [
    (r"\bDROP\s+(?!CONSTRAINT\b|NOT\s+NULL\b|INDEX\b)\w+", "it may still be used"),
    (r"\bRENAME\b", "the old name is still used"),
    (r"\bSET\s+NOT\s+NULL\b", "it may still be left out"),
    (r"\bALTER\s+(?:COLUMN\s+)?\w+\s+(?:SET\s+DATA\s+)?TYPE\b", "the old type is still expected"),
    (r"\bADD\s+COLUMN\b(?!.*\b(?:DEFAULT|GENERATED)\b).*\bNOT\s+NULL\b",
     "it is still left out: it needs a default"),
]


def sql_clauses(text):
    """SQL without comments and texts (bodies of functions among them), cut at ; and at the commas
    that stand in no parentheses, as [(line, clause)]."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m[0])
    text = re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$", blank, text, flags=re.S)
    depth, begin = 0, 0
    for i, c in enumerate(text + ";"):
        depth += (c == "(") - (c == ")")
        if c == ";" or c == "," and depth == 0:
            clause = text[begin:i]
            lead = len(clause) - len(clause.lstrip())
            yield text.count("\n", 0, begin + lead) + 1, " ".join(clause.split())
            begin = i + 1


def rule_migrations(tree):
    """Migrations only add; one that takes something away says so: `-- contract: reason`."""
    for path in tree.matching(".sql", under="services/appointments/migrations/"):
        text = tree.texts[path]
        if re.search(r"^-- contract: \S", text, re.M):
            continue
        for line, clause in sql_clauses(text):
            for pattern, why in CONTRACTS:
                m = re.search(pattern, clause, re.I)
                if m:
                    yield Fault("migrations", path, line, f"{m[0][:40]}: {why}")


def rule_clang_format(tree):
    for path in tree.c_files():
        done = subprocess.run(["clang-format", "--style=file", path], capture_output=True,
                              text=True, check=True)
        if done.stdout != tree.texts[path]:
            line = next((i for i, (a, b) in enumerate(
                zip(done.stdout.splitlines(), tree.texts[path].splitlines()), 1) if a != b), 0)
            yield Fault("clang-format", path, line, "`make format` writes it otherwise")


def rule_shellcheck(tree):
    shells = [p for p, text in tree.texts.items()
              if p.endswith(".sh") or re.match(r"#!.*\b(ba)?sh\b", text)]
    if not shells:
        return
    done = subprocess.run(["shellcheck", "--format=gcc", "--external-sources", *shells],
                          capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        m = re.match(r"([^:]+):(\d+):\d+: (.*)", line)
        if m:
            yield Fault("shellcheck", m[1], int(m[2]), m[3])


RULES = {name[len("rule_"):].replace("_", "-"): f
         for name, f in list(globals().items()) if name.startswith("rule_")}


# -- exceptions ------------------------------------------------------------------------------------

def read_allowed(text):
    """{(rule, place): line}; a line without a reason is a fault."""
    allowed = {}
    for i, line in enumerate(text.splitlines(), 1):
        if line and not line.startswith("#"):
            parts = line.split(None, 2)
            if len(parts) < 3:
                raise SystemExit(f"{ALLOW_FILE}:{i}: rule, place and reason, please")
            allowed[(parts[0], parts[1])] = i
    return allowed


def run(tree, rules):
    """All faults, less the allowed ones, plus allowances that nothing needs."""
    allowed = read_allowed(tree.texts.get(ALLOW_FILE, ""))
    faults = [f for name in rules for f in RULES[name](tree)]
    needed = {(f.rule, f.place) for f in faults}
    faults = [f for f in faults if (f.rule, f.place) not in allowed]
    for (rule, place), line in allowed.items():
        if rule in rules and (rule, place) not in needed:
            faults.append(Fault("allowed", ALLOW_FILE, line, f"{rule} {place} is not needed"))
    return faults


def main(argv):
    unknown = [a for a in argv if a not in RULES]
    if unknown:
        print(f"unknown: {' '.join(unknown)}; there are {' '.join(RULES)}", file=sys.stderr)
        return 2
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    rules = argv or list(RULES)
    faults = run(Tree(project_files()), rules)
    for f in faults:
        print(f)
    print(f"lint: {len(rules)} rules, {len(faults)} faults", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
