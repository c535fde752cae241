"""``tx=`` with the real objects of SQLAlchemy, SQLModel, Django and aiosqlite, after `register_auto_extension`."""

import asyncio
import contextlib

import aiosqlite
import django
import honker
import pytest
import sqlalchemy
from django.conf import settings
from honker import DatabaseBusyError, InvalidArgumentError, StaleSnapshotError
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool
from sqlalchemy.util import greenlet_spawn

from ..support.locking import ask, write_lock_elsewhere

pytestmark = pytest.mark.sqlite_only("connections to SQLite files")

ORDER = sqlalchemy.text("INSERT INTO orders DEFAULT VALUES")


@pytest.fixture(autouse=True)
def registered():
    honker.register_auto_extension()
    yield
    honker.unregister_auto_extension()


@pytest.fixture
def queue(db):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    return db.queue("q")


def payloads(path):
    return [payload for (payload,) in ask(path, "SELECT payload FROM _honker_live ORDER BY id")]


def orders(path):
    return ask(path, "SELECT count(*) FROM orders")[0][0]


# ------------------------------------------------------------------------------------------------ SQLAlchemy, SQLModel


@pytest.fixture(params=[None, NullPool, QueuePool, StaticPool, SingletonThreadPool])
def alchemy(request, path):
    made = sqlalchemy.create_engine(f"sqlite:///{path}", **({"poolclass": request.param} if request.param else {}))
    yield made
    made.dispose()


def test_a_session_of_each_pool_carries_a_job(alchemy, queue, path):
    with Session(alchemy) as session:
        session.execute(ORDER)
        queue.enqueue(1, tx=session)
        session.commit()
        queue.enqueue(2, tx=session)
        session.rollback()
    with contextlib.suppress(ZeroDivisionError), Session(alchemy) as session, session.begin():
        queue.enqueue(3, tx=session)
        raise ZeroDivisionError
    with alchemy.begin() as conn:
        queue.enqueue(4, tx=conn)
    assert payloads(path) == ["1", "4"]
    assert orders(path) == 1


def test_a_session_of_a_registry_carries_a_job(alchemy, queue, path):
    sessions = scoped_session(sessionmaker(alchemy))
    queue.enqueue(1, tx=sessions)
    sessions.commit()
    queue.enqueue(2, tx=sessions)
    sessions.rollback()
    sessions.remove()
    assert payloads(path) == ["1"]


def test_a_connection_of_the_pool_carries_a_job(alchemy, queue, path):
    conn = alchemy.raw_connection()
    conn.execute(ORDER.text)
    queue.enqueue(1, tx=conn)
    assert payloads(path) == []
    conn.commit()
    queue.enqueue(2, tx=conn)
    assert conn.dbapi_connection.in_transaction
    conn.rollback()
    asyncio.run(queue.aenqueue(3, tx=conn))
    conn.close()  # the pool rolls back
    with pytest.raises(InvalidArgumentError, match=r"tx is _ConnectionFairy; pass"):
        queue.enqueue(4, tx=conn)
    assert payloads(path) == ["1"]


def test_a_connection_of_the_asynchronous_pool_carries_a_job(async_engine, queue, path):
    async def main():
        conn = await async_engine.raw_connection()
        await queue.aenqueue(1, tx=conn)
        await conn.driver_connection.commit()
        with pytest.raises(InvalidArgumentError, match="is asynchronous"):
            queue.enqueue(2, tx=conn)
        await greenlet_spawn(conn.close)

    run(async_engine, main)
    assert payloads(path) == ["1"]


def test_a_session_of_sqlmodel_carries_a_job(alchemy, queue, path):
    sqlmodel = pytest.importorskip("sqlmodel")
    with sqlmodel.Session(alchemy) as session:
        queue.enqueue(1, tx=session)
        session.commit()
    assert payloads(path) == ["1"]


