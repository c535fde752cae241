"""Transactions that SQLite or the application ends inside their block: later writes must not commit separately."""

import contextlib

import pytest
from honker import ConstraintError, DatabaseError, TransactionNotStartedError

from ..support.locking import ask

pytestmark = pytest.mark.sqlite_only("SQLite ends a transaction by itself")

HONKERS = {
    "enqueue": lambda db, tx: db.queue("q").enqueue(2, tx=tx),
    "publish": lambda db, tx: db.stream("t").publish(2, tx=tx),
    "notify": lambda db, tx: tx.notify("c", 2),
    "claim": lambda db, tx: db.queue("q").claim_one("w", tx=tx),
}
APPLICATIONS = {
    "execute": lambda db, tx: tx.execute("INSERT INTO orders VALUES (2)"),
    "query": lambda db, tx: tx.query("SELECT 1"),
    "begin": lambda db, tx: tx.execute("BEGIN"),
}


def end_from_within(db, path, how, uses):
    """End a block's transaction in the middle, and check that each later use raises."""
    with db.transaction() as tx:
        tx.execute("CREATE TABLE orders (n INTEGER UNIQUE)")
        tx.execute("INSERT INTO orders VALUES (1)")
    with pytest.raises(DatabaseError, match="no transaction is active"), db.transaction() as tx:  # noqa: PT012
        for n in range(20):
            db.queue("q").enqueue(n, tx=tx)
        with contextlib.suppress(ConstraintError):
            tx.execute(how)
        for use in uses:
            with pytest.raises(TransactionNotStartedError, match="has ended inside its with block"):
                use(db, tx)
    assert ask(path, "SELECT id FROM _honker_live") == ask(path, "SELECT offset FROM _honker_stream") == []
    assert ask(path, "SELECT n FROM orders") == [(1,)]


@pytest.mark.parametrize("name", [*HONKERS, *APPLICATIONS])
def test_what_follows_after_sqlite_rolled_back_is_not_committed_by_itself(db, path, name):
    end_from_within(db, path, "INSERT OR ROLLBACK INTO orders VALUES (1)", [(HONKERS | APPLICATIONS)[name]])


def test_what_was_to_belong_to_a_transaction_that_the_application_ended_is_refused(db, path):
    end_from_within(db, path, "ROLLBACK", HONKERS.values())


def test_that_the_application_ended_the_last_block_does_not_count_in_the_next(db, path):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE orders (n INTEGER UNIQUE)")
        tx.execute("INSERT INTO orders VALUES (1)")
    transaction = db.transaction()
    with pytest.raises(DatabaseError, match="no transaction is active"), transaction as tx:
        tx.execute("COMMIT")
    with pytest.raises(TransactionNotStartedError), transaction as tx:  # noqa: PT012
        with pytest.raises(ConstraintError):
            tx.execute("INSERT OR ROLLBACK INTO orders VALUES (1)")
        tx.execute("INSERT INTO orders VALUES (2)")
    assert ask(path, "SELECT n FROM orders") == [(1,)]


def test_an_application_that_ended_the_transaction_may_go_on_as_it_likes(db, path):
    with db.transaction() as tx:
        for n in range(20):
            db.queue("q").enqueue(n, tx=tx)
        tx.execute("COMMIT")
        tx.execute("VACUUM")
        assert tx.query("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
        tx.execute("-- once more\nBEGIN")
        assert db.queue("q").enqueue(20, tx=tx) == 21
    assert ask(path, "SELECT payload FROM _honker_live ORDER BY id") == [(str(n),) for n in range(21)]
