#!/usr/bin/python3
"""Turns SQL files into C: one statement a file, and the migrations.

    gen_sql.py --sql DIR --migrations DIR --out DIR

DIR/*.sql and DIR/<folder>/*.sql hold one statement each; DIR/parts/*.sql hold fragments for
`-- include: name.sql` lines. `:name` and `:actor.name` become $1..$n (lib/pbrow.h says what they
stand for); comments are dropped. `-- read only` among the comments at the top of a file says that
the statement may be sent again after a lost connection. Migrations are NNNN_name.sql, numbered
from 0001 without a gap.

Writes appointments_sql.c, appointments_sql.h and appointments_migrations.c.
"""

import argparse
import hashlib
import re
import sys
from pathlib import Path

NAME = re.compile(r"[a-z][a-z0-9_]*")
INCLUDE = re.compile(r"\s*--\s*include:\s*(\S+)\s*$")
READ_ONLY = re.compile(r"\s*--\s*read only\s*$")
MIGRATION = re.compile(r"(\d{4})_([a-z][a-z0-9_]*)\.sql")
PARAM_MAX = 64

# What the lexer knows of SQL; the first alternative that fits is taken.
TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*)
    | (?P<block>/\*)
    | (?P<estring>\b[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?(tag)(?P=tag))\$)
    | (?P<number>\$\d+)
    | (?P<open>['"]|\$(?:[A-Za-z_]\w*)?\$)
    | (?P<cast>::|:=)
    | (?P<param>:(?:actor\.)?[a-z_][a-z0-9_]*)
    | (?P<end>;)
    | (?P<word>\w+)
    """,
    re.VERBOSE | re.DOTALL,
)
WRITES = {"insert", "update", "delete", "merge", "truncate"}


class SqlError(Exception):
    """A fault in a file; the text is for the person who wrote it."""


def fail(path, line, message):
    raise SqlError(f"{path}:{line}: {message}")


def read(path):
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        fail(path, line, "is not UTF-8")
    if "\0" in text:
        fail(path, text[: text.index("\0")].count("\n") + 1, "has a NUL byte")
    return text.replace("\r\n", "\n")


def expand(path, parts, stack=()):
    """The lines of a file with its includes replaced, as [(path, line number, text)]."""
    lines = []
    for number, text in enumerate(read(path).split("\n"), 1):
        match = INCLUDE.match(text)
        if match is None:
            lines.append((path, number, text))
            continue
        part = parts / match.group(1)
        if part.parent != parts or not part.is_file():
            fail(path, number, f"there is no {part}")
        if part in stack:
            fail(path, number, f"{part} includes itself")
        lines += expand(part, parts, stack + (part,))
    return lines


def end_of_block_comment(text, start):
    """The offset after the comment that starts here (they nest), or None."""
    depth = 0
    for match in re.finditer(r"/\*|\*/", text[start:]):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return start + match.end()
    return None


def is_read_only(path):
    for line in read(path).split("\n"):
        if READ_ONLY.match(line):
            return True
        if line.strip() and not line.lstrip().startswith("--"):
            return False
    return False


class Statement:
    """One .sql file: its text with $n for names, and the names in that order."""

    def __init__(self, path, parts):
        self.path = path
        self.name = path.stem
        if not NAME.fullmatch(self.name):
            fail(path, 1, "the name of the file must be lower case letters, digits and _")
        self.read_only = is_read_only(path)
        self.params = []
        self.lines = expand(path, parts)
        self.text = tidy(self.translate("\n".join(line[2] for line in self.lines)))
        if not self.text:
            fail(path, 1, "holds no statement")

    def fail(self, source, offset, message):
        path, line, _ = self.lines[source.count("\n", 0, offset)]
        fail(path, line, message)

    def number(self, source, offset, name):
        if name not in self.params:
            self.params.append(name)
        if len(self.params) > PARAM_MAX:
            self.fail(source, offset, f"more than {PARAM_MAX} parameters")
        return f"${self.params.index(name) + 1}"

    def translate(self, source):
        out = []
        offset = 0
        ended_at = None
        previous_word = ""
        while offset < len(source):
            match = TOKEN.match(source, offset)
            kind = match.lastgroup if match else None
            text = match.group() if match else source[offset]
            if ended_at is not None and kind not in ("comment", "block") and not text.isspace():
                self.fail(source, ended_at, "one statement a file: something follows the ';'")
            if kind == "comment":
                pass
            elif kind == "block":
                end = end_of_block_comment(source, offset)
                if end is None:
                    self.fail(source, offset, "the comment does not end")
                text = source[offset:end]
                # Lines stay apart, so that the server's line numbers mean something.
                out.append("\n" * text.count("\n") or " ")
            elif kind == "open":
                self.fail(source, offset, f"the quote {text} does not end")
            elif kind == "number":
                self.fail(source, offset, f"{text}: parameters have names here (:name)")
            elif kind == "param":
                out.append(self.number(source, offset, text[1:]))
            elif kind == "end":
                ended_at = offset
            else:
                if kind == "word":
                    self.check_word(source, offset, previous_word, text.lower())
                    previous_word = text.lower()
                out.append(text)
            offset += len(text)
        return "".join(out)

    def check_word(self, source, offset, previous, word):
        # FOR UPDATE and FOR NO KEY UPDATE lock rows and change nothing.
        locks = word == "update" and previous in ("for", "key")
        if self.read_only and word in WRITES and not locks:
            self.fail(source, offset, f"says `-- read only` and holds {word.upper()}")


def tidy(text):
    """Without spaces at the ends of lines and without empty lines."""
    lines = (line.rstrip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def statements(folder):
    parts = folder / "parts"
    found = {}
    paths = [p for p in sorted([*folder.glob("*.sql"), *folder.glob("*/*.sql")])
             if p.parent != parts]
    for path in paths:
        statement = Statement(path, parts)
        other = found.setdefault(statement.name, statement)
        if other is not statement:
            fail(path, 1, f"has the name of {other.path}")
    return [found[name] for name in sorted(found)]


def migrations(folder):
    """[(number, name, sha256, text)] in order."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = MIGRATION.fullmatch(path.name)
        if match is None:
            fail(path, 1, "a migration is called NNNN_name.sql, in lower case")
        number, expected = int(match.group(1)), len(found) + 1
        if number == expected - 1 and found:
            fail(path, 1, f"the number {number:04} is taken by {number:04}_{found[-1][1]}.sql")
        if number != expected:
            fail(path, 1, f"the number {expected:04} is missing before it")
        text = read(path)
        if not text.strip():
            fail(path, 1, "is empty")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append((number, match.group(2), digest, text))
    return found


ESCAPES = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "?": "\\?"}


def c_string(text):
    """A C literal; octal escapes, for they end by themselves after three digits."""
    return '"' + "".join(
        ESCAPES.get(chr(b)) or (chr(b) if 32 <= b < 127 else "\\n" if b == 10 else f"\\{b:03o}")
        for b in text.encode("utf-8")) + '"'


def c_text(text, indent):
    lines = text.splitlines(keepends=True)
    return ("\n" + " " * indent).join(c_string(line) for line in lines)


MADE = "/* Made by tools/gen_sql.py. */\n"


def statements_header(found):
    out = [MADE, "#ifndef APPOINTMENTS_SQL_H\n#define APPOINTMENTS_SQL_H\n\n",
           '#include "lib/pg.h"\n\n']
    out += [f"extern const struct tv_pg_statement sql_{s.name};\n" for s in found]
    out.append("\n/* All of them, and a NULL behind the last. */\n"
               "extern const struct tv_pg_statement *const appointments_statements[];\n"
               "extern const size_t appointments_statement_count;\n\n#endif\n")
    return "".join(out)


def statements_source(found):
    out = [MADE, '#include "appointments_sql.h"\n']
    for s in found:
        params = "NULL"
        if s.params:
            params = f"params_{s.name}"
            names = ", ".join(c_string(p) for p in s.params)
            out.append(f"\nstatic const char *const {params}[] = {{{names}}};")
        out.append(f"""
const struct tv_pg_statement sql_{s.name} = {{
    .name = {c_string(s.name)},
    .text = {c_text(s.text, 12)},
    .params = {params},
    .param_count = {len(s.params)},
    .read_only = {"true" if s.read_only else "false"},
}};
""")
    out.append("\nconst struct tv_pg_statement *const appointments_statements[] = {\n")
    out += [f"    &sql_{s.name},\n" for s in found]
    out.append("    NULL,\n};\n"
               f"const size_t appointments_statement_count = {len(found)};\n")
    return "".join(out)


def migrations_source(found):
    out = [MADE, '#include "services/appointments/migrate.h"\n\n',
           "const struct migration migrations[] = {\n"]
    for number, name, digest, text in found:
        out.append(f"    {{{number}, {c_string(name)},\n     {c_string(digest)},\n"
                   f"     {c_text(text, 5)}}},\n")
    out.append("    {0, NULL, NULL, NULL},\n};\n"
               f"const size_t migration_count = {len(found)};\n")
    return "".join(out)


def write(path, text):
    """Leaves a file alone that is right already, so that nothing is compiled again for it."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main(arguments):
    parser = argparse.ArgumentParser(description="SQL files and migrations as C")
    parser.add_argument("--sql", type=Path, required=True)
    parser.add_argument("--migrations", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        found = statements(options.sql)
        steps = migrations(options.migrations)
    except SqlError as error:
        print(error, file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    write(options.out / "appointments_sql.h", statements_header(found))
    write(options.out / "appointments_sql.c", statements_source(found))
    write(options.out / "appointments_migrations.c", migrations_source(steps))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