@pytest.mark.parametrize("make", [lambda alchemy: alchemy, sessionmaker, lambda alchemy: Session])
def test_something_that_makes_sessions_is_refused(alchemy, queue, path, make):
    with pytest.raises(InvalidArgumentError, match=r"tx is \w+; pass a honker\.Transaction"):
        queue.enqueue(1, tx=make(alchemy))
    assert payloads(path) == []


def test_a_connection_of_another_database_system_is_refused(queue):
    class Dialect:
        name = "postgresql"

    class Connection:
        dialect = Dialect()
        driver_connection = object()

        def exec_driver_sql(self): ...
        def in_transaction(self):
            return True

        @property
        def connection(self):
            return self

    with pytest.raises(InvalidArgumentError, match="tx is Connection; pass a"):
        queue.enqueue(1, tx=Connection())


# ------------------------------------------------------------------------------------------------ asynchronous drivers


@pytest.fixture(params=[None, NullPool, StaticPool])
def async_engine(request, path):
    options = {"poolclass": request.param} if request.param else {}
    return create_async_engine(f"sqlite+aiosqlite:///{path}", **options)


def run(alchemy, main):
    async def disposing():
        try:
            return await main()
        finally:
            await alchemy.dispose()

    return asyncio.run(disposing())


def test_an_asynchronous_session_carries_a_job(async_engine, queue, path):
    async def main():
        async with AsyncSession(async_engine) as session:
            await session.execute(ORDER)
            await queue.aenqueue(1, tx=session)
            assert payloads(path) == []
            await session.commit()
            await queue.aenqueue(2, tx=session)
            await session.rollback()
        async with AsyncSession(async_engine) as session, session.begin():
            await queue.aenqueue(3, tx=session, delay=0, priority=2)
            await queue.db.stream("s").apublish("event", tx=session)
            assert await queue.db.acancel(99, tx=session) is False
            assert (await queue.astats(tx=session)).ready == 2

    run(async_engine, main)
    assert payloads(path) == ["1", "3"]
    assert orders(path) == 1
    assert [event.payload for event in queue.db.stream("s").read_since(0)] == ["event"]


def test_an_asynchronous_connection_carries_a_job(async_engine, queue, path):
    async def main():
        async with async_engine.begin() as conn:
            await queue.aenqueue(1, tx=conn)
        async with async_engine.connect() as conn:
            await queue.aenqueue(2, tx=conn)
        with contextlib.suppress(ZeroDivisionError):
            async with async_engine.begin() as conn:
                await queue.aenqueue(3, tx=conn)
                raise ZeroDivisionError

    run(async_engine, main)
    assert payloads(path) == ["1"]


def test_a_savepoint_takes_only_its_own_jobs_back(async_engine, queue, path):
    async def main():
        async with AsyncSession(async_engine) as session, session.begin():
            await queue.aenqueue(1, tx=session)
            savepoint = await session.begin_nested()
            await queue.aenqueue(2, tx=session)
            await savepoint.rollback()
            await queue.aenqueue(3, tx=session)

    run(async_engine, main)
    assert payloads(path) == ["1", "3"]


def test_an_asynchronous_registry_of_sessions_carries_a_job(async_engine, queue, path):
    async def main():
        sessions = async_scoped_session(async_sessionmaker(async_engine), asyncio.current_task)
        await queue.aenqueue(1, tx=sessions)
        await sessions.commit()
        await sessions.remove()

    run(async_engine, main)
    assert payloads(path) == ["1"]


def test_a_synchronous_call_with_an_asynchronous_session_names_the_one_to_await(async_engine, queue):
    async def main():
        async with AsyncSession(async_engine) as session, async_engine.connect() as conn:
            for tx in (session, conn):
                with pytest.raises(InvalidArgumentError, match=rf"tx is {type(tx).__name__}.*await queue\.aenqueue"):
                    queue.enqueue(1, tx=tx)

    run(async_engine, main)


def test_a_synchronous_call_in_run_sync_joins_the_session(async_engine, queue, path):
    async def main():
        async with AsyncSession(async_engine) as session, session.begin():
            await session.run_sync(lambda sync: queue.enqueue(1, tx=sync))

    run(async_engine, main)
    assert payloads(path) == ["1"]


