"""Calls of functions on connections of the pool, which go below psycopg's cursors."""

import contextlib
import math

import honker
import pytest
from honker.errors import InvalidArgumentError
from honker.postgres.connection import PREPARE_AT, PoolConnection


@pytest.fixture
def raw(url):
    with PoolConnection.connect(url, autocommit=True) as connection:
        yield connection


def prepared(raw):
    """The statements that honker has prepared in the session."""
    rows = raw.execute("SELECT statement FROM pg_prepared_statements WHERE name LIKE 'honker%' ORDER BY name")
    return [statement for (statement,) in rows.fetchall()]


@pytest.mark.parametrize(
    "value", ["", "ä 🦀", "'; --", 0, -1, 2**62, -(2**63), 1.5, -1e300, math.inf, True, None], ids=repr
)
def test_a_value_comes_back_as_it_went_in(raw, value):
    kind = {str: "text", int: "bigint", float: "double precision", bool: "bigint"}.get(type(value), "text")
    for _ in range(PREPARE_AT + 1):  # sent as a text first, and then prepared
        assert raw.call(f"SELECT ?::{kind}", (value,)) == value


def test_arguments_are_taken_in_the_order_of_their_numbers(raw):
    assert raw.call("SELECT ?2 || ?1 || ?2", ("a", "b")) == "bab"


def test_a_result_of_another_type_is_converted_as_by_a_cursor(raw):
    for sql in ("SELECT '{1,2}'::bigint[]", "SELECT true", "SELECT 1.25", "SELECT '{\"a\": 1}'::json"):
        assert raw.call(sql, ()) == raw.execute(sql).fetchone()[0]


def test_a_statement_is_prepared_when_it_is_used_again(raw):
    for _ in range(PREPARE_AT - 1):
        raw.call("SELECT ?::bigint", (1,))
    assert prepared(raw) == []
    raw.call("SELECT ?::bigint", (1,))
    assert prepared(raw) == ["SELECT $1::bigint"]
    raw.call("SELECT ?::bigint", (2**40,))
    assert prepared(raw) == ["SELECT $1::bigint"]


@pytest.mark.parametrize("value", ["a\0b", 2**63, b"bytes"], ids=repr)
def test_a_value_of_no_such_type_is_refused_as_by_a_cursor(url, value):
    with honker.open(url) as db:
        for _ in range(PREPARE_AT + 1):
            with pytest.raises(InvalidArgumentError):
                db.engine.call("SELECT honker_enqueue('q', '{}', NULL, NULL, ?, 3, NULL)", value)


@pytest.mark.parametrize("method", ["execute", "query"])
def test_calls_go_on_after_the_application_has_removed_the_prepared_statements(url, method):
    with honker.open(url) as db:
        queue = db.queue("q")
        for number in range(PREPARE_AT + 1):
            queue.enqueue(number)
        with db.transaction() as tx:
            queue.enqueue("before", tx=tx)
            getattr(tx, method)("DEALLOCATE ALL")
            queue.enqueue("after", tx=tx)
        queue.enqueue("then")
        assert len(queue.claim_batch("w", 100)) == PREPARE_AT + 4


def test_a_transaction_may_follow_one_that_was_rolled_back(url):
    """psycopg removes all prepared statements of a session after a ROLLBACK, if one of them is its own."""
    with honker.open(url) as db:
        queue = db.queue("q")
        for number in range(20):  # enough for psycopg to prepare BEGIN and COMMIT
            with db.transaction() as tx:
                queue.enqueue(number, tx=tx)
        with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
            queue.enqueue("never", tx=tx)
            raise ZeroDivisionError
        with db.transaction() as tx:
            queue.enqueue("then", tx=tx)
        assert len(queue.claim_batch("w", 100)) == 21


@pytest.mark.parametrize("sql", ["DROP TABLE old", "ALTER TABLE old ADD COLUMN a bigint"])
def test_calls_go_on_in_a_transaction_that_changes_the_schema(url, conn, sql):
    conn.execute("CREATE TABLE public.old (id bigint)")
    with honker.open(url) as db:
        queue = db.queue("q")
        for number in range(20):
            with db.transaction() as tx:
                queue.enqueue(number, tx=tx)
        with db.transaction() as tx:
            queue.enqueue("before", tx=tx)
            tx.execute(sql)
            queue.enqueue("after", tx=tx)
        assert len(queue.claim_batch("w", 100)) == 22


def test_calls_go_on_after_a_function_has_removed_the_prepared_statements(raw):
    for number in range(PREPARE_AT):
        raw.call("SELECT ?::bigint", (number,))
    raw.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
    assert raw.call("SELECT ?::bigint", (7,)) == 7
    assert len(prepared(raw)) == 1


def test_calls_go_on_after_a_function_was_replaced_by_one_with_another_type_of_result(raw, conn):
    conn.execute("CREATE FUNCTION honker.honker_size() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'")
    for _ in range(PREPARE_AT):
        assert raw.call("SELECT honker_size()", ()) == 1
    conn.execute("DROP FUNCTION honker.honker_size()")
    conn.execute("CREATE FUNCTION honker.honker_size() RETURNS text LANGUAGE sql AS $$SELECT 'small'$$")
    for _ in range(2):
        assert raw.call("SELECT honker_size()", ()) == "small"


def test_a_text_is_sent_in_the_encoding_of_the_session(raw):
    raw.execute("SET client_encoding = latin1")
    assert raw.call("SELECT ?::text", ("äöü",)) == "äöü"
    assert raw.call("SELECT octet_length(?::text)", ("äöü",)) == 6


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
@pytest.mark.parametrize("place", ["URL", "environment", "database"])
def test_a_handle_speaks_utf8_whatever_encoding_is_set_elsewhere(url, conn, monkeypatch, place, encoding):
    if place == "URL":
        url += f"&client_encoding={encoding}"
    elif place == "environment":
        monkeypatch.setenv("PGCLIENTENCODING", encoding)
    else:
        conn.execute(f"ALTER DATABASE {conn.info.dbname} SET client_encoding = '{encoding}'")
    with honker.open(url) as db:
        queue = db.queue("€")
        for _ in range(PREPARE_AT + 1):
            queue.enqueue("🦀")
        assert [(job.queue_name, job.payload) for job in queue.claim_batch("w", 10)] == [("€", "🦀")] * (PREPARE_AT + 1)
        assert db.query("SELECT %s AS text", ["€"]) == [{"text": "€"}]


def test_a_failed_call_leaves_the_connection_usable(url):
    with honker.open(url) as db:
        for _ in range(PREPARE_AT + 1):
            with pytest.raises(InvalidArgumentError, match="queue is empty"):
                db.engine.call("SELECT honker_enqueue(?, '{}', NULL, NULL, 0, 3, NULL)", "")
        assert db.queue("q").enqueue(1) > 0
