"""``tx=`` with the real objects of psycopg, SQLAlchemy, SQLModel and Django on PostgreSQL."""

import asyncio
import contextlib

import django
import honker
import honker.contrib.sqlalchemy
import psycopg
import pytest
import sqlalchemy
import sqlmodel
from django.conf import settings
from honker.errors import ConstraintError, InvalidArgumentError, NestedTransactionError, TransactionNotStartedError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

ORDER = "INSERT INTO public.orders DEFAULT VALUES"


@pytest.fixture
def db(url, conn):
    conn.execute("CREATE TABLE public.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")
    with honker.open(url) as opened:
        yield opened


@pytest.fixture
def queue(db):
    return db.queue("q")


@pytest.fixture
def other_url(server):
    """Another database of the same server, with the schema."""
    yield server.create_database("other")
    server.drop_database("other")


@pytest.fixture
def committed(conn):
    """The payloads of the jobs and the number of orders, as another session sees them."""

    def read():
        payloads = [payload for (payload,) in conn.execute("SELECT payload FROM honker.live ORDER BY id").fetchall()]
        return payloads, conn.execute("SELECT count(*) FROM public.orders").fetchone()[0]

    return read


def fail(queue, tx):
    """Call a function that PostgreSQL ends with an error; Python checks most arguments before."""
    queue.db.engine.call("SELECT honker_enqueue(?, ?, ?)", "", "1", "{}", tx=tx)


# -------------------------------------------------------------------------------------------------------------- psycopg


def test_a_psycopg_connection_carries_a_job(url, queue, committed):
    with psycopg.connect(url) as app:
        app.execute(ORDER)
        queue.enqueue(1, tx=app)
        assert committed() == ([], 0)
        app.commit()
        app.execute(ORDER)
        queue.enqueue(2, tx=app)
        app.rollback()
        # The call itself begins the transaction, as every statement does.
        queue.enqueue(3, tx=app)
        assert app.info.transaction_status is psycopg.pq.TransactionStatus.INTRANS
        app.rollback()
    assert committed() == (["1"], 1)


def test_a_row_factory_of_the_application_does_not_matter(url, queue, committed):
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as app:
        assert isinstance(queue.enqueue(1, tx=app), int)
    assert committed() == (["1"], 0)


def test_a_savepoint_keeps_the_transaction_when_a_function_fails(url, queue, committed):
    """PostgreSQL aborts the transaction with the statement that fails, unless a savepoint is around it."""
    with psycopg.connect(url) as app:
        app.execute(ORDER)
        with pytest.raises(InvalidArgumentError), app.transaction():
            fail(queue, app)
        queue.enqueue(2, tx=app)
    assert committed() == (["2"], 1)


def test_without_a_savepoint_the_transaction_is_aborted_and_says_so(url, queue, committed):
    with psycopg.connect(url) as app:
        with pytest.raises(InvalidArgumentError):
            fail(queue, app)
        with pytest.raises(TransactionNotStartedError, match="aborted"):
            queue.enqueue(2, tx=app)
        app.rollback()
        queue.enqueue(3, tx=app)
    assert committed() == (["3"], 0)


def test_a_connection_in_autocommit_is_refused_outside_of_a_transaction(url, queue, committed):
    with psycopg.connect(url, autocommit=True) as app:
        with pytest.raises(InvalidArgumentError, match="autocommit"):
            queue.enqueue(1, tx=app)
        with app.transaction():
            queue.enqueue(2, tx=app)
    assert committed() == (["2"], 0)


def test_connections_that_cannot_carry_a_job_are_refused(url, other_url, queue, committed):
    with psycopg.connect(other_url) as elsewhere, pytest.raises(InvalidArgumentError, match="'other', and not of"):
        queue.enqueue(1, tx=elsewhere)
    closed = psycopg.connect(url)
    closed.close()
    with pytest.raises(InvalidArgumentError, match="closed"):
        queue.enqueue(1, tx=closed)
    for strange in (object(), psycopg.Connection, "tx", 1):
        with pytest.raises(InvalidArgumentError, match="psycopg"):
            queue.enqueue(1, tx=strange)
    assert committed() == ([], 0)


