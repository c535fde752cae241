"""``tx=``: an operation as part of a transaction of the application, for every kind of connection."""

import asyncio
import sqlite3
import threading

import honker
import pytest
import sqlalchemy
from honker import (
    DatabaseBusyError,
    DatabaseError,
    HonkerError,
    InvalidArgumentError,
    NotBootstrappedError,
    StaleSnapshotError,
)
from sqlalchemy.orm import Session

from ..support.locking import ask, write_lock_elsewhere

pytestmark = pytest.mark.sqlite_only("connections of sqlite3")


@pytest.fixture
def orders(db):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    return db


@pytest.fixture
def open_connection(orders, path):
    """Open ``sqlite3`` connections with the engine loaded, and close them after the test."""
    opened = []

    def connect(**options):
        opened.append(honker.connect(path, **options))
        return opened[-1]

    yield connect
    for conn in opened:
        conn.close()


@pytest.fixture
def alchemy(orders, path):
    made = sqlalchemy.create_engine(
        "sqlite://", creator=lambda: honker.connect(path), poolclass=sqlalchemy.pool.NullPool
    )
    yield made
    made.dispose()


@pytest.fixture
def queue(orders):
    return orders.queue("q")


class Text(str):
    """A string class of an application."""

    __slots__ = ()


class DjangoConnection:
    """Like ``django.db.connection``: autocommit below, explicit transactions, connected at first use."""

    def __init__(self, path):
        self._path = path
        self.connection = None

    def ensure_connection(self):
        if self.connection is None:
            self.connection = honker.connect(self._path, isolation_level=None)


def pending(path):
    return ask(path, "SELECT id FROM _honker_live WHERE state = 'pending' ORDER BY id")


def placed(path):
    return ask(path, "SELECT count(*) FROM orders")[0][0]


ORDER = "INSERT INTO orders DEFAULT VALUES"


# ------------------------------------------------------------------------------------------------- a honker.Transaction


def test_a_job_exists_if_the_transaction_commits(orders, queue, path):
    with orders.transaction() as tx:
        tx.execute(ORDER)
        queue.enqueue(1, tx=tx)
        assert pending(path) == []
    assert pending(path) == [(1,)]


def test_a_job_does_not_exist_if_the_transaction_rolls_back(orders, queue, path):
    with pytest.raises(ZeroDivisionError), orders.transaction() as tx:  # noqa: PT012
        queue.enqueue(1, tx=tx)
        raise ZeroDivisionError
    assert pending(path) == []


def test_an_asynchronous_operation_joins_a_transaction(orders, queue, path):
    async def main():
        async with orders.transaction() as tx:
            await queue.aenqueue(1, tx=tx)
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            async with orders.transaction() as tx:
                await queue.aenqueue(2, tx=tx)
                raise ZeroDivisionError

    asyncio.run(main())
    assert pending(path) == [(1,)]


def test_a_handler_writes_and_acknowledges_in_one_commit(orders, queue, path):
    queue.enqueue(1)
    job = queue.claim_one("w")
    with pytest.raises(ZeroDivisionError), orders.transaction() as tx:  # noqa: PT012
        tx.execute(ORDER)
        assert job.ack(tx=tx)
        raise ZeroDivisionError
    assert placed(path) == 0
    assert queue.get_job(job.id)["state"] == "processing"
    with orders.transaction() as tx:
        tx.execute(ORDER)
        assert job.ack(tx=tx)
    assert placed(path) == 1
    assert queue.get_job(job.id) is None


