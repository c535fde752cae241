"""The rooms above the engine use neither SQLite nor files: they run functions of the contract through the engine."""

import ast
import re
from pathlib import Path

import honker
import pytest

PACKAGE = Path(honker.__file__).parent
# Paths are values for codecs, which open no files. The testing kit makes files and moves the clock of one. Integrations
# know the driver of their framework.
BELOW_OR_OUTSIDE = {"sqlite", "postgres", "codec", "cli", "contrib", "testing"}
# The database handle chooses the engine, and `__init__` and the reference's modules re-export names.
COMPOSITION = {
    "__init__.py",
    "__main__.py",
    "database.py",
    "opening.py",
    "_honker.py",
    "_scheduler.py",
    "_tasks.py",
    "_worker.py",
}
MODULES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if not BELOW_OR_OUTSIDE & set(path.relative_to(PACKAGE).parts) and str(path.relative_to(PACKAGE)) not in COMPOSITION
)
FORBIDDEN_TEXTS = ("PRAGMA", "sqlite", "BEGIN", "COMMIT", "-wal", "-shm", "file:", r"(?<!_)_honker_")
FORBIDDEN_MODULES = {"sqlite3", "pathlib", "os.path"}
# An error names the SQLite that is too old, and maps the driver's exceptions, whose names begin so.
# The space of process ids is read from a file of the system. The import name of a script is that of its file.
# The drivers of both engines are told apart by their attributes.
EXEMPT = {"errors.py", "process_space.py", "module_name.py", "drivers.py"}


# Parsed while tests are collected: CPython 3.11 may fail in `ast.parse` when the garbage collector runs code meanwhile.
TREES = {path: ast.parse(path.read_text("utf-8")) for path in MODULES}


def docstrings(tree):
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            yield body[0].value


def violations(tree):
    prose = {id(node) for node in docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield from (text for text in FORBIDDEN_TEXTS if re.search(text, node.value))
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in FORBIDDEN_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in FORBIDDEN_MODULES:
            yield node.module
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "os.path":
            yield "os.path"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "open":
            yield "open()"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_above_the_engine_names_neither_sqlite_nor_a_file(path):
    if path.name not in EXEMPT:
        assert list(violations(TREES[path])) == []


@pytest.mark.parametrize(
    "source",
    [
        "import sqlite3",
        "from pathlib import Path",
        "x = 'PRAGMA user_version'",
        "import os\nos.path.abspath('x')",
        "open('app.db')",
        "x = f'SELECT * FROM _honker_live WHERE id = {1}'",
    ],
)
def test_the_rule_finds_each_violation(source):
    assert list(violations(ast.parse(source)))


def test_the_rule_leaves_docstrings_alone():
    assert list(violations(ast.parse('"""Runs on SQLite: PRAGMA, file: and so on."""'))) == []
