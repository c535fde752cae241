"""The package imports its modules at first use, and looks as if it had imported them at once.

Each test of an import runs in a fresh process: here everything has been imported already.
"""

import ast
import subprocess
import sys
from pathlib import Path

import honker
import pytest

#: The standard modules of `honker.errors` and of the package itself, imported first so that the rest can be seen.
ALLOWED = "__future__, collections.abc, datetime, importlib, json, os, re, sys, types, typing"


def run(code):
    """Run a program in a fresh interpreter, and return the words that it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def declared():
    """The names that type checkers see without an import at run time, with their modules."""
    [block] = [
        node
        for node in ast.parse(Path(honker.__file__).read_text("utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {(alias.name, node.module) for node in block.body for alias in node.names}


def test_importing_the_package_loads_its_errors_and_nothing_else():
    loaded = run(f"import {ALLOWED}; before = set(sys.modules); import honker; print(*set(sys.modules) - before)")
    assert set(loaded) == {"honker", "honker.errors"}


def test_importing_the_pytest_plugin_loads_the_plugin_and_nothing_else():
    code = f"import {ALLOWED}, pytest; before = set(sys.modules); import honker.testing.plugin"
    loaded = run(f"{code}; print(*set(sys.modules) - before)")
    assert set(loaded) == {"honker", "honker.errors", "honker.testing", "honker.testing.plugin"}


def test_type_checkers_see_the_names_and_modules_of_run_time():
    assert declared() == {(name, f"honker.{module}") for name, module in honker._MODULES.items()}


@pytest.mark.parametrize("name", [name for name, _ in sorted(declared())])
def test_a_name_is_that_of_its_module(name):
    module = dict(declared())[name]
    assert getattr(honker, name) is getattr(sys.modules[module], name)


def test_every_name_can_be_the_first_one_used():
    """No module needs another one to be imported before it."""
    code = """if True:
        import sys
        import honker
        for name in sorted(honker._MODULES):
            for module in [each for each in sys.modules if each.partition(".")[0] == "honker"]:
                del sys.modules[module]
            import honker
            assert len([each for each in sys.modules if each.startswith("honker.")]) == 1
            getattr(honker, name)
            print(name)
    """
    assert run(code) == sorted(honker._MODULES)


def test_threads_that_use_the_package_at_once_get_the_same_objects():
    code = """if True:
        import random, threading
        import honker
        names, found, begin = sorted(honker._MODULES), [], threading.Barrier(8)
        def use(seed):
            own = random.Random(seed).sample(names, len(names))
            begin.wait()
            found.append({name: id(getattr(honker, name)) for name in own})
        threads = [threading.Thread(target=use, args=(seed,)) for seed in range(8)]
        for each in threads: each.start()
        for each in threads: each.join()
        print(len(found), len(set(map(str, map(sorted, map(dict.items, found))))))
    """
    assert run(code) == ["8", "1"]


def test_the_submodules_are_attributes_without_an_import_of_their_own():
    code = """if True:
        import sys
        import honker
        for name in sorted(honker._SUBMODULES):
            assert getattr(honker, name) is sys.modules["honker." + name]
        for name in honker._MODULES:
            getattr(honker, name)
        print(*{each.split(".")[1] for each in sys.modules if each.startswith("honker.")} - {"errors"})
    """
    assert set(run(code)) == honker._SUBMODULES


def test_a_star_import_has_every_public_name():
    assert run("from honker import *; import honker; print(*[n for n in honker.__all__ if n not in globals()])") == []


def test_names_are_listed_before_their_first_use():
    names = set(run("import honker; print(*dir(honker))"))
    assert {*honker.__all__, *honker._MODULES, *honker._SUBMODULES, "DatabaseFullError", "errors", "__doc__"} <= names


def test_the_help_describes_the_names():
    words = run("import honker, pydoc; print(pydoc.plain(pydoc.render_doc(honker)))")
    assert {"honker.database.Database", "honker.queue.stats.QueueStats", "run_workers(db:"} <= set(words)


def test_a_misspelled_name_is_an_error_with_a_suggestion():
    with pytest.raises(AttributeError, match=r"^module 'honker' has no attribute 'Databse'$") as raised:
        _ = honker.Databse
    assert (raised.value.name, raised.value.obj) == ("Databse", honker)
    with pytest.raises(ImportError, match="cannot import name 'Databse' from 'honker'"):
        from honker import Databse  # noqa: F401, PLC0415


def test_a_pickled_name_of_the_package_is_found():
    assert run("import pickle; print(pickle.loads(b'chonker\\nRetention\\n.').__name__)") == ["Retention"]