OPERATIONS = {
    "queue.enqueue": lambda queue, job, tx: queue.enqueue(5, tx=tx),
    "queue.claim_one": lambda queue, job, tx: queue.claim_one("v", tx=tx),
    "queue.claim_batch": lambda queue, job, tx: queue.claim_batch("v", 2, tx=tx),
    "queue.ack": lambda queue, job, tx: queue.ack(job.id, "w", tx=tx),
    "queue.ack_batch": lambda queue, job, tx: queue.ack_batch([job], "w", tx=tx),
    "queue.retry": lambda queue, job, tx: queue.retry(job.id, "w", 5, "e", tx=tx),
    "queue.fail": lambda queue, job, tx: queue.fail(job.id, "w", "e", tx=tx),
    "queue.heartbeat": lambda queue, job, tx: queue.heartbeat(job.id, "w", 999, tx=tx),
    "queue.cancel": lambda queue, job, tx: queue.cancel(job.id, tx=tx),
    "queue.pause": lambda queue, job, tx: queue.pause(tx=tx),
    "queue.sweep_expired": lambda queue, job, tx: queue.sweep_expired(tx=tx),
    "queue.save_result": lambda queue, job, tx: queue.save_result(job.id, 1, tx=tx) or True,
    "queue.sweep_results": lambda queue, job, tx: queue.sweep_results(tx=tx),
    "job.ack": lambda queue, job, tx: job.ack(tx=tx),
    "job.retry": lambda queue, job, tx: job.retry(5, "e", tx=tx),
    "job.fail": lambda queue, job, tx: job.fail("e", tx=tx),
    "job.heartbeat": lambda queue, job, tx: job.heartbeat(999, tx=tx),
    "db.cancel": lambda queue, job, tx: queue.db.cancel(job.id, tx=tx),
}


def prepared(queue):
    """A leased job, a waiting one, an expired one and an expired result: each operation has work."""
    queue.enqueue(1)
    queue.enqueue(2)
    expired = queue.enqueue(3, expires=60)
    queue.save_result(expired, 1, ttl=60)
    with queue.db.transaction() as tx:
        tx.execute("UPDATE _honker_live SET expires_at = 1 WHERE id = ?", [expired])
        tx.execute("UPDATE _honker_results SET expires_at = 1 WHERE job_id = ?", [expired])
    return queue.claim_one("w")


def contents(path):
    return [
        ask(path, f"SELECT * FROM {table}")
        for table in ("_honker_live", "_honker_dead", "_honker_queues", "_honker_results")
    ]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_takes_effect_with_the_transaction_and_not_before(orders, queue, path, name):
    job = prepared(queue)
    before = contents(path)
    with pytest.raises(ZeroDivisionError), orders.transaction() as tx:  # noqa: PT012
        assert OPERATIONS[name](queue, job, tx)
        assert contents(path) == before
        raise ZeroDivisionError
    assert contents(path) == before
    with orders.transaction() as tx:
        assert OPERATIONS[name](queue, job, tx)
    assert contents(path) != before


def test_reading_through_a_transaction_sees_what_it_wrote(orders, queue):
    with orders.transaction() as tx:
        job_id = queue.enqueue(1, tx=tx)
        queue.save_result(job_id, "r", tx=tx)
        assert queue.get_job(job_id) is None
        assert queue.get_job(job_id, tx=tx)["payload"] == "1"
        assert orders.get_job(job_id, tx=tx)["id"] == job_id
        assert queue.get_result(job_id, tx=tx) == (True, "r")
        assert queue.next_claim_at(tx=tx) is not None
        assert queue.is_claimable(tx=tx)
        assert not queue.is_claimable()


# ------------------------------------------------------------------------------------------------- a sqlite3.Connection


def test_a_connection_begins_as_an_insert_would_and_its_commit_decides(open_connection, queue, path):
    conn = open_connection()
    queue.enqueue(1, tx=conn)
    assert conn.in_transaction
    assert pending(path) == []
    conn.execute(ORDER)
    conn.commit()
    assert pending(path) == [(1,)]
    assert placed(path) == 1


def test_a_connection_that_rolls_back_takes_the_job_along(open_connection, queue, path):
    conn = open_connection()
    conn.execute(ORDER)
    queue.enqueue(1, tx=conn)
    conn.rollback()
    assert pending(path) == []
    assert placed(path) == 0


def test_a_connection_as_a_context_manager_decides_too(open_connection, queue, path):
    conn = open_connection()
    with conn:
        queue.enqueue(1, tx=conn)
    with pytest.raises(ZeroDivisionError), conn:  # noqa: PT012
        queue.enqueue(2, tx=conn)
        raise ZeroDivisionError
    assert pending(path) == [(1,)]


