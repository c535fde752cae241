"""Closing: kept statements must not keep a connection open.

The engine prepares each statement once per connection and keeps it. `sqlite3_close` fails on a connection with
remaining statements, so the engine must have finalised them by then. Python itself closes with `sqlite3_close_v2`,
which never fails and would leak silently; hence the C interface.
"""

import ctypes

import pytest

from .contract import examples, functions
from .loading import LIBRARY, SQLITE

OK, BUSY, ROW = 0, 5, 100
READ_WRITE_CREATE = 2 | 4

SQLITE.sqlite3_column_text.restype = ctypes.c_char_p
SQLITE.sqlite3_errmsg.restype = ctypes.c_char_p


class Database:
    """A connection through the C interface, extension loaded."""

    def __init__(self, path):
        self.handle = ctypes.c_void_p()
        assert SQLITE.sqlite3_open_v2(str(path).encode(), ctypes.byref(self.handle), READ_WRITE_CREATE, None) == OK
        SQLITE.sqlite3_busy_timeout(self.handle, 5000)  # a watcher reads at times, which takes a lock outside WAL mode
        self.load()

    def load(self):
        SQLITE.sqlite3_enable_load_extension(self.handle, 1)
        message = ctypes.c_char_p()
        code = SQLITE.sqlite3_load_extension(self.handle, str(LIBRARY).encode(), None, ctypes.byref(message))
        assert code == OK, message.value

    def prepare(self, sql):
        statement = ctypes.c_void_p()
        code = SQLITE.sqlite3_prepare_v2(self.handle, sql.encode(), -1, ctypes.byref(statement), None)
        assert code == OK, SQLITE.sqlite3_errmsg(self.handle)
        return statement

    def run(self, sql):
        """Step once and finalise. Returns the first column as text, or None after an error."""
        statement = self.prepare(sql)
        code = SQLITE.sqlite3_step(statement)
        result = SQLITE.sqlite3_column_text(statement, 0) if code == ROW else None
        SQLITE.sqlite3_finalize(statement)
        return result

    def close(self):
        return SQLITE.sqlite3_close(self.handle)


def use_everything(database):
    """Run the statements of all examples, including those that fail."""
    database.run("SELECT honker_bootstrap()")
    used = set()
    for name, _, steps in examples():
        database.run("DROP TABLE IF EXISTS temp.watch")  # some examples make it
        for step in steps:
            if "sql" in step:
                database.run(step["sql"])
                used.add(name)
    assert used == functions().keys()


@pytest.fixture
def database(path):
    return Database(path)


def test_a_connection_that_never_used_honker_closes(database):
    assert database.close() == OK


def test_a_connection_closes_after_calls_from_triggers_and_writes(database):
    """They run inside a statement that calls a function of the engine."""
    database.run("SELECT honker_bootstrap()")
    database.run("CREATE TABLE app (x)")
    database.run("CREATE TRIGGER tell AFTER INSERT ON app BEGIN SELECT notify('c', 'x'); END")
    database.run("INSERT INTO app VALUES (honker_lock_acquire('l', 'o', 60))")
    assert database.run("SELECT count(*) FROM _honker_notifications") == b"1"
    assert database.close() == OK


def test_a_connection_closes_after_every_function_has_been_used(database):
    use_everything(database)
    assert database.close() == OK


def test_a_connection_without_tables_closes_after_errors(database):
    for name, _, steps in examples():
        if name != "honker_bootstrap" and functions()[name]["effect"] != "outside":
            for step in steps:
                if f"{name}(" in step.get("sql", ""):
                    database.run(step["sql"])
    assert database.close() == OK


def test_a_refused_close_leaves_a_connection_that_works(database):
    """SQLite releases the owner of the statements before it finds a remaining statement of the host."""
    database.run("SELECT honker_bootstrap()")
    database.run("SELECT honker_enqueue('q', 'a', NULL, NULL, 0, 3, NULL)")
    left = database.prepare("SELECT 1")
    for round_ in (2, 3):
        assert database.close() == BUSY
        assert database.run("SELECT honker_enqueue('q', 'a', NULL, NULL, 0, 3, NULL)") == str(round_).encode()
        assert database.run("SELECT json_array_length(honker_claim_batch('q', 'w', 1, 60))") == b"1"
    use_everything(database)
    assert database.close() == BUSY
    SQLITE.sqlite3_finalize(left)
    assert database.run("SELECT honker_bootstrap()") == b"1"
    assert database.close() == OK


def test_a_close_is_refused_while_a_call_is_suspended_and_succeeds_after_it(database):
    database.run("SELECT honker_bootstrap()")
    call = database.prepare("SELECT honker_enqueue('q', value, NULL, NULL, 0, 3, NULL) FROM json_each('[\"a\",\"b\"]')")
    assert SQLITE.sqlite3_step(call) == ROW
    assert database.close() == BUSY
    assert SQLITE.sqlite3_step(call) == ROW
    assert SQLITE.sqlite3_column_text(call, 0) == b"2"
    SQLITE.sqlite3_finalize(call)
    assert database.close() == OK


def test_a_connection_that_loaded_the_extension_twice_closes(database):
    database.run("SELECT honker_bootstrap()")
    database.run("SELECT honker_enqueue('q', 'a', NULL, NULL, 0, 3, NULL)")
    database.load()
    assert database.run("SELECT honker_enqueue('q', 'a', NULL, NULL, 0, 3, NULL)") == b"2"
    use_everything(database)
    assert database.close() == OK


def test_a_schema_change_by_the_host_does_not_disturb_kept_statements(database):
    database.run("SELECT honker_bootstrap()")
    for n in range(1, 4):
        database.run(f"CREATE TABLE app_{n} (x)")
        assert database.run("SELECT honker_enqueue('q', 'a', NULL, NULL, 0, 3, NULL)") == str(n).encode()
    database.run("VACUUM")
    assert database.run("SELECT json_array_length(honker_claim_batch('q', 'w', 9, 60))") == b"3"
    assert database.close() == OK


def test_many_connections_in_turn_close(path):
    for n in range(50):
        database = Database(path)
        database.run("SELECT honker_bootstrap()")
        assert database.run("SELECT honker_enqueue('q', 'a', NULL, NULL, 0, 3, NULL)") == str(n + 1).encode()
        assert database.close() == OK
