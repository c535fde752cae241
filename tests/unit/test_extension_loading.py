"""Finding the engine's library and loading it, in each of the ways that a Python may allow."""

import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
import types
from pathlib import Path

import honker
import pytest
from honker import ExtensionNotFoundError, ExtensionUnsupportedError
from honker.sqlite import auto_extension, extension, extension_file

PACKAGE = Path(honker.__file__).resolve().parent
LIBRARY, ENTRY_POINT = honker.extension_info()
CAN_LOAD = hasattr(sqlite3.Connection, "enable_load_extension")

USE = """
import sys
module = __import__(sys.argv[2]) if len(sys.argv) > 2 else __import__("sqlite3")
if len(sys.argv) > 2:
    module = module.dbapi2
import honker
with honker.open(sys.argv[1], sqlite3=module) as db:
    db.queue("q").enqueue({"n": 1})
    job = db.queue("q").claim_one("w")
    assert job.payload == {"n": 1}
    assert job.ack()
print("used", module.__name__)
"""


class Recorder:
    """A connection that can load extensions and records the calls on it."""

    def __init__(self, calls=None):
        self.calls = [] if calls is None else calls

    def enable_load_extension(self, on):
        self.calls.append(("enable_load_extension", on))

    def load_extension(self, path, *, entrypoint):
        self.calls.append(("load_extension", path, entrypoint))

    def execute(self, sql, parameters):
        self.calls.append(("execute", sql, parameters))

    def close(self):
        self.calls.append(("close",))


class OldRecorder(Recorder):
    """As in Python 3.11, where load_extension has no entry point parameter."""

    def load_extension(self, path):
        raise AssertionError("the entry point was left out")


class BareRecorder:
    """A connection with neither method."""

    def __init__(self):
        self.calls = []

    def execute(self, sql, parameters):
        self.calls.append(("execute", sql, parameters))


def enabled(*calls):
    return [("enable_load_extension", True), *calls, ("enable_load_extension", False)]


# --------------------------------------------------------------------------------------------- the place of the library


def test_the_library_and_its_entry_point_are_found():
    assert os.path.isfile(LIBRARY)
    assert ENTRY_POINT == honker.EXTENSION_ENTRYPOINT == "sqlite3_honkerext_init"
    assert getattr(ctypes.CDLL(LIBRARY), ENTRY_POINT)


def test_the_variable_decides_where_the_library_is(monkeypatch, tmp_path):
    library = tmp_path / "anything.so"
    library.write_bytes(b"")
    monkeypatch.setenv("HONKER_EXTENSION_PATH", str(library))
    assert honker.extension_info() == (str(library), ENTRY_POINT)


@pytest.mark.parametrize("name", ["missing.so", "."])
def test_a_variable_that_names_no_file_is_an_error_that_names_the_variable(monkeypatch, tmp_path, name):
    monkeypatch.setenv("HONKER_EXTENSION_PATH", str(tmp_path / name))
    with pytest.raises(ExtensionNotFoundError, match="HONKER_EXTENSION_PATH") as caught:
        honker.extension_info()
    assert isinstance(caught.value, FileNotFoundError)


def test_an_empty_variable_counts_as_none(monkeypatch, tmp_path):
    monkeypatch.setenv("HONKER_EXTENSION_PATH", "")
    package = copied_package(monkeypatch, tmp_path)
    library = place(package / "_lib")
    assert honker.extension_info() == (str(library), ENTRY_POINT)


def test_the_package_comes_before_the_checkout(monkeypatch, tmp_path):
    monkeypatch.delenv("HONKER_EXTENSION_PATH", raising=False)
    package = copied_package(monkeypatch, tmp_path)
    built = place(tmp_path / "target" / "release")
    assert honker.extension_info()[0] == str(built)
    shipped = place(package / "_lib")
    assert honker.extension_info()[0] == str(shipped)


def test_a_library_that_is_nowhere_is_an_error_that_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("HONKER_EXTENSION_PATH", raising=False)
    copied_package(monkeypatch, tmp_path)
    with pytest.raises(ExtensionNotFoundError, match=r"cargo build --release.*HONKER_EXTENSION_PATH"):
        honker.extension_info()