def test_a_connection_of_psycopg2_is_refused_with_the_next_step(url, queue):
    psycopg2 = pytest.importorskip("psycopg2")
    with contextlib.closing(psycopg2.connect(url)) as app, pytest.raises(InvalidArgumentError, match=r"psycopg \(3\)"):
        queue.enqueue(1, tx=app)


def test_an_async_psycopg_connection_carries_a_job(url, queue, committed):
    async def main():
        async with await psycopg.AsyncConnection.connect(url) as app:
            await app.execute(ORDER)
            await queue.aenqueue(1, tx=app)
            await app.commit()
            await queue.aenqueue(2, tx=app)
            await app.rollback()
            with pytest.raises(InvalidArgumentError, match="aenqueue"):
                queue.enqueue(3, tx=app)
            with pytest.raises(InvalidArgumentError):
                async with app.transaction():
                    await queue.db.engine.acall("SELECT honker_enqueue(?, ?, ?)", "", "1", "{}", tx=app)

    asyncio.run(main())
    assert committed() == (["1"], 1)


def test_a_forgotten_tx_is_refused_in_a_transaction_of_the_handle(db, queue, committed):
    with db.transaction() as tx:
        tx.execute(ORDER)
        with pytest.raises(NestedTransactionError, match="tx="):
            queue.enqueue(1)
        with pytest.raises(NestedTransactionError), db.transaction():
            pass
        queue.enqueue(2, tx=tx)

    async def main():
        async with db.transaction() as tx:
            with pytest.raises(NestedTransactionError, match="tx="):
                await queue.aenqueue(3)
            await queue.aenqueue(4, tx=tx)

    asyncio.run(main())
    assert committed() == (["2", "4"], 1)


def test_a_transaction_of_a_handle_on_another_database_is_refused(queue, other_url):
    with (
        honker.open(other_url) as elsewhere,
        elsewhere.transaction() as tx,
        pytest.raises(InvalidArgumentError, match="other"),
    ):
        queue.enqueue(1, tx=tx)


def test_a_failed_constraint_of_the_application_rolls_its_job_back(db, queue, committed):
    def fail():
        with db.transaction() as tx:
            queue.enqueue(1, tx=tx)
            tx.execute("INSERT INTO public.orders OVERRIDING SYSTEM VALUE VALUES (7), (7)")

    with pytest.raises(ConstraintError):
        fail()
    assert committed() == ([], 0)


# ---------------------------------------------------------------------------------------------- SQLAlchemy and SQLModel


def sqlalchemy_url(url, driver="psycopg"):
    return url.replace("postgresql://", f"postgresql+{driver}://")


@pytest.fixture(params=[None, NullPool])
def alchemy(request, url, db):
    options = {"poolclass": request.param} if request.param else {}
    made = sqlalchemy.create_engine(sqlalchemy_url(url), **options)
    yield made
    made.dispose()


@pytest.mark.parametrize("kind", [Session, sqlmodel.Session])
def test_a_session_carries_a_job(kind, alchemy, queue, committed):
    with kind(alchemy) as session:
        session.connection().exec_driver_sql(ORDER)
        queue.enqueue(1, tx=session)
        assert committed() == ([], 0)
        session.commit()
        queue.enqueue(2, tx=session)
        session.rollback()
        queue.enqueue(3, tx=session)  # the first statement of its transaction
        session.commit()
        with pytest.raises(InvalidArgumentError), session.begin_nested():
            fail(queue, session)
        queue.enqueue(5, tx=session)
        session.commit()
    assert committed() == (["1", "3", "5"], 1)


def test_connections_and_registries_of_sqlalchemy_carry_a_job(alchemy, queue, committed):
    with alchemy.begin() as connection:
        queue.enqueue(1, tx=connection)
    with contextlib.suppress(ZeroDivisionError), alchemy.begin() as connection:
        queue.enqueue(2, tx=connection)
        raise ZeroDivisionError
    sessions = scoped_session(sessionmaker(alchemy))
    queue.enqueue(3, tx=sessions)
    sessions.commit()
    sessions.remove()
    with contextlib.closing(alchemy.raw_connection()) as raw:
        queue.enqueue(4, tx=raw)
        raw.commit()
    assert committed() == (["1", "3", "4"], 0)