def test_a_task_and_a_workflow_join_an_asynchronous_session_and_their_results_follow_its_end(async_engine, db, path):
    task = db.task("q")(print)

    async def main():
        async with AsyncSession(async_engine) as session, session.begin():
            kept = await task.enqueue_with(tx=session).aenqueue(1)
            await honker.chain(task.si(2), task.si(3)).aenqueue(tx=session)
        with contextlib.suppress(ZeroDivisionError):
            async with AsyncSession(async_engine) as session, session.begin():
                lost = await task.enqueue_with(tx=session).aenqueue(4)
                raise ZeroDivisionError
        with pytest.raises(honker.HonkerError) as raised:
            await lost.aget(5)
        with pytest.raises(TimeoutError):
            await kept.aget(0.2)
        return raised.value

    error = run(async_engine, main)
    assert "4" in str(error) or "roll" in str(error) or "no job" in str(error)
    assert len(payloads(path)) == 3


def test_a_connection_of_aiosqlite_carries_a_job(queue, path):
    async def main():
        async with aiosqlite.connect(path) as conn:
            conn.row_factory = lambda cursor, row: {"one": row[0]}
            await conn.execute(ORDER.text)
            await queue.aenqueue(1, tx=conn)
            assert payloads(path) == []
            await conn.commit()
            await queue.aenqueue(2, tx=conn)
            assert conn.in_transaction
            await conn.rollback()
            with pytest.raises(InvalidArgumentError, match=r"tx is Connection, which is asynchronous.*aenqueue"):
                queue.enqueue(3, tx=conn)

    asyncio.run(main())
    assert payloads(path) == ["1"]


def test_a_connection_of_aiosqlite_gets_the_functions_of_the_registration_alone(queue, path):
    honker.unregister_auto_extension()

    async def main():
        async with aiosqlite.connect(path) as conn:
            with pytest.raises(InvalidArgumentError, match=r"honker\.register_auto_extension\(\) once") as refused:
                await queue.aenqueue(1, tx=conn)
            assert "load_extension" not in str(refused.value)
            with pytest.raises(InvalidArgumentError, match=r"is asynchronous.*honker\.register_auto_extension\(\)"):
                honker.load_extension(conn)

    asyncio.run(main())


def test_a_result_follows_the_end_of_a_transaction_of_aiosqlite(db, path):
    task = db.task("q")(print)

    async def main():
        async with aiosqlite.connect(path) as conn:
            lost = await task.enqueue_with(tx=conn).aenqueue(1)
            await conn.rollback()
            with pytest.raises(honker.HonkerError):
                await lost.aget(5)
            closed = await task.enqueue_with(tx=conn).aenqueue(2)
        with pytest.raises(honker.HonkerError):
            await closed.aget(5)

    asyncio.run(main())


def test_a_connection_of_aiosqlite_in_autocommit_is_refused_without_a_transaction(queue, path):
    async def main():
        async with aiosqlite.connect(path, isolation_level=None) as conn:
            with pytest.raises(InvalidArgumentError, match=r"autocommit mode.*begin one"):
                await queue.aenqueue(1, tx=conn)
            await conn.execute("BEGIN")
            await queue.aenqueue(2, tx=conn)
            await conn.execute("COMMIT")

    asyncio.run(main())
    assert payloads(path) == ["2"]


def test_asynchronous_connections_to_another_file_are_refused(queue, async_engine, path, tmp_path):
    other = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'other.db'}")

    async def main():
        async with AsyncSession(other) as session, aiosqlite.connect(tmp_path / "other.db") as conn:
            for tx in (session, conn):
                with pytest.raises(InvalidArgumentError, match=r"tx is a transaction of '.*other\.db'"):
                    await queue.aenqueue(1, tx=tx)
        await other.dispose()

    run(async_engine, main)
    assert payloads(path) == []