def test_the_target_folder_of_another_project_is_not_searched(monkeypatch, tmp_path):
    """A virtual environment inside a Rust project, or the file of another user in a folder above it."""
    monkeypatch.delenv("HONKER_EXTENSION_PATH", raising=False)
    copied_package(monkeypatch, tmp_path)
    place(tmp_path.parent / "target" / "release")
    (tmp_path / "crates" / "honker-extension").rmdir()
    place(tmp_path / "target" / "release")
    with pytest.raises(ExtensionNotFoundError):
        honker.extension_info()


def copied_package(monkeypatch, tmp_path):
    """Make the package's location look like an empty checkout."""
    package = tmp_path / "python" / "honker"
    package.mkdir(parents=True)
    monkeypatch.setattr(extension_file, "__file__", str(package / "sqlite" / "extension_file.py"))
    (tmp_path / "crates" / "honker-extension").mkdir(parents=True)
    return package


def place(folder):
    folder.mkdir(parents=True)
    placed = folder / extension_file._FILE_NAMES.get(sys.platform, "libhonker_ext.so")
    placed.write_bytes(b"")
    return placed


# --------------------------------------------------------------------------------- the first way: enable_load_extension


def test_loading_is_enabled_only_around_the_load():
    conn = Recorder()
    honker.load_extension(conn)
    assert conn.calls == enabled(("load_extension", LIBRARY, ENTRY_POINT))


def test_a_method_that_knows_no_entry_point_is_replaced_by_the_sql_function():
    conn = OldRecorder()
    honker.load_extension(conn)
    assert conn.calls == enabled(("execute", "SELECT load_extension(?, ?)", (LIBRARY, ENTRY_POINT)))


def test_a_connection_without_the_method_is_loaded_through_the_sql_function():
    conn = BareRecorder()
    honker.load_extension(conn)
    assert conn.calls == [("execute", "SELECT load_extension(?, ?)", (LIBRARY, ENTRY_POINT))]


def test_loading_is_disabled_again_when_it_fails():
    class Failing(Recorder):
        def load_extension(self, path, *, entrypoint):
            super().load_extension(path, entrypoint=entrypoint)
            raise sqlite3.OperationalError("cannot open shared object file")

    conn = Failing()
    with pytest.raises(sqlite3.OperationalError, match="cannot open"):
        honker.load_extension(conn)
    assert conn.calls == enabled(("load_extension", LIBRARY, ENTRY_POINT))


def test_a_connection_that_cannot_load_at_all_says_how_to_open_one_that_can():
    class Refusing(BareRecorder):
        def execute(self, sql, parameters):
            raise sqlite3.OperationalError("not authorized")

    with pytest.raises(ExtensionUnsupportedError, match=r"not authorized.*honker\.connect") as caught:
        honker.load_extension(Refusing())
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


@pytest.mark.skipif(CAN_LOAD, reason="this Python loads extensions the first way")
def test_a_plain_connection_of_this_python_says_how_to_open_one_that_can():
    conn = sqlite3.connect(":memory:")
    with pytest.raises(ExtensionUnsupportedError, match=r"honker\.connect"):
        honker.load_extension(conn)
    conn.close()


def test_a_missing_library_is_reported_before_anything_is_called(monkeypatch, tmp_path):
    monkeypatch.setenv("HONKER_EXTENSION_PATH", str(tmp_path / "missing.so"))
    conn = Recorder()
    with pytest.raises(ExtensionNotFoundError):
        honker.load_extension(conn)
    assert conn.calls == []


def module_with(connection_class):
    """A DB-API module whose connections are of that class."""
    module = types.ModuleType("fake")
    module.Connection = connection_class

    def connect(path, **options):
        conn = connection_class()
        conn.calls.insert(0, ("connect", path, options))
        return conn

    module.connect = connect
    return module


def test_connecting_goes_the_first_way_where_the_module_can(tmp_path):
    conn = honker.connect(tmp_path / "app.db", sqlite3=module_with(Recorder), timeout=3)
    assert conn.calls == [
        ("connect", str(tmp_path / "app.db"), {"timeout": 3}),
        *enabled(("load_extension", LIBRARY, ENTRY_POINT)),
    ]


