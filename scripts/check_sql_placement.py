"""Check that SQL stays in the core.

Only ``crates/honker-domain`` uses the tables. Everything else (the extension, the watcher, the Python package) calls
functions, so that a change of the schema is a change in one place and every language behaves alike. Outside the core
these are allowed: ``SELECT honker_*(...)``, ``SELECT notify(...)``, ``SELECT load_extension(...)``, PRAGMA, BEGIN,
COMMIT, ROLLBACK, SAVEPOINT and RELEASE. ``python/honker/postgres`` is the core on PostgreSQL. Comments and
docstrings are not checked.

Usage: ``python scripts/check_sql_placement.py [ROOT]``. Prints ``file:line: reason`` for each finding and exits with 1
if there is one. The check misses strings that are built at run time; it finds ordinary slips.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PYTHON_SOURCES = ("python/honker",)
# Commands that look at a file from outside. It may be of another version of honker, damaged, or none of ours, so its
# functions cannot be asked. They only read.
OUTSIDERS = ("cli/copying.py", "cli/database_file.py", "cli/doctor", "cli/schema.py")
# The core on PostgreSQL: its functions, their installation, and its connections.
POSTGRES_CORE = ("postgres",)
# The copy of all rows from one engine to the other, for which no function exists.
MOVERS = ("cli/copy",)
# The demo of `honker try` has a server and tables of its own.
DEMOS = ("cli/trial",)
# Django's `flush`, which empties every table of a test's database.
EMPTIERS = ("contrib/django/vendor_postgres.py", "contrib/django/vendor_sqlite.py")
RUST_SOURCES = ("crates/honker-engine/src", "crates/honker-extension/src", "crates/honker-watch/src")

HOLE = "{}"
"""Stands for the part of a string that only the running program knows, as in ``f"SELECT {name}(?)"``."""


class Finding(NamedTuple):
    """A misplaced piece of SQL."""

    path: Path
    line: int
    reason: str


class Literal(NamedTuple):
    """One string of a source file."""

    line: int
    text: str


# ---------------------------------------------------------------------------------------------------------------- rules

# Prose begins with these words too ("Delete the row", "with a lease"). So a word in lower case counts only with the
# rest of its grammar; a word in capitals alone is a statement.
STATEMENT = re.compile(
    r"""(?x) ^\s* (?:
        (?P<capitals> INSERT | UPDATE | DELETE | CREATE | DROP | ALTER | REPLACE | WITH | SELECT ) (?: \s | $ )
      | (?i:
            (?P<any_case> insert \s+ (?: or \s+ \w+ \s+ )? into
              | replace \s+ into
              | update \s+ \S+ \s+ set
              | delete \s+ from
              | (?: create | drop | alter ) \s+ (?: (?: temp | temporary | unique | virtual ) \s+ )?
                (?: table | index | view | trigger )
              | with \s+ (?: recursive \s+ )? \w+ \s* (?: \( [^)]* \) \s* )? as \s* \(
              | select \b (?= .* \b from \b | \s+ [\w{}]+ \s* \( )
            ) \b
        )
    )""",
    re.DOTALL,
)
# The view of jobs is made for dashboards, and the admin site of Django reads it. Every other name is a table.
TABLE_NAME = re.compile(r"\b_honker_(?!jobs\b)\w*")
SQL_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
SQL_QUOTED = re.compile(r"'(?:[^']|'')*'")
# `{name}`, `{}` and `%s` stand for a name known only at run time, so they are accepted as function names.
ALLOWED_CALL = re.compile(r"(?i)\s*(?:honker_\w+|notify|load_extension|\{\w*\}|%s)\s*\(")
AFTER_CALL = re.compile(r"(?i)\s*(?:as\s+\w+\s*)?(?P<more>,)?")
# A virtual table of the extension itself holds no rows of honker's. It may be declared, which creates nothing ("x" is
# SQLite's own convention, as the name is ignored: https://sqlite.org/vtab.html, "The xConnect Method"), and connected.
# The tables of the schema all begin with an underscore.
VIRTUAL_TABLE = re.compile(r"(?i)\s*(?:create\s+table\s+x\s*\(|select\s+1\s+from\s+honker_\w+\s*$)")


def faults(text: str) -> Iterator[str]:
    """Yield a reason for each piece of a string that belongs into the core."""
    for name in sorted(set(TABLE_NAME.findall(text))):
        yield f"names the table {name}: only the core knows tables"
    for statement in statements(text):
        match = STATEMENT.match(statement)
        if match is None or VIRTUAL_TABLE.match(statement):
            continue
        keyword = (match["capitals"] or match["any_case"]).split()[0].upper()
        if keyword != "SELECT":
            yield f"{keyword} statement: put it into a .sql file of the core behind a honker_* function"
        elif not selects_only_calls(statement):
            yield "SELECT of something other than honker_*(...) or notify(...): only the core reads tables"


def statements(text: str) -> list[str]:
    """Split a string at its semicolons, without SQL comments and with SQL's own strings emptied."""
    return SQL_QUOTED.sub("''", SQL_COMMENT.sub(" ", text)).split(";")


def selects_only_calls(statement: str) -> bool:
    """Return True if a SELECT is only a list of allowed calls, each with an optional ``AS name``."""
    _, rest = re.split(r"(?i)select\b", statement, maxsplit=1)
    if re.search(r"(?i)\b(from|select)\b", rest):
        return False
    while call := ALLOWED_CALL.match(rest):
        after = AFTER_CALL.match(rest, end_of_parentheses(rest, call.end()))
        if after is None or after["more"] is None:
            return after is not None and after.end() == len(rest)
        rest = rest[after.end() :]
    return False


def end_of_parentheses(text: str, start: int) -> int:
    """Return the position after the ``)`` that closes the ``(`` before ``start``, or the end of a cut-off text."""
    depth = 1
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position + 1
    return len(text)


# ------------------------------------------------------------------------------------------------ the strings of a file


def python_literals(source: str) -> Iterator[Literal]:
    """Yield the strings of a Python file, an f-string or a sum of strings as one, without docstrings."""
    yield from literals_under(ast.parse(source))


def literals_under(node: ast.AST) -> Iterator[Literal]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a string alone in a statement is documentation
    parts = pieces(node)
    text = "".join(written(part) for part in parts)
    if isinstance(node, ast.expr) and text.replace(HOLE, ""):
        yield Literal(node.lineno, text)
    for part in parts:
        children = ast.iter_child_nodes(part) if part is node else [part]
        for child in children:
            if part is node or not isinstance(child, ast.Constant):
                yield from literals_under(child)


def pieces(node: ast.AST) -> list[ast.AST]:
    """Split an f-string or a sum into its pieces; any other expression is a single piece."""
    match node:
        case ast.JoinedStr(values=values):
            return [piece for value in values for piece in pieces(value)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [*pieces(left), *pieces(right)]
        case _:
            return [node]


def written(node: ast.AST) -> str:
    """Return the text of a string constant, and a hole for any other expression."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else HOLE


# One alternative for each token that can contain a quote, so that they are not confused. Block comments nest and are
# finished by hand. A lifetime ('a) is not a character literal: it has no closing quote.
RUST_TOKEN = re.compile(
    r"""(?xs)
        (?P<line_comment> // [^\n]* )
      | (?P<block_comment> /\* )
      | \b [bc]? r (?P<hashes> \#* ) " (?P<raw> .*? ) " (?P=hashes)
      | (?: \b [bc] )? " (?P<plain> (?: \\. | [^"\\] )* ) "
      | b? ' (?: \\ (?: u \{ [^}]* \} | x .. | . ) | [^'\\] ) '
    """
)


def rust_literals(source: str) -> Iterator[Literal]:
    """Yield the strings of a Rust file, without comments."""
    position = 0
    while match := RUST_TOKEN.search(source, position):
        position = match.end()
        if match["block_comment"]:
            position = end_of_block_comment(source, position)
        text = match["raw"] if match["raw"] is not None else match["plain"]
        if text:
            # A backslash at the end of a line continues the string; SQL treats \n and \t as white space.
            joined = re.sub(r"\\\n\s*|\\[nrt]", " ", text)
            yield Literal(source.count("\n", 0, match.start()) + 1, joined)


def end_of_block_comment(source: str, start: int) -> int:
    depth = 1
    for edge in re.finditer(r"/\*|\*/", source[start:]):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return start + edge.end()
    return len(source)


# ------------------------------------------------------------------------------------------------------- the whole tree


def check_file(path: Path) -> list[Finding]:
    """Return the findings of one file, which is parsed according to its suffix."""
    source = path.read_text("utf-8")
    match path.suffix:
        case ".py":
            literals = python_literals(source)
        case ".rs":
            literals = rust_literals(source)
        case _:
            return [Finding(path, 1, "a .sql file outside the core")]
    return [Finding(path, literal.line, reason) for literal in literals for reason in faults(literal.text)]


def check_tree(root: Path) -> list[Finding]:
    """Return the findings of a checkout. Missing parts are skipped."""
    folders = [root / name for name in (*PYTHON_SOURCES, *RUST_SOURCES)]
    outside = [root / PYTHON_SOURCES[0] / name for name in (*OUTSIDERS, *POSTGRES_CORE, *MOVERS, *DEMOS, *EMPTIERS)]
    paths = [path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".rs", ".sql"}]
    inside = [path for path in paths if not any(path.is_relative_to(each) for each in outside)]
    return sorted(finding for path in inside for finding in check_file(path))


def main(arguments: list[str]) -> int:
    """Print the findings; return the exit code."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    findings = check_tree(root)
    for path, line, reason in findings:
        print(f"{path.relative_to(root)}:{line}: {reason}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