def test_asynchronous_connections_without_the_functions_name_the_registration(queue, async_engine, path):
    honker.unregister_auto_extension()

    async def main():
        async with AsyncSession(async_engine) as session, aiosqlite.connect(path) as conn:
            for tx in (session, conn):
                with pytest.raises(InvalidArgumentError, match=r"no such function.*honker\.register_auto_extension"):
                    await queue.aenqueue(1, tx=tx)
            assert not conn.in_transaction

    run(async_engine, main)


def test_errors_of_an_asynchronous_connection_are_those_of_honker(queue, path):
    alchemy = create_async_engine(f"sqlite+aiosqlite:///{path}", connect_args={"timeout": 0.1})

    async def main():
        async with AsyncSession(alchemy) as session, aiosqlite.connect(path, timeout=0.1) as conn:
            for tx in (session, conn):
                with write_lock_elsewhere(path), pytest.raises(DatabaseBusyError):
                    await queue.aenqueue(1, tx=tx)
                with pytest.raises(InvalidArgumentError, match="priority"):
                    await queue.aenqueue(1, tx=tx, priority=2**60)
                await tx.rollback()
            await conn.execute("BEGIN")
            await conn.execute_fetchall("SELECT * FROM orders")
            await queue.aenqueue("other")
            with pytest.raises(StaleSnapshotError):
                await queue.aenqueue(1, tx=conn)

    run(alchemy, main)
    assert payloads(path) == ['"other"']


def test_a_wait_for_the_lock_does_not_block_the_event_loop(queue, path):
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.ensure_future(tick())
        async with aiosqlite.connect(path, timeout=0.5) as conn:
            with write_lock_elsewhere(path), pytest.raises(DatabaseBusyError):
                await queue.aenqueue(1, tx=conn)
        ticking.cancel()
        return ticks

    assert asyncio.run(main()) > 10


# -------------------------------------------------------------------------------------------------------------- Django


@pytest.fixture
def connection(path):
    if not settings.configured:
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
        django.setup()
    from django.db.backends.sqlite3.base import DatabaseWrapper  # noqa: PLC0415 - needs the settings

    defaults = django.db.connections["default"].settings_dict
    made = DatabaseWrapper({**defaults, "NAME": str(path)}, "shop")
    django.db.connections["shop"] = made
    yield made
    made.close()
    del django.db.connections["shop"]


def test_a_connection_of_django_carries_a_job_inside_atomic(queue, connection, path):
    atomic = django.db.transaction.atomic
    with atomic(using="shop"):
        connection.cursor().execute(ORDER.text)
        queue.enqueue(1, tx=connection)
        assert payloads(path) == []
        with contextlib.suppress(ZeroDivisionError), atomic(using="shop"):
            queue.enqueue(2, tx=connection)
            raise ZeroDivisionError
        queue.enqueue(3, tx=connection)
    with contextlib.suppress(ZeroDivisionError), atomic(using="shop"):
        queue.enqueue(4, tx=connection)
        raise ZeroDivisionError
    assert payloads(path) == ["1", "3"]
    assert orders(path) == 1


def test_a_connection_of_django_outside_atomic_is_refused(queue, connection, path):
    with pytest.raises(InvalidArgumentError, match="begin one"):
        queue.enqueue(1, tx=connection)
    assert payloads(path) == []


# --------------------------------------------------------------------------------------------------------------- peewee


class Peewee:
    """Like ``peewee.SqliteDatabase``: a connection at first use, in autocommit mode outside ``atomic``."""

    def __init__(self, path):
        self._path = path
        self._conn = None

    def is_closed(self):
        return self._conn is None

    def connection(self):
        self._conn = self._conn or honker.connect(self._path, isolation_level=None)
        return self._conn

    @contextlib.contextmanager
    def atomic(self):
        self.connection().execute("BEGIN")
        yield
        self.connection().execute("COMMIT")


def test_a_database_of_peewee_carries_a_job_inside_atomic(queue, path):
    database = Peewee(path)
    with database.atomic():
        queue.enqueue(1, tx=database)
        assert payloads(path) == []
    with pytest.raises(InvalidArgumentError, match="begin one"):
        queue.enqueue(2, tx=database)
    database.connection().close()
    assert payloads(path) == ["1"]
