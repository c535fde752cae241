"""Reading: committed rows as dicts, on connections that cannot write."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import honker
import pytest
from honker import (
    DatabaseBusyError,
    DatabaseClosedError,
    DatabaseError,
    DatabaseReadOnlyError,
    UnsupportedParameterError,
)

from ..support.locking import is_locked
from ..support.waiting import wait_until

pytestmark = pytest.mark.sqlite_only("the values, errors and readers of sqlite3")


def test_a_row_is_a_dict_by_column_label_in_order(db):
    (row,) = db.query("SELECT 1 AS b, 'x' AS a, NULL AS c")
    assert row == {"b": 1, "a": "x", "c": None}
    assert list(row) == ["b", "a", "c"]


def test_of_two_columns_with_one_label_the_last_wins(db):
    assert db.query("SELECT 1 AS a, 2 AS a") == [{"a": 2}]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("NULL", None),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775807 - 1", -(2**63)),
        ("2.5", 2.5),
        ("'ä€𝄞'", "ä€𝄞"),
        ("''", ""),
        ("x'00ff'", b"\x00\xff"),
        ("x''", b""),
    ],
)
def test_a_value_has_the_type_that_sql_gave_it(db, sql, value):
    (row,) = db.query(f"SELECT {sql} AS v")
    assert row["v"] == value
    assert type(row["v"]) is type(value)


@pytest.mark.parametrize("value", [None, True, 5, -(2**63), 2**63 - 1, 2.5, "ä", "a\0b", b"", b"\x00\xff"], ids=repr)
def test_a_parameter_comes_back_as_it_went_in(db, value):
    assert db.query("SELECT ? AS v", [value]) == [{"v": value}]


@pytest.mark.parametrize("params", [[1, 2], (1, 2), iter([1, 2])], ids=["list", "tuple", "iterator"])
def test_parameters_are_positional(db, params):
    assert db.query("SELECT ? AS a, ? AS b", params) == [{"a": 1, "b": 2}]


@pytest.mark.parametrize("params", [{"a": 1}, "a", b"a", 5])
def test_parameters_of_another_shape_are_refused(db, params):
    with pytest.raises(UnsupportedParameterError, match="positional sequence"):
        db.query("SELECT :a", params)


@pytest.mark.parametrize("value", [object(), [1], bytearray(b"x"), 2**63])
def test_a_parameter_that_sql_cannot_hold_is_refused(db, value):
    with pytest.raises(UnsupportedParameterError):
        db.query("SELECT ?", [value])


def test_text_that_is_no_utf_8_is_an_error_and_not_something_else(db):
    with pytest.raises(DatabaseError, match="UTF-8"):
        db.query("SELECT CAST(x'ff' AS TEXT) AS v")


@pytest.mark.parametrize(("params", "counts"), [(None, "Got 0, needed 1"), ([1, 2], "Got 2, needed 1")])
def test_a_wrong_number_of_parameters_is_refused(db, params, counts):
    with pytest.raises(DatabaseError, match=f"Wrong number of parameters passed to query. {counts}"):
        db.query("SELECT ?", params)


def test_several_statements_at_once_are_refused(db):
    with pytest.raises(DatabaseError, match="Multiple statements provided"):
        db.query("SELECT 1; SELECT 2")


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT * FROM nowhere", "SELECT nothing()", "SELECT '\0'"])
def test_a_statement_in_error_is_a_database_error(db, sql):
    with pytest.raises(DatabaseError):
        db.query(sql)
    assert db.query("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a INTEGER)",
        "DELETE FROM _honker_meta",
        "INSERT INTO _honker_meta VALUES ('a', 1)",
        "SELECT honker_enqueue('q', '1', NULL, NULL, 0, 3, NULL)",
        "SELECT honker_claim_batch('q', 'w', 1, 60)",
        "PRAGMA user_version = 7",
    ],
)
def test_a_query_that_writes_is_refused(db, sql):
    db.queue("q").enqueue(1)
    with pytest.raises(DatabaseReadOnlyError, match="readonly"):
        db.query(sql)
    assert db.query("SELECT state FROM _honker_live") == [{"state": "pending"}]


def test_a_query_sees_what_is_committed_while_a_transaction_is_open(db):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE t (a INTEGER)")
    with db.transaction() as tx:
        tx.execute("INSERT INTO t VALUES (1)")
        assert db.query("SELECT * FROM t") == []
    assert db.query("SELECT * FROM t") == [{"a": 1}]


def test_a_transaction_begun_by_a_query_is_not_left_in_the_pool(path):
    with honker.open(path, max_readers=1) as db:
        db.query("BEGIN")
        assert db.query("SELECT count(*) AS n FROM _honker_live") == [{"n": 0}]
        db.queue("q").enqueue(1)  # invisible inside an older open transaction
        assert db.query("SELECT count(*) AS n FROM _honker_live") == [{"n": 1}]
        assert not is_locked(path)


def test_readers_are_shared_and_waited_for(path):
    """One reader and eight threads: all get their rows in turn."""
    with honker.open(path, max_readers=1) as db:
        results = []
        threads = [
            threading.Thread(target=lambda: [results.append(db.query("SELECT 1 AS a")) for _ in range(20)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [[{"a": 1}]] * 160
        assert len(db.engine.current._readers._idle) == 1


def test_a_reader_that_is_busy_is_waited_for(path):
    with honker.open(path, max_readers=1) as db:
        rows = []
        thread = threading.Thread(target=lambda: rows.extend(db.query("SELECT 1 AS a")))
        with db.engine.current._readers.lend():
            thread.start()
            thread.join(timeout=0.05)
            assert rows == []
        thread.join()
        assert rows == [{"a": 1}]


def test_an_event_loop_waits_for_no_reader(path, monkeypatch):
    """Handlers in threads may hold all of them, and only the event loop can end those handlers."""
    monkeypatch.setattr("honker.sqlite.readers.READER_TIMEOUT_S", 0.2)
    with honker.open(path, max_readers=1) as db, db.engine.current._readers.lend():
        assert asyncio.run(db.lock("l").aheld_until()) is None


def test_a_thread_waits_for_a_reader_only_so_long(path, monkeypatch):
    monkeypatch.setattr("honker.sqlite.readers.READER_TIMEOUT_S", 0.05)
    refused = pytest.raises(DatabaseBusyError, match=r"all 1 reading connections .* raise max_readers")
    with honker.open(path, max_readers=1) as db, db.engine.current._readers.lend(), refused:
        db.query("SELECT 1")


def test_no_more_readers_are_opened_than_allowed(path):
    with honker.open(path, max_readers=2) as db:
        barrier = threading.Barrier(2)

        def read():
            with db.engine.current._readers.lend():
                barrier.wait(timeout=10)

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _ in range(10):
            db.query("SELECT 1")
        wait_until(lambda: len(db.engine.current._readers._idle) == 2)


def test_who_waits_for_a_reader_is_told_that_the_database_is_closed(path):
    db = honker.open(path, max_readers=1)
    with db.engine.current._readers.lend() as reader, ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(db.query, "SELECT 1") for _ in range(2)]
        wait_until(lambda: len(db.engine.current._readers._returned._waiters) == 2)
        db.close()
        for each in waiting:
            with pytest.raises(DatabaseClosedError):
                each.result(timeout=10)
    with pytest.raises(DatabaseClosedError):
        _ = reader.raw


def test_a_reader_that_cannot_be_opened_leaves_its_place_free(path, monkeypatch):
    with honker.open(path, max_readers=1) as db:
        with monkeypatch.context() as patched:
            patched.setattr("honker.sqlite.engine.Connection", lambda *_args, **_options: 1 / 0)
            for _ in range(2):
                with pytest.raises(ZeroDivisionError):
                    db.query("SELECT 1")
        assert db.query("SELECT 1 AS a") == [{"a": 1}]
