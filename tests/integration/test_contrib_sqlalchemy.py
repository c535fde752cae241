"""`honker.contrib.sqlalchemy` on real engines, files and forks."""

import asyncio
import contextvars
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import honker
import honker.contrib.sqlalchemy
import pytest
from honker.contrib.sqlalchemy import include_name, include_object, install
from sqlalchemy import Column, Index, Integer, MetaData, Table, create_engine, event, select, text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool

from ..support.locking import is_locked

pytestmark = pytest.mark.sqlite_only("sessions on SQLite files")

POOLS = [QueuePool, NullPool, StaticPool, SingletonThreadPool]


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]


@pytest.fixture(autouse=True)
def functions_of_this_test_only():
    yield
    honker.unregister_auto_extension()


@pytest.fixture
def make_engine(path):
    """Make engines on the test's file, and dispose of them after the test."""
    engines = []

    def make(**options):
        alchemy = create_engine(f"sqlite:///{path}", **options)
        engines.append(alchemy)
        return alchemy

    yield make
    for alchemy in engines:
        alchemy.dispose()


@pytest.fixture
def alchemy(make_engine):
    alchemy = make_engine()
    install(alchemy)
    Base.metadata.create_all(alchemy)
    return alchemy


@pytest.fixture
def app(path):
    with honker.App(path) as app:
        yield app


def has_functions(connection):
    return connection.scalar(text("SELECT honker_bootstrap()")) == 1


@pytest.mark.parametrize("pool", POOLS)
def test_a_job_exists_if_and_only_if_the_session_commits(make_engine, app, pool):
    alchemy = make_engine(poolclass=pool)
    install(alchemy)
    Base.metadata.create_all(alchemy)
    emails = app.queue("emails")
    with Session(alchemy) as session:
        session.add(Order(item="tea"))
        emails.enqueue("tea", tx=session)
        session.commit()
        session.add(Order(item="cake"))
        emails.enqueue("cake", tx=session)
        session.rollback()
        emails.enqueue("milk", tx=session)
        session.add(Order(item="milk"))
        session.commit()
    assert [job.payload for job in emails.claim_batch("worker", 9)] == ["tea", "milk"]
    with Session(alchemy) as session:
        assert [order.item for order in session.query(Order)] == ["tea", "milk"]


def test_a_scoped_session_and_a_connection_are_transactions_too(alchemy, app):
    emails = app.queue("emails")
    session = scoped_session(sessionmaker(alchemy))
    emails.enqueue("scoped", tx=session)
    session.commit()
    emails.enqueue("dropped", tx=session)
    session.remove()
    with alchemy.begin() as connection:
        emails.enqueue("connection", tx=connection)
    assert [job.payload for job in emails.claim_batch("worker", 9)] == ["scoped", "connection"]


def test_the_first_connection_prepares_the_file(make_engine, path):
    alchemy = make_engine()
    install(alchemy)
    with alchemy.connect():
        pass
    plain = sqlite3.connect(path)
    try:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert plain.execute("SELECT count(*) FROM _honker_live").fetchone() == (0,)
    finally:
        plain.close()


def test_an_app_that_opens_inside_a_session_does_not_wait_for_its_lock(alchemy, app, path):
    with Session(alchemy) as session, session.begin():
        session.add(Order(item="tea"))
        session.flush()
        assert is_locked(path)
        app.queue("emails").enqueue("tea", tx=session)  # the first use of the app: it opens the file
    assert app.queue("emails").claim_one("worker").payload == "tea"


def test_connections_that_were_opened_before_the_installation_get_the_functions(make_engine):
    alchemy = make_engine(pool_size=1, max_overflow=0)
    with alchemy.connect() as connection:
        older = connection.connection.driver_connection
        install(alchemy)
    with alchemy.connect() as connection:
        assert has_functions(connection)
        assert not hasattr(sqlite3.Connection, "enable_load_extension") or (
            connection.connection.driver_connection is older
        )


def test_a_file_that_was_replaced_is_prepared_again(alchemy, path):
    alchemy.dispose()
    for name in path.parent.glob("app.db*"):
        name.unlink()
    with alchemy.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM _honker_live")) == 0


def test_a_second_installation_changes_the_beginning_of_transactions_only(alchemy, path):
    install(alchemy, immediate=True)
    begins = []
    event.listen(alchemy, "before_cursor_execute", lambda *arguments: begins.append(arguments[2]))
    with alchemy.begin():
        assert is_locked(path)
    install(alchemy)
    with alchemy.begin():
        assert not is_locked(path)
    assert begins == ["BEGIN IMMEDIATE"]


def test_a_transaction_takes_the_write_lock_at_its_beginning_on_request(alchemy, path):
    def is_locked_by(alchemy, **options):
        with Session(alchemy) as session:
            session.connection(execution_options=options)
            session.scalar(text("SELECT 1"))
            return is_locked(path)

    assert not is_locked_by(alchemy)
    assert is_locked_by(alchemy, honker_immediate=True)
    assert is_locked_by(alchemy.execution_options(honker_immediate=True))
    install(alchemy, immediate=True)
    assert is_locked_by(alchemy)
    assert not is_locked_by(alchemy, honker_immediate=False)
    assert not is_locked_by(alchemy.execution_options(honker_immediate=False))
    assert not is_locked_by(alchemy, isolation_level="AUTOCOMMIT")