@pytest.mark.parametrize("isolation_level", ["", "DEFERRED", "IMMEDIATE", "EXCLUSIVE"])
def test_a_connection_of_any_isolation_level_carries_an_operation(open_connection, queue, path, isolation_level):
    conn = open_connection(isolation_level=isolation_level)
    queue.enqueue(1, tx=conn)
    conn.commit()
    assert pending(path) == [(1,)]


def test_a_connection_in_autocommit_without_a_transaction_is_refused(open_connection, queue, path):
    conn = open_connection(isolation_level=None)
    with pytest.raises(InvalidArgumentError, match=r"autocommit mode.*begin one"):
        queue.enqueue(1, tx=conn)
    assert pending(path) == []


def test_a_connection_in_autocommit_with_a_transaction_carries_an_operation(open_connection, queue, path):
    conn = open_connection(isolation_level=None)
    conn.execute("BEGIN")
    queue.enqueue(1, tx=conn)
    assert pending(path) == []
    conn.execute("COMMIT")
    assert pending(path) == [(1,)]


@pytest.mark.skipif(not hasattr(sqlite3, "LEGACY_TRANSACTION_CONTROL"), reason="Python 3.12 brought `autocommit`")
def test_a_connection_with_the_new_transaction_control_carries_an_operation(open_connection, queue, path):
    conn = open_connection(autocommit=False)
    queue.enqueue(1, tx=conn)
    assert pending(path) == []
    conn.commit()
    assert pending(path) == [(1,)]
    with pytest.raises(InvalidArgumentError, match="autocommit"):
        queue.enqueue(2, tx=open_connection(autocommit=True))


def test_a_connection_that_reads_already_carries_an_operation(open_connection, queue, path):
    conn = open_connection()
    conn.execute("BEGIN")
    conn.execute("SELECT * FROM orders").fetchall()
    queue.enqueue(1, tx=conn)
    conn.commit()
    assert pending(path) == [(1,)]


def test_a_connection_whose_snapshot_is_out_of_date_is_told_so(open_connection, queue, path):
    conn = open_connection()
    conn.execute("BEGIN")
    conn.execute("SELECT * FROM orders").fetchall()
    queue.enqueue(1)
    for _ in range(2):
        with pytest.raises(StaleSnapshotError, match=r"roll back and begin again.*BEGIN IMMEDIATE"):
            queue.enqueue(2, tx=conn)
    conn.rollback()
    queue.enqueue(2, tx=conn)
    conn.commit()
    assert pending(path) == [(1,), (2,)]


def test_a_connection_that_gets_no_lock_says_so(open_connection, queue, path):
    conn = open_connection(timeout=0.1)
    with write_lock_elsewhere(path), pytest.raises(DatabaseBusyError):
        queue.enqueue(1, tx=conn)
    assert not conn.in_transaction


def test_an_operation_that_fails_leaves_the_transaction_of_the_connection_open(open_connection, queue, path):
    conn = open_connection()
    conn.execute(ORDER)
    with pytest.raises(InvalidArgumentError, match="priority"):
        queue.enqueue(1, tx=conn, priority=2**60)
    assert conn.in_transaction
    conn.commit()
    assert placed(path) == 1


@pytest.mark.parametrize(
    "factory",
    [sqlite3.Row, lambda cursor, row: dict(zip([column[0] for column in cursor.description], row, strict=True))],
    ids=["sqlite3.Row", "dict"],
)
def test_a_connection_may_have_a_row_factory(open_connection, queue, path, factory):
    conn = open_connection()
    conn.row_factory = factory
    assert queue.enqueue(1, tx=conn) == 1
    conn.commit()
    assert queue.claim_one("w", tx=conn).payload == 1
    conn.rollback()
    assert pending(path) == [(1,)]


@pytest.mark.parametrize("factory", [bytes, bytearray, memoryview, lambda text: Text(text, "utf-8")])
def test_a_connection_may_have_a_text_factory(open_connection, queue, factory):
    conn = open_connection()
    conn.text_factory = factory
    queue.enqueue({"to": "ä"}, tx=conn)
    job = queue.claim_one("w", tx=conn)
    assert job.payload == {"to": "ä"}
    assert queue.get_job(job.id, tx=conn)["worker_id"] == "w"
    queue.save_result(job.id, "ä", tx=conn)
    assert queue.get_result(job.id, tx=conn) == (True, "ä")
    conn.rollback()