def test_a_connection_of_sqlalchemy_in_autocommit_is_refused(alchemy, queue, committed):
    with (
        alchemy.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(InvalidArgumentError, match="autocommit"),
    ):
        queue.enqueue(1, tx=connection)
    assert committed() == ([], 0)


@pytest.mark.parametrize("scheme", ["sqlite://", "postgresql+psycopg2://"])
def test_an_engine_of_another_driver_is_refused(scheme, url, queue):
    if "psycopg2" in scheme:
        pytest.importorskip("psycopg2")
        scheme = sqlalchemy_url(url, "psycopg2")
    made = sqlalchemy.create_engine(scheme)
    with made.begin() as connection, pytest.raises(InvalidArgumentError, match=r"postgresql\+psycopg"):
        queue.enqueue(1, tx=connection)
    made.dispose()


def test_installation_into_an_engine_on_postgresql_leaves_it_as_it_is(alchemy, url, queue, committed):
    honker.contrib.sqlalchemy.install(alchemy)
    with Session(alchemy) as session, session.begin():
        queue.enqueue(1, tx=session)
    assert committed() == (["1"], 0)
    pytest.importorskip("psycopg2")
    other = sqlalchemy.create_engine(sqlalchemy_url(url, "psycopg2"))
    with pytest.raises(InvalidArgumentError, match=r"postgresql\+psycopg://"):
        honker.contrib.sqlalchemy.install(other)


def test_async_sessions_and_connections_carry_a_job(url, queue, committed):
    async def main():
        made = create_async_engine(sqlalchemy_url(url))
        async with AsyncSession(made) as session:
            await (await session.connection()).exec_driver_sql(ORDER)
            await queue.aenqueue(1, tx=session)
            await session.commit()
            await queue.aenqueue(2, tx=session)
            await session.rollback()
            await session.run_sync(lambda sync: queue.enqueue(3, tx=sync))
            await session.commit()
            with pytest.raises(InvalidArgumentError):
                async with session.begin_nested():
                    await session.run_sync(lambda sync: fail(queue, sync))
            with pytest.raises(InvalidArgumentError, match="aenqueue"):
                queue.enqueue(5, tx=session)
        async with async_sessionmaker(made).begin() as session:
            await queue.aenqueue(6, tx=session)
        async with made.begin() as connection:
            await queue.aenqueue(7, tx=connection)
        await made.dispose()

    asyncio.run(main())
    assert committed() == (["1", "3", "6", "7"], 1)


# --------------------------------------------------------------------------------------------------------------- Django


@pytest.fixture
def django_connection(url, db):
    if not settings.configured:
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
        django.setup()
    parts = psycopg.conninfo.conninfo_to_dict(url)
    from django.db.backends.postgresql.base import DatabaseWrapper  # noqa: PLC0415 - needs settings

    options = django.db.connections["default"].settings_dict | {
        "NAME": parts["dbname"],
        "USER": parts["user"],
        "HOST": parts["host"],
    }
    made = DatabaseWrapper(options, alias="shop")
    django.db.connections["shop"] = made
    yield made
    made.close()
    del django.db.connections["shop"]


def test_a_connection_of_django_carries_a_job_inside_atomic(django_connection, queue, committed):
    atomic = django.db.transaction.atomic
    with atomic(using="shop"):
        django_connection.cursor().execute(ORDER)
        queue.enqueue(1, tx=django_connection)
        assert committed() == ([], 0)
        with contextlib.suppress(ZeroDivisionError), atomic(using="shop"):
            queue.enqueue(2, tx=django_connection)
            raise ZeroDivisionError
        with pytest.raises(InvalidArgumentError), atomic(using="shop"):
            fail(queue, django_connection)
        queue.enqueue(4, tx=django_connection)
    with contextlib.suppress(ZeroDivisionError), atomic(using="shop"):
        queue.enqueue(5, tx=django_connection)
        raise ZeroDivisionError
    assert committed() == (["1", "4"], 1)


def test_a_connection_of_django_outside_atomic_is_refused(django_connection, queue, committed):
    with pytest.raises(InvalidArgumentError, match="begin one"):
        queue.enqueue(1, tx=django_connection)
    assert committed() == ([], 0)