def test_an_immediate_transaction_replaces_the_begin_of_another_listener(make_engine, path):
    alchemy = make_engine()
    event.listen(alchemy, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    install(alchemy, immediate=True)
    with alchemy.begin():
        assert is_locked(path)


def test_an_engine_in_autocommit_begins_nothing(make_engine, path):
    alchemy = make_engine(isolation_level="AUTOCOMMIT")
    install(alchemy, immediate=True)
    with alchemy.connect() as connection:
        assert has_functions(connection)
        assert not is_locked(path)


def test_a_savepoint_that_is_rolled_back_takes_its_jobs_along(alchemy, app):
    install(alchemy, immediate=True)
    emails = app.queue("emails")
    with Session(alchemy) as session, session.begin():
        emails.enqueue("kept", tx=session)
        with session.begin_nested() as savepoint:
            emails.enqueue("dropped", tx=session)
            savepoint.rollback()
    assert [job.payload for job in emails.claim_batch("worker", 9)] == ["kept"]


def test_an_async_engine_has_the_functions_and_takes_the_lock_on_request(path):
    async def main():
        alchemy = create_async_engine(f"sqlite+aiosqlite:///{path}")
        install(alchemy, immediate=True)
        install(alchemy, immediate=True)
        async with alchemy.begin() as connection:
            assert await connection.scalar(text("SELECT honker_bootstrap()")) == 1
            assert await connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert is_locked(path)
        async with alchemy.connect() as connection:
            await connection.execution_options(honker_immediate=False)
            assert await connection.scalar(text("SELECT 1")) == 1
            assert not is_locked(path)
        await alchemy.dispose()

    asyncio.run(main())


def test_a_job_exists_if_and_only_if_the_async_session_commits(path, app):
    emails = app.queue("emails")

    async def main():
        alchemy = create_async_engine(f"sqlite+aiosqlite:///{path}")
        install(alchemy)
        async with alchemy.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(alchemy) as session:
            session.add(Order(item="tea"))
            await emails.aenqueue("tea", tx=session)
            await session.commit()
            session.add(Order(item="cake"))
            await session.flush()
            await emails.aenqueue("cake", tx=session)
            await session.rollback()
        async with alchemy.begin() as connection:
            await emails.aenqueue("milk", tx=connection)
        await alchemy.dispose()

    asyncio.run(main())
    assert [job.payload for job in emails.claim_batch("worker", 9)] == ["tea", "milk"]


def in_child(work):
    """Run `work` in a forked child; returns True if it returned True there."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_leaves_the_connections_of_its_parent_alone(alchemy, path):
    def order(item):
        with Session(alchemy) as session, session.begin():
            session.add(Order(item=item))
        return True

    order("before")
    assert in_child(lambda: order("child"))
    order("after")
    with Session(alchemy) as session:
        assert [row.item for row in session.query(Order)] == ["before", "child", "after"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_that_was_forked_in_a_transaction_is_refused(alchemy):
    def is_refused():
        try:
            with alchemy.connect():
                return False
        except honker.ForkError:
            return True

    with Session(alchemy) as session, session.begin():
        session.add(Order(item="tea"))
        session.flush()
        assert in_child(is_refused)
    with Session(alchemy) as session:
        assert session.query(Order).count() == 1


def test_the_example_of_the_module_enqueues(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with honker.App("shop.db") as app:
        named = {"order": Order(item="tea"), "send_receipt": app.task(queue="q")(lambda order_id: None)}
        setup = create_engine("sqlite:///shop.db")
        Base.metadata.create_all(setup)
        setup.dispose()
        exec(honker.contrib.sqlalchemy.__doc__.partition("\n")[2], named)
        named["engine"].dispose()
        assert app.queue("q").stats().ready == 1


def test_without_install_the_error_names_it(make_engine, app, path):
    async def in_async_session():
        alchemy = create_async_engine(f"sqlite+aiosqlite:///{path}")
        async with AsyncSession(alchemy) as session:
            with pytest.raises(honker.InvalidArgumentError, match=r"contrib\.sqlalchemy\.install\(engine\)"):
                await app.queue("q").aenqueue(1, tx=session)
        await alchemy.dispose()

    with (
        Session(make_engine()) as session,
        pytest.raises(honker.InvalidArgumentError, match=r"contrib\.sqlalchemy\.install\(engine\)"),
    ):
        app.queue("q").enqueue(1, tx=session)
    asyncio.run(in_async_session())


def test_only_engines_on_sqlite_and_postgresql_are_accepted(alchemy):
    other = Engine(None, mysql.dialect(), None)
    for wrong, seen in [(other, "mysql"), ("sqlite://", "str")]:
        with pytest.raises(honker.InvalidArgumentError, match=seen):
            install(wrong)


def test_alembic_is_told_about_every_table_but_those_of_honker():
    metadata = MetaData()
    for name, is_included in [("_honker_live", False), ("orders", True), ("honker_fans", True)]:
        table = Table(name, metadata, Column("id", Integer))
        index = Index("by_id", table.c.id)
        assert include_name(name, "table", {}) is is_included
        assert include_object(table, name, "table", True, None) is is_included
        assert include_object(index, "by_id", "index", True, None) is is_included
        assert include_object(table.c.id, "id", "column", False, table.c.id) is is_included


# -------------------------------------------------------------------------------------------------------- forgotten tx=


FORGOTTEN = "this {} has written in a transaction on a SQLAlchemy connection .* as tx="


@pytest.fixture
def queue(db, alchemy):
    return db.queue("q")


def calls(db, queue):
    """Blocking calls that need the write lock."""
    yield lambda: queue.enqueue(1)
    yield lambda: db.transaction().__enter__()
    yield lambda: db.lock("l").try_acquire()


@pytest.mark.timeout(4)
def test_a_call_without_tx_beside_the_writes_of_its_session_fails_at_once(alchemy, db, queue):
    with Session(alchemy) as session:
        session.add(Order(item="pen"))
        session.flush()
        for call in calls(db, queue):
            with pytest.raises(honker.NestedTransactionError, match=FORGOTTEN.format("thread")):
                call()
        queue.enqueue(2, tx=session)
        session.commit()
        queue.enqueue(3)
    assert [job.payload for job in db.jobs().jobs] == ["3", "2"]


@pytest.mark.timeout(4)
def test_a_call_without_tx_beside_an_immediate_transaction_fails_at_once(alchemy, db, queue):
    with alchemy.connect().execution_options(honker_immediate=True) as conn:
        conn.execute(text("SELECT 1"))
        with pytest.raises(honker.NestedTransactionError, match=FORGOTTEN.format("thread")):
            queue.enqueue(1)
        conn.rollback()
        queue.enqueue(2)


def test_a_session_that_has_only_read_blocks_no_call(alchemy, db, queue):
    with Session(alchemy) as session:
        session.add(Order(item="pen"))
        session.commit()
        session.scalars(select(Order)).all()
        queue.enqueue(1)
    assert len(db.jobs().jobs) == 1


def test_a_call_of_another_thread_waits_for_the_session(alchemy, db, queue):
    with Session(alchemy) as session, ThreadPoolExecutor(1) as threads:
        session.add(Order(item="pen"))
        session.flush()
        waiting = threads.submit(queue.enqueue, 1)
        with pytest.raises(TimeoutError):
            waiting.result(0.1)
        session.commit()
        assert waiting.result(4)


@pytest.mark.timeout(4)
def test_an_awaited_call_without_tx_fails_in_the_task_of_its_session_and_waits_in_another(path, db, queue):
    async def main():
        alchemy = create_async_engine(f"sqlite+aiosqlite:///{path}")
        install(alchemy)
        async with AsyncSession(alchemy) as session:
            session.add(Order(item="pen"))
            await session.flush()
            with pytest.raises(honker.NestedTransactionError, match=FORGOTTEN.format("task")):
                await queue.aenqueue(1)
            with pytest.raises(honker.NestedTransactionError, match=FORGOTTEN.format("task")):
                await db.transaction().__aenter__()
            with pytest.raises(honker.NestedTransactionError, match=FORGOTTEN.format("thread")):
                queue.enqueue(1)
            waiting = asyncio.create_task(queue.aenqueue(2))
            await asyncio.wait([waiting], timeout=0.05)
            assert not waiting.done()
            await session.commit()
            assert await waiting
        await alchemy.dispose()

    asyncio.run(main())
    assert [job.payload for job in db.jobs().jobs] == ["2"]


def test_a_connection_that_another_thread_uses_now_is_not_held_here(make_engine, db):
    """The context of a process begins its transactions at import, and is copied by its requests and handlers."""
    alchemy = make_engine(poolclass=QueuePool, pool_size=1, max_overflow=0)
    install(alchemy)
    Base.metadata.create_all(alchemy)  # begins in this context
    queue, has_written, may_commit = db.queue("q"), threading.Event(), threading.Event()

    def write():
        with Session(alchemy) as session, session.begin():
            session.add(Order(item="pen"))
            session.flush()
            has_written.set()
            may_commit.wait(5)

    with ThreadPoolExecutor(3) as threads:
        writing = threads.submit(write)
        assert has_written.wait(5)
        timer = threading.Timer(0.1, may_commit.set)
        timer.start()
        assert queue.enqueue(1)
        assert threads.submit(contextvars.copy_context().run, queue.enqueue, 2).result(5)
        writing.result(5)
        timer.join()


def test_a_thread_that_a_transaction_has_started_waits_for_it(alchemy, db, queue):
    with ThreadPoolExecutor(1) as threads:
        with Session(alchemy) as session:
            session.add(Order(item="pen"))
            session.flush()
            waiting = threads.submit(contextvars.copy_context().run, queue.enqueue, 1)
            with pytest.raises(TimeoutError):
                waiting.result(0.1)
            session.commit()
        assert waiting.result(5)