def test_a_subclass_of_connection_carries_an_operation(open_connection, queue, path):
    class Mine(sqlite3.Connection):
        pass

    conn = open_connection(factory=Mine)
    queue.enqueue(1, tx=conn)
    conn.commit()
    assert pending(path) == [(1,)]


def test_a_connection_without_the_engine_says_how_to_load_it(orders, queue, path):
    conn = sqlite3.connect(path)
    with pytest.raises(InvalidArgumentError, match=r"no such function.*honker\.load_extension.*honker\.connect"):
        queue.enqueue(1, tx=conn)
    conn.close()


def test_a_transaction_that_cannot_see_the_tables_says_so(orders, queue, open_connection):
    with pytest.raises(ZeroDivisionError), orders.transaction() as tx:  # noqa: PT012
        for (table,) in ask(orders.path, "SELECT name FROM sqlite_schema WHERE name = '_honker_live'"):
            tx.execute(f"DROP TABLE {table}")
        with pytest.raises(NotBootstrappedError, match="honker_bootstrap"):
            queue.enqueue(1, tx=tx)
        raise ZeroDivisionError


# ----------------------------------------------------------------------------------------------------- another database


@pytest.fixture
def other(tmp_path):
    with honker.open(tmp_path / "other.db") as handle:
        yield handle


CARRIED = {
    "enqueue": lambda queue, tx: queue.enqueue(1, tx=tx),
    "enqueue with options": lambda queue, tx: queue.enqueue(1, tx=tx, priority=2, delay=3),
    "ack": lambda queue, tx: queue.ack(1, "w", tx=tx),
    "get_job": lambda queue, tx: queue.get_job(1, tx=tx),
    "publish": lambda queue, tx: queue.db.stream("s").publish(1, tx=tx),
    "aenqueue": lambda queue, tx: asyncio.run(queue.aenqueue(1, tx=tx)),
}


@pytest.mark.parametrize("name", CARRIED)
def test_a_transaction_of_another_database_is_refused(queue, other, path, name):
    with (
        other.transaction() as tx,
        pytest.raises(InvalidArgumentError, match=r"tx is a transaction of '.*other\.db'.*'.*app\.db'"),
    ):
        CARRIED[name](queue, tx)
    assert pending(other.path) == pending(path) == []


@pytest.mark.parametrize("name", CARRIED)
@pytest.mark.parametrize("factory", [sqlite3.Row, None])
def test_a_connection_to_another_database_is_refused(queue, other, path, name, factory):
    conn = honker.connect(other.path)
    conn.row_factory = factory
    conn.execute("ATTACH ? AS app", (str(path),))  # functions act on the main database of a connection
    with pytest.raises(InvalidArgumentError, match=r"tx is a transaction of '.*other\.db'.*'.*app\.db'"):
        CARRIED[name](queue, conn)
    assert not conn.in_transaction
    conn.close()
    assert pending(other.path) == pending(path) == []


def test_an_attached_database_does_not_count(queue, open_connection, other, path):
    conn = open_connection()
    conn.execute("ATTACH ? AS other", (other.path,))
    queue.enqueue(1, tx=conn)
    conn.commit()
    assert pending(path) == [(1,)]


@pytest.mark.parametrize("target", [":memory:", ""])
def test_a_connection_to_no_file_is_refused(queue, target):
    conn = honker.connect(target)
    with pytest.raises(InvalidArgumentError, match="temporary or in-memory"):
        queue.enqueue(1, tx=conn)
    conn.close()


def test_another_handle_on_the_same_file_is_accepted_through_any_link(queue, path, tmp_path):
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "link.db").symlink_to(path)
    for name in (str(path), f"file:{path}", str(tmp_path / "folder" / "link.db")):
        with honker.open(name) as handle, handle.transaction() as tx:
            queue.enqueue(1, tx=tx)
        conn = honker.connect(name, uri=name.startswith("file:"))
        queue.enqueue(1, tx=conn)
        conn.commit()
        conn.close()
    assert len(pending(path)) == 6