def test_a_connection_that_could_not_load_is_closed():
    calls = []

    class Failing(Recorder):
        def __init__(self):
            super().__init__(calls)

        def load_extension(self, path, *, entrypoint):
            raise sqlite3.OperationalError("cannot open shared object file")

    with pytest.raises(sqlite3.OperationalError, match="cannot open"):
        honker.connect("app.db", sqlite3=module_with(Failing))
    assert calls[-1] == ("close",)


def interpreters():
    """Other Pythons of this machine that load extensions the first way and are new enough."""
    names = ["/usr/bin/python3", "/usr/local/bin/python3", *(f"python3.{minor}" for minor in range(11, 20))]
    test = "import sqlite3, sys; sys.exit(sys.version_info < (3, 11) or not sqlite3.Connection.enable_load_extension)"
    for name in names:
        path = shutil.which(name)
        if path and subprocess.run([path, "-c", test], capture_output=True, timeout=20, check=False).returncode == 0:
            yield path


def test_an_interpreter_that_can_load_extensions_uses_the_package(tmp_path):
    found = sys.executable if CAN_LOAD else next(interpreters(), None)
    if found is None:
        pytest.skip("no Python of this machine has Connection.enable_load_extension")
    output = subprocess.run(
        [found, "-W", "error", "-c", USE, str(tmp_path / "app.db")],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert output.stdout == "used sqlite3\n", output.stderr


def test_another_module_with_its_own_sqlite_uses_the_package(tmp_path):
    pytest.importorskip("pysqlite3")
    output = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE, str(tmp_path / "app.db"), "pysqlite3"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert output.stdout == "used pysqlite3.dbapi2\n", output.stderr


# ------------------------------------------------------------------------------- the second way: an automatic extension


@pytest.fixture
def without_enable(monkeypatch):
    """This Python as if built without ``enable_load_extension``, or as it is if it was."""
    if CAN_LOAD:
        shape = types.ModuleType("sqlite3")
        shape.Connection = object
        shape.connect = sqlite3.connect
        for each in (extension, auto_extension):
            monkeypatch.setattr(each, "sqlite3", shape)
        return shape
    return sqlite3


def test_a_python_that_cannot_load_extensions_gets_the_engine_all_the_same(without_enable):
    conn = honker.connect(":memory:", sqlite3=without_enable)
    conn.execute("SELECT honker_bootstrap()")
    assert conn.execute("SELECT honker_queue_next_claim_at('q')").fetchone() == (0,)
    conn.close()


def test_connections_that_others_open_are_left_alone(without_enable):
    honker.connect(":memory:", sqlite3=without_enable).close()
    conn = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError, match="no such function"):
        conn.execute("SELECT honker_bootstrap()")
    conn.close()


def test_a_file_that_cannot_be_opened_leaves_no_automatic_extension_behind(without_enable, tmp_path):
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        honker.connect(tmp_path / "missing" / "app.db", sqlite3=without_enable)
    conn = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError, match="no such function"):
        conn.execute("SELECT honker_bootstrap()")
    conn.close()


# ---------------------------------------------------------------------------------- the third way: an error with advice


def test_a_module_that_hides_its_sqlite_is_an_error_that_says_what_to_do(monkeypatch, tmp_path):
    class Plain:
        pass

    hidden = types.ModuleType("hidden")
    hidden.Connection = Plain
    hidden.Error = sqlite3.Error
    native = types.ModuleType("hidden._sqlite3")
    native.__file__ = LIBRARY  # any library that is not linked to SQLite; the engine is not
    monkeypatch.setitem(sys.modules, "hidden._sqlite3", native)
    with pytest.raises(ExtensionUnsupportedError, match=r"--enable-loadable-sqlite-extensions.*pysqlite3") as caught:
        honker.open(tmp_path / "app.db", sqlite3=hidden)
    assert "hidden" in str(caught.value)
    assert not (tmp_path / "app.db").exists()
