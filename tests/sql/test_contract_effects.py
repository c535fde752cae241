"""The declared effects and write locks, held against the behaviour of each function and against the engine's table."""

import re

import pytest

from .contract import functions, ordinary_arguments
from .database import call, dump, enqueue, refused, rows
from .loading import ROOT

SQLITE_DIRECTONLY = 0x80000


def named(key, *values):
    return [name for name, function in functions().items() if function[key] in values]


@pytest.fixture
def populated(conn):
    """A database in which most functions find something."""
    enqueue(conn, "n")
    call(conn, "notify", "n", "{}")
    call(conn, "honker_stream_publish", "n", None, "{}")
    call(conn, "honker_lock_acquire", "n", "n", 60)
    call(conn, "honker_scheduler_register", "n", "n", "@every 60s", "{}", 0, None)
    return conn


@pytest.fixture
def locked_out(populated, connect):
    """The populated database, while another connection holds the write lock."""
    populated.execute("PRAGMA busy_timeout = 0")
    connect().execute("BEGIN IMMEDIATE")
    return populated


@pytest.mark.parametrize("name", named("effect", "read"))
def test_a_read_changes_nothing(populated, connect, name):
    onlooker = connect()
    before = dump(populated), populated.total_changes, rows(onlooker, "PRAGMA data_version")
    call(populated, name, *ordinary_arguments(name))
    assert (dump(populated), populated.total_changes, rows(onlooker, "PRAGMA data_version")) == before


@pytest.mark.parametrize("name", named("effect", "read"))
def test_a_read_works_on_a_connection_that_may_not_write(populated, name):
    populated.execute("PRAGMA query_only = ON")
    call(populated, name, *ordinary_arguments(name))


# Ordinary arguments name no file that can be watched.
NEVER = [name for name in named("write_lock", "never") if name != "honker_update_watcher_open"]


@pytest.mark.parametrize("name", NEVER)
def test_a_function_without_a_write_lock_works_while_another_connection_has_it(locked_out, name):
    call(locked_out, name, *ordinary_arguments(name))


LOCKING = [name for name in named("write_lock", "always", "when_needed") if name != "honker_bootstrap"]


@pytest.mark.parametrize("name", LOCKING)
def test_a_function_with_a_write_lock_is_busy_while_another_connection_has_it(locked_out, name):
    with refused("HONKER_BUSY"):
        call(locked_out, name, *ordinary_arguments(name))


def test_the_bootstrap_of_a_new_file_needs_the_write_lock(connect):
    conn = connect()
    conn.execute("PRAGMA busy_timeout = 0")
    connect().execute("BEGIN IMMEDIATE")
    with refused("HONKER_BUSY"):
        call(conn, "honker_bootstrap")


@pytest.mark.parametrize("name", named("write_lock", "always"))
def test_a_function_that_always_locks_is_busy_even_with_nothing_to_do(conn, connect, name):
    conn.execute("PRAGMA busy_timeout = 0")
    connect().execute("BEGIN IMMEDIATE")
    with refused("HONKER_BUSY"):
        call(conn, name, *ordinary_arguments(name))


# Arguments with which a function that locks when needed has nothing to write in an empty database.
NOTHING_TO_DO = {
    "honker_bootstrap": (),
    "honker_claim_batch": ("n", "w", 1, 60),
    "honker_jobs_apply": ("cancel", '{"queue": "n"}', None, 500),
    "honker_work": ("n", "w", 1, 60, "[]"),
}


@pytest.mark.parametrize("name", named("write_lock", "when_needed"))
def test_a_function_that_locks_when_needed_works_with_nothing_to_do(conn, connect, name):
    conn.execute("PRAGMA busy_timeout = 0")
    connect().execute("BEGIN IMMEDIATE")
    call(conn, name, *NOTHING_TO_DO[name])


def test_exactly_the_functions_that_act_outside_cannot_be_called_from_triggers_and_views(conn):
    flags = dict(rows(conn, "SELECT name, flags FROM pragma_function_list"))
    direct_only = {name for name in functions() if flags[name] & SQLITE_DIRECTONLY}
    assert direct_only == set(named("effect", "outside"))


def engine_effects():
    """The effect of each function in the table of the engine."""
    tables = [path.read_text() for path in ROOT.glob("crates/*/src/functions/mod.rs")]
    assert len(tables) == 1
    row = re.compile(r'row\(\s*"(\w+)",\s*&\[[\d, ]*\],\s*(\w+),')
    return {name: effect.lower() for name, effect in row.findall(tables[0])}


def test_the_effects_are_those_of_the_engine():
    """A function that locks when needed is a read to the engine, which opens no transaction for it."""
    declared = {
        name: "read" if function["write_lock"] == "when_needed" else function["effect"]
        for name, function in functions().items()
    }
    assert declared == engine_effects()
