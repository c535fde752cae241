"""`register_auto_extension`: every connection that the process opens afterwards has honker's functions."""

import asyncio
import contextlib
import os
import sqlite3
import sys
import types

import aiosqlite
import honker
import pytest
import sqlalchemy
from honker import ExtensionUnsupportedError
from honker.sqlite import auto_extension

from ..support.processes import run

pytestmark = pytest.mark.sqlite_only("SQLite loads the extension")


@pytest.fixture
def registered():
    honker.register_auto_extension()
    yield
    honker.unregister_auto_extension()


def has_functions(conn):
    try:
        conn.execute("SELECT honker_limits()").fetchall()
    except sqlite3.OperationalError as error:
        if "no such function" in str(error):
            return False
        raise
    return True


def test_connections_have_the_functions_while_it_is_registered(path):
    before = sqlite3.connect(path)
    honker.register_auto_extension()
    honker.register_auto_extension()
    during = sqlite3.connect(path)
    honker.unregister_auto_extension()
    honker.unregister_auto_extension()
    after = sqlite3.connect(path)
    assert [has_functions(conn) for conn in (before, during, after)] == [False, True, False]
    for conn in (before, during, after):
        conn.close()


@pytest.mark.usefixtures("registered")
def test_connections_that_load_the_engine_themselves_still_work(db, path):
    conn = honker.connect(path)
    db.queue("q").enqueue(1, tx=conn)
    conn.commit()
    conn.close()
    assert db.queue("q").claim_one("w").payload == 1


@pytest.mark.usefixtures("registered")
def test_opening_by_honker_leaves_the_registration_alone(path, monkeypatch):
    with auto_extension.auto_extension(sqlite3):
        pass
    honker.connect(path).close()
    conn = sqlite3.connect(path)
    assert has_functions(conn)
    conn.close()


@pytest.mark.usefixtures("registered")
def test_other_libraries_need_no_hook(path):
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.connect() as conn:
        assert conn.exec_driver_sql("SELECT honker_bootstrap()").scalar() == 1
    engine.dispose()

    async def main():
        async with aiosqlite.connect(path) as conn:
            return await (await conn.execute("SELECT honker_limits()")).fetchall()

    assert asyncio.run(main())


@pytest.mark.parametrize("backend", ["polling", "kernel", "shm"])
def test_commits_are_noticed(registered, path, backend):
    """The watcher opens its connection with extended result codes, which show each code but SQLITE_OK as a failure."""
    with honker.open(path, watcher_backend=backend) as db, contextlib.closing(db.update_events()) as updates:
        db.queue("emails").enqueue({})
        assert updates.wait(10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.usefixtures("registered")
def test_commits_are_noticed_while_it_is_registered(path):
    """The watcher's own connection is one of those that get the functions."""
    with honker.open(path) as db:
        updates = db.update_events()
        db.queue("q").enqueue(1)
        assert updates.wait(10)


def test_a_child_inherits_the_registration_and_may_end_its_own(path):
    script = """
import os, sqlite3, sys
import honker
honker.register_auto_extension()
def find():
    try:
        sqlite3.connect(sys.argv[1]).execute("SELECT honker_limits()")
    except sqlite3.OperationalError as error:
        return str(error)
    return "found"
if os.fork() == 0:
    print(find(), flush=True)
    honker.unregister_auto_extension()
    print(find(), flush=True)
    os._exit(0)
os.wait()
print(find(), flush=True)
"""
    assert run(script, path) == ["found", "no such function: honker_limits", "found"]


def test_a_sqlite_that_hides_the_function_is_refused(monkeypatch):
    module = types.ModuleType("hidden")
    native = types.ModuleType("hidden._sqlite3")
    native.__file__ = honker.extension_info()[0]  # a library without that symbol
    monkeypatch.setitem(sys.modules, "hidden._sqlite3", native)
    for call in (honker.register_auto_extension, honker.unregister_auto_extension):
        with pytest.raises(ExtensionUnsupportedError, match=r"hides sqlite3_auto_extension.*honker\.load_extension"):
            call(sqlite3=module)