def test_a_hard_link_is_refused_because_its_wal_is_another_file(queue, path, tmp_path):
    (tmp_path / "hard.db").hardlink_to(path)
    conn = honker.connect(tmp_path / "hard.db")
    with pytest.raises(InvalidArgumentError, match=r"hard link.*-wal"):
        queue.enqueue(1, tx=conn)
    conn.close()
    queue.enqueue(2)
    assert len(pending(path)) == 1


def test_a_closed_connection_is_an_error_of_honker(open_connection, queue):
    conn = open_connection()
    conn.close()
    with pytest.raises(DatabaseError, match="closed"):
        queue.enqueue(1, tx=conn)


def test_a_connection_of_another_thread_is_an_error_of_honker(open_connection, queue):
    conn, errors = open_connection(), []

    def use():
        try:
            queue.enqueue(1, tx=conn)
        except HonkerError as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "thread" in str(errors[0])


@pytest.mark.parametrize("tx", [5, "transaction", object(), sqlite3, [], True])
def test_something_that_is_no_transaction_is_refused(queue, path, tx):
    with pytest.raises(InvalidArgumentError, match=r"tx is .*pass a"):
        queue.enqueue(1, tx=tx)
    assert pending(path) == []


def test_a_cursor_is_refused(open_connection, queue):
    with pytest.raises(InvalidArgumentError, match="tx is Cursor"):
        queue.enqueue(1, tx=open_connection().cursor())


# ----------------------------------------------------------------------------------------------------------------- ORMs


def test_a_connection_of_sqlalchemy_carries_an_operation(alchemy, queue, path):
    with alchemy.begin() as conn:
        conn.execute(sqlalchemy.text(ORDER))
        queue.enqueue(1, tx=conn)
        assert pending(path) == []
    assert pending(path) == [(1,)]
    assert placed(path) == 1


def test_a_connection_of_sqlalchemy_that_rolls_back_takes_the_job_along(alchemy, queue, path):
    with alchemy.connect() as conn:
        queue.enqueue(1, tx=conn)
        conn.execute(sqlalchemy.text(ORDER))
        conn.rollback()
    assert pending(path) == []
    assert placed(path) == 0


def test_a_connection_of_sqlalchemy_commits_what_only_honker_wrote(alchemy, queue, path):
    with alchemy.begin() as conn:
        queue.enqueue(1, tx=conn)
    with alchemy.connect() as conn:
        queue.enqueue(2, tx=conn)
        conn.commit()
    assert pending(path) == [(1,), (2,)]


def test_a_session_of_sqlalchemy_carries_an_operation(alchemy, queue, path):
    with Session(alchemy) as session, session.begin():
        session.execute(sqlalchemy.text(ORDER))
        queue.enqueue(1, tx=session)
        assert pending(path) == []
    with pytest.raises(ZeroDivisionError), Session(alchemy) as session, session.begin():  # noqa: PT012
        queue.enqueue(2, tx=session)
        raise ZeroDivisionError
    with Session(alchemy) as session:
        queue.enqueue(3, tx=session)
        session.commit()
    assert [job.payload for job in queue.claim_batch("w", 5)] == [1, 3]
    assert placed(path) == 1


def test_a_savepoint_of_sqlalchemy_takes_only_its_own_jobs_back(alchemy, queue):
    with alchemy.begin() as conn:
        conn.execute(sqlalchemy.text(ORDER))
        queue.enqueue(1, tx=conn)
        with conn.begin_nested() as savepoint:
            queue.enqueue(2, tx=conn)
            savepoint.rollback()
        queue.enqueue(3, tx=conn)
    assert [job.payload for job in queue.claim_batch("w", 5)] == [1, 3]


def test_a_connection_of_django_carries_an_operation_inside_atomic(orders, queue, path):
    django = DjangoConnection(path)
    django.ensure_connection()
    django.connection.execute("BEGIN")
    queue.enqueue(1, tx=django)
    assert pending(path) == []
    django.connection.execute("COMMIT")
    assert pending(path) == [(1,)]
    django.connection.close()


def test_a_connection_of_django_outside_atomic_is_refused(orders, queue, path):
    django = DjangoConnection(path)
    with pytest.raises(InvalidArgumentError, match="begin one"):
        queue.enqueue(1, tx=django)
    django.connection.close()
