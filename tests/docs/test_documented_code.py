"""Run the code in the documents.

The ```python blocks of a Markdown file run in order, in one namespace, in an empty directory. The ```sql blocks of a
file go together to the `sqlite3` shell. Docstrings of the package are documents too, and each of their ```python blocks
runs alone. Blocks with any other fence, and those with ```python no-run, are text here.
"""

import inspect
import os
import re
import shutil
import subprocess
from pathlib import Path

import honker
import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY, _ = honker.extension_info()
NAMES = ("README", "ARCHITECTURE", "CONTRIBUTING")
DOCUMENTS = [
    *filter(Path.exists, (ROOT / f"{name}.md" for name in NAMES)),
    *sorted(ROOT.glob("docs/**/*.md")),
]


def blocks(text, language):
    """The fenced blocks of a language, each padded with empty lines so that a traceback names the line of the file."""
    for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield "\n" * (text.count("\n", 0, match.start()) + 1) + match[1]


def documents_with(language):
    found = [file for file in DOCUMENTS if any(blocks(file.read_text("utf-8"), language))]
    return [pytest.param(file, id=str(file.relative_to(ROOT))) for file in found]


def docstrings():
    """Every docstring of the package that shows a block of Python."""
    for name, module in inspect.getmembers(honker, inspect.ismodule):
        yield name, inspect.getdoc(module)
    yield "honker", inspect.getdoc(honker)
    for name in honker.__all__:
        member = getattr(honker, name)
        yield name, inspect.getdoc(member)
        if inspect.isclass(member):
            for method, function in inspect.getmembers(member, inspect.isfunction):
                yield f"{name}.{method}", inspect.getdoc(function)


def run_python(source, file, namespace):
    exec(compile(source, file, "exec"), namespace)


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("file", documents_with("python"))
def test_the_python_of_a_document_runs(file):
    namespace = {"__name__": "__main__"}
    for source in blocks(file.read_text("utf-8"), "python"):
        run_python(source, str(file), namespace)


def test_the_python_of_every_docstring_runs():
    for name, text in docstrings():
        for source in blocks(text or "", "python"):
            run_python(source, f"docstring of {name}", {"__name__": "__main__"})


def shell():
    """The `sqlite3` shell, if it is installed and can load extensions."""
    path = shutil.which("sqlite3")
    if path is None:
        pytest.skip("this machine has no sqlite3 shell")
    probe = subprocess.run([path, ":memory:", ".help .load"], capture_output=True, text=True, timeout=30, check=False)
    if ".load" not in probe.stdout:
        pytest.skip("the sqlite3 shell of this machine cannot load extensions")
    return path


@pytest.mark.parametrize("file", documents_with("sql"))
def test_the_sql_of_a_document_runs_in_the_shell(file, tmp_path):
    commands = "".join(blocks(file.read_text("utf-8"), "sql"))
    # The library as built here, with the suffix of this system; the documents leave the suffix to SQLite.
    commands = re.sub(r"\.load \S*libhonker_ext\S*", f".load {os.path.splitext(LIBRARY)[0]}", commands)
    assert ".load" in commands
    output = subprocess.run(
        [shell(), "-batch", "-bail", str(tmp_path / "app.db")],
        input=commands,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (output.returncode, output.stderr) == (0, "")


def test_the_readme_shows_something_that_is_run():
    assert documents_with("python")
    assert any(blocks((ROOT / "README.md").read_text("utf-8"), "python"))


def test_a_broken_example_is_noticed():
    text = "# Title\n\n```python\na = 1\n```\n\n```python\nassert a == 2\n```\n"
    namespace = {}
    with pytest.raises(AssertionError) as caught:  # noqa: PT012 - the blocks share a namespace
        for source in blocks(text, "python"):
            run_python(source, "README.md", namespace)
    assert caught.traceback[-1].lineno + 1 == 8
