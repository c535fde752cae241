"""Transactions: all or nothing, one at a time, and never left open."""

import asyncio
import gc
import threading
import time

import honker
import pytest
from honker import (
    ConstraintError,
    DatabaseError,
    HonkerError,
    InvalidArgumentError,
    InvalidPayloadError,
    NestedTransactionError,
    TransactionNotStartedError,
    UnexpectedRowsError,
    UnsupportedParameterError,
)
from honker.postgres.transaction import PostgresTransaction
from honker.sqlite.transaction import scalar_in

from ..support.engines import placed
from ..support.executors import ThreadPoolOfOne
from ..support.locking import ask, is_locked, write_lock_elsewhere
from ..support.waiting import until, wait_until


@pytest.fixture
def orders(db):
    """The database, with a table of the application."""
    with db.transaction() as tx:
        tx.execute(placed(tx, "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT UNIQUE)"))
    return db


def customers(db):
    return [row["customer"] for row in db.query("SELECT customer FROM orders ORDER BY id")]


def place(tx, customer):
    tx.execute(placed(tx, "INSERT INTO orders (customer) VALUES (?)"), [customer])


# ------------------------------------------------------------------------------------------------------- all or nothing


def test_a_transaction_commits_on_a_normal_exit(orders, path):
    with orders.transaction() as tx:
        place(tx, "alice")
        assert customers(orders) == []
    assert ask(path, "SELECT customer FROM orders") == [("alice",)]


def test_a_transaction_rolls_back_on_an_exception_which_goes_on(orders):
    with pytest.raises(ZeroDivisionError), orders.transaction() as tx:  # noqa: PT012
        place(tx, "alice")
        raise ZeroDivisionError
    assert customers(orders) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_a_transaction_rolls_back_on_what_is_no_exception_too(orders, error):
    with pytest.raises(error), orders.transaction() as tx:  # noqa: PT012
        place(tx, "alice")
        raise error
    assert customers(orders) == []


def test_an_asynchronous_transaction_commits_and_rolls_back(orders):
    async def main():
        async with orders.transaction() as tx:
            place(tx, "alice")
            await asyncio.sleep(0)
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            async with orders.transaction() as tx:
                place(tx, "bob")
                raise ZeroDivisionError

    asyncio.run(main())
    assert customers(orders) == ["alice"]


def test_a_transaction_reads_what_it_wrote(orders):
    with orders.transaction() as tx:
        place(tx, "alice")
        assert tx.query("SELECT customer FROM orders") == [{"customer": "alice"}]


def test_a_transaction_may_be_entered_again_after_its_exit(orders):
    transaction = orders.transaction()
    for customer in ("alice", "bob"):
        with transaction as tx:
            place(tx, customer)
    with pytest.raises(ZeroDivisionError), transaction as tx:  # noqa: PT012
        place(tx, "carol")
        raise ZeroDivisionError
    with transaction as tx:
        place(tx, "dora")
    assert customers(orders) == ["alice", "bob", "dora"]


def test_a_transaction_that_is_dropped_open_rolls_back_and_lets_others_write(orders):
    transaction = orders.transaction()
    place(transaction.__enter__(), "alice")
    del transaction
    gc.collect()
    with orders.transaction() as tx:
        place(tx, "bob")
    assert customers(orders) == ["bob"]


def test_a_commit_that_fails_is_an_error_and_leaves_nothing(orders):
    with orders.transaction() as tx:
        tx.execute("CREATE TABLE lines (order_id INTEGER REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED)")
    transaction = orders.transaction()
    tx = transaction.__enter__()
    tx.execute("INSERT INTO lines VALUES (99)")
    with pytest.raises(ConstraintError):
        transaction.__exit__(None, None, None)
    assert orders.query("SELECT * FROM lines") == []
    with orders.transaction() as tx:
        place(tx, "alice")
    assert customers(orders) == ["alice"]


@pytest.mark.sqlite_only("PostgreSQL fails the whole transaction")
def test_a_statement_that_fails_leaves_the_transaction_usable(orders):
    with orders.transaction() as tx:
        place(tx, "alice")
        with pytest.raises(ConstraintError):
            place(tx, "alice")
        with pytest.raises(DatabaseError, match="no such table"):
            tx.execute("INSERT INTO nowhere VALUES (1)")
        place(tx, "bob")
    assert customers(orders) == ["alice", "bob"]


@pytest.mark.sqlite_only("the messages of SQLite")
def test_a_transaction_that_the_application_ended_itself_leaves_nothing_behind(orders):
    with orders.transaction() as tx:
        place(tx, "alice")
        tx.execute("COMMIT")
        tx.execute("BEGIN")
        place(tx, "bob")
    with pytest.raises(DatabaseError, match="no transaction is active"), orders.transaction() as tx:
        tx.execute("COMMIT")
    with orders.transaction() as tx:
        place(tx, "carol")
    assert customers(orders) == ["alice", "bob", "carol"]


# ----------------------------------------------------------------------------------------------------------- statements


def test_execute_refuses_a_statement_that_returns_rows(orders):
    with orders.transaction() as tx:
        for sql in ("SELECT 1", "INSERT INTO orders (customer) VALUES ('x') RETURNING id"):
            with pytest.raises(UnexpectedRowsError, match=r"Execute returned results - did you mean to call query?"):
                tx.execute(sql)


def test_query_returns_the_rows_of_a_statement_that_writes(orders):
    with orders.transaction() as tx:
        rows = tx.query("INSERT INTO orders (customer) VALUES ('x') RETURNING id, customer")
    assert rows == [{"id": 1, "customer": "x"}]
    assert customers(orders) == ["x"]


def test_a_statement_without_rows_has_no_rows(orders):
    with orders.transaction() as tx:
        assert tx.query("INSERT INTO orders (customer) VALUES ('x')") == []


@pytest.mark.parametrize("method", ["execute", "query"])
@pytest.mark.sqlite_only("PostgreSQL fails the whole transaction")
def test_several_statements_at_once_are_refused(orders, method):
    with orders.transaction() as tx:
        with pytest.raises(DatabaseError, match="Multiple statements provided"):
            getattr(tx, method)(
                "INSERT INTO orders (customer) VALUES ('a'); INSERT INTO orders (customer) VALUES ('b')"
            )
        assert tx.query("SELECT * FROM orders") == []


@pytest.mark.parametrize("method", ["execute", "query"])
@pytest.mark.parametrize(("params", "counts"), [([], "Got 0, needed 1"), ([1, 2], "Got 2, needed 1")])
@pytest.mark.sqlite_only("the messages of SQLite")
def test_a_wrong_number_of_parameters_is_refused(orders, method, params, counts):
    message = f"Wrong number of parameters passed to query. {counts}"
    with orders.transaction() as tx, pytest.raises(DatabaseError, match=message):
        getattr(tx, method)("INSERT INTO orders (customer) VALUES (?)", params)


@pytest.mark.parametrize("method", ["execute", "query"])
def test_named_parameters_are_refused(orders, method):
    with orders.transaction() as tx, pytest.raises(UnsupportedParameterError, match="positional sequence"):
        getattr(tx, method)("INSERT INTO orders (customer) VALUES (:customer)", {"customer": "x"})


def test_a_notification_exists_if_its_transaction_commits(orders):
    with orders.transaction() as tx:
        first = tx.notify("orders", {"id": 1})
    with pytest.raises(ZeroDivisionError), orders.transaction() as tx:  # noqa: PT012
        tx.notify("orders", {"id": 2})
        raise ZeroDivisionError
    assert orders.query("SELECT id, channel, payload FROM _honker_notifications") == [
        {"id": first, "channel": "orders", "payload": '{"id": 1}'}
    ]


@pytest.mark.sqlite_only("PostgreSQL fails the whole transaction")
def test_a_notification_that_is_no_json_is_refused(orders):
    with orders.transaction() as tx:
        with pytest.raises(InvalidPayloadError):
            tx.notify("orders", object())
        with pytest.raises(InvalidArgumentError):
            tx.notify("", 1)
    assert orders.query("SELECT * FROM _honker_notifications") == []


def test_bootstrapping_inside_a_transaction_is_harmless(orders):
    with orders.transaction() as tx:
        tx.bootstrap_honker_schema()
        place(tx, "alice")
    assert customers(orders) == ["alice"]


@pytest.mark.parametrize(
    "use",
    [
        lambda tx: tx.execute("SELECT 1"),
        lambda tx: tx.query("SELECT 1"),
        lambda tx: tx.scalar("SELECT 1", ()) if isinstance(tx, PostgresTransaction) else scalar_in(tx, "SELECT 1", ()),
        lambda tx: tx.notify("c", 1),
        lambda tx: tx.bootstrap_honker_schema(),
    ],
    ids=["execute", "query", "scalar", "notify", "bootstrap_honker_schema"],
)
def test_a_transaction_outside_its_block_says_so(db, use):
    transaction = db.transaction()
    with pytest.raises(TransactionNotStartedError, match="Transaction not started"):
        use(transaction)
    with transaction:
        pass
    with pytest.raises(TransactionNotStartedError, match="Transaction not started"):
        use(transaction)


def test_an_operation_of_a_queue_through_an_ended_transaction_says_so(db):
    with db.transaction() as tx:
        pass
    with pytest.raises(TransactionNotStartedError):
        db.queue("q").enqueue(1, tx=tx)


# -------------------------------------------------------------------------------------------------------------- nesting


def test_a_nested_transaction_of_a_thread_is_refused_and_the_outer_one_goes_on(orders):
    with orders.transaction() as tx:
        place(tx, "alice")
        with pytest.raises(NestedTransactionError, match=r"nested db\.transaction\(\) is not supported") as caught:
            orders.transaction().__enter__()
        assert isinstance(caught.value, RuntimeError)
        place(tx, "bob")
    assert customers(orders) == ["alice", "bob"]
    with orders.transaction():
        pass


def test_entering_a_transaction_twice_is_nesting(orders):
    with orders.transaction() as tx:
        with pytest.raises(NestedTransactionError):
            tx.__enter__()
        place(tx, "alice")
    assert customers(orders) == ["alice"]


def test_an_operation_without_tx_inside_a_transaction_is_nesting(orders):
    queue = orders.queue("q")
    queue.enqueue(1)
    with orders.transaction() as tx:
        for operation in (lambda: queue.enqueue(2), lambda: queue.claim_one("w"), lambda: queue.ack(1, "w")):
            with pytest.raises(NestedTransactionError):
                operation()
        place(tx, "alice")
    assert customers(orders) == ["alice"]
    assert len(queue.claim_batch("w", 5)) == 1


def test_a_nested_transaction_of_a_task_is_refused_and_the_outer_one_goes_on(orders):
    async def main():
        async with orders.transaction() as tx:
            place(tx, "alice")
            with pytest.raises(NestedTransactionError, match=r"nested db\.transaction\(\) is not supported"):
                await orders.transaction().__aenter__()
            with pytest.raises(NestedTransactionError):
                await orders.queue("q").aenqueue(1)
            with pytest.raises(NestedTransactionError):
                orders.transaction().__enter__()
            place(tx, "bob")

    asyncio.run(main())
    assert customers(orders) == ["alice", "bob"]


@pytest.mark.sqlite_only("one writer")
def test_blocking_calls_of_other_tasks_are_refused_while_a_task_holds_a_transaction(orders):
    """They would block the loop that the holder needs to continue; they must use the asynchronous forms."""

    async def other():
        with pytest.raises(NestedTransactionError):
            orders.queue("q").enqueue(1)
        await orders.queue("q").aenqueue(2)

    async def main():
        async with orders.transaction():
            task = asyncio.create_task(other())
            await until(lambda: len(orders.engine.current._write_lock._waiters) == 1)
        await task

    asyncio.run(main())
    assert [job.payload for job in orders.queue("q").claim_batch("w", 5)] == [2]


def test_a_queue_may_be_constructed_inside_a_transaction(orders):
    with orders.transaction() as tx:
        queue = orders.queue("fresh", max_attempts=5)
        queue.enqueue({"n": 1}, tx=tx)
        assert orders.queue("fresh") is queue
    assert queue.claim_one("w").max_attempts == 5


def test_databases_of_their_own_may_hold_transactions_together(path, tmp_path):
    with honker.open(path) as one, honker.open(tmp_path / "other.db") as two:
        with one.transaction() as first, two.transaction() as second:
            one.queue("q").enqueue(1, tx=first)
            two.queue("q").enqueue(2, tx=second)
        assert one.queue("q").claim_one("w").payload == 1
        assert two.queue("q").claim_one("w").payload == 2


# ---------------------------------------------------------------------------------------------------- threads and tasks


@pytest.mark.sqlite_only("one writer")
def test_threads_wait_for_each_other(orders):
    def work(number):
        for step in range(25):
            with orders.transaction() as tx:
                place(tx, f"{number}-{step}")

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(customers(orders)) == 200


@pytest.mark.sqlite_only("one writer")
def test_another_thread_waits_for_a_transaction_and_does_not_fail(orders):
    thread = threading.Thread(target=orders.queue("q").enqueue, args=[1])
    with orders.transaction() as tx:
        thread.start()
        wait_until(lambda: len(orders.engine.current._write_lock._waiters) == 1)
        place(tx, "alice")
        assert orders.query("SELECT * FROM _honker_live") == []
    thread.join()
    assert orders.queue("q").claim_one("w").payload == 1


def test_tasks_queue_up_and_all_succeed(orders):
    async def work(number):
        async with orders.transaction() as tx:
            place(tx, str(number))
            await asyncio.sleep(0)
            assert str(number) in [row["customer"] for row in tx.query("SELECT customer FROM orders")]

    async def main():
        await asyncio.gather(*(work(number) for number in range(50)))

    asyncio.run(main())
    assert sorted(map(int, customers(orders))) == list(range(50))


def test_tasks_and_threads_share_one_database(orders):
    queue = orders.queue("q")

    async def task(number):
        for _ in range(20):
            async with orders.transaction() as tx:
                await asyncio.sleep(0)
                queue.enqueue(number, tx=tx)
            await queue.aenqueue(number)

    async def main():
        await asyncio.gather(*(task(number) for number in range(4)))

    threads = [threading.Thread(target=lambda: [queue.enqueue(9) for _ in range(50)]) for _ in range(3)]
    threads.append(threading.Thread(target=lambda: asyncio.run(main())))
    for thread in threads:
        thread.start()
    asyncio.run(main())
    for thread in threads:
        thread.join()
    assert orders.query("SELECT count(*) AS n FROM _honker_live") == [{"n": 2 * 4 * 40 + 150}]


# ---------------------------------------------------------------------------------------------- cancelled while waiting


def usable_again(db, path):
    """Check that no transaction is open and that the write lock of the process is free."""
    wait_until(lambda: not is_locked(path))
    with db.transaction() as tx:
        tx.execute("CREATE TABLE IF NOT EXISTS proof (n INTEGER)")
    return True


@pytest.mark.usefixtures("impatient")
@pytest.mark.sqlite_only("one writer")
def test_a_task_cancelled_while_it_waits_for_another_task_leaves_the_turn(db, path):
    async def enter():
        async with db.transaction():
            pytest.fail("the transaction was entered all the same")

    async def main():
        async with db.transaction():
            task = asyncio.create_task(enter())
            await until(lambda: len(db.engine.current._write_lock._waiters) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert usable_again(db, path)


def entering(db):
    """Start a task that waits in a thread for the write lock of another process."""

    async def enter():
        async with db.transaction():
            pytest.fail("the transaction was entered all the same")

    return asyncio.create_task(enter())


@pytest.mark.usefixtures("impatient")
@pytest.mark.sqlite_only("one writer")
def test_a_task_cancelled_while_it_waits_for_another_process_leaves_nothing_open(db, path):
    """The waiting thread still gets the lock, and must release it."""

    async def main(release):
        with ThreadPoolOfOne() as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            task = entering(db)
            await until(lambda: executor.has_begun)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            release()

    with write_lock_elsewhere(path) as release:
        asyncio.run(main(release))
    assert usable_again(db, path)


@pytest.mark.usefixtures("impatient")
@pytest.mark.sqlite_only("one writer")
def test_a_task_cancelled_before_another_process_times_it_out_leaves_nothing_open(db, path):
    async def main():
        with ThreadPoolOfOne() as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            task = entering(db)
            await until(lambda: executor.has_begun)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with write_lock_elsewhere(path):
        asyncio.run(main())  # ends after the thread has stopped waiting
    assert usable_again(db, path)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("gets_the_lock", [True, False])
@pytest.mark.sqlite_only("one writer")
def test_a_task_cancelled_in_the_moment_its_wait_ends_leaves_nothing_open(db, path, gets_the_lock):
    """The thread has ended, with the transaction or with an error, but the task has not run since."""

    async def main(release):
        with ThreadPoolOfOne() as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            task = entering(db)
            await until(lambda: executor.has_begun)
            if gets_the_lock:
                release()
            executor.submit(int).result()  # blocks the loop until the thread is done with the transaction
            task.cancel()
            with pytest.raises((asyncio.CancelledError, HonkerError)):
                await task

    with write_lock_elsewhere(path) as release:
        asyncio.run(main(release))
    assert usable_again(db, path)


@pytest.mark.usefixtures("impatient")
@pytest.mark.sqlite_only("one writer")
def test_a_call_cancelled_before_its_thread_began_leaves_the_turn(db, path):
    """Every thread is busy, so the wait for another process has not even begun."""
    may_go = threading.Event()

    async def main(release):
        with ThreadPoolOfOne() as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            executor.submit(may_go.wait)
            task = asyncio.create_task(db.queue("q").aenqueue(1))
            await until(lambda: executor._work_queue.qsize() > 0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            release()
            may_go.set()

    with write_lock_elsewhere(path) as release:
        asyncio.run(main(release))
    assert usable_again(db, path)


@pytest.mark.usefixtures("impatient")
@pytest.mark.sqlite_only("one writer")
def test_a_call_cancelled_while_its_thread_waits_leaves_the_turn(db, path):
    async def main(release):
        with ThreadPoolOfOne() as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            task = asyncio.create_task(db.queue("q").aenqueue(1))
            await until(lambda: executor.has_begun)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            release()

    with write_lock_elsewhere(path) as release:
        asyncio.run(main(release))
    assert usable_again(db, path)


def test_leaving_a_block_does_not_block_the_loop_behind_a_statement_in_a_thread(db):
    """A cancelled task leaves its transaction while a thread still runs a statement of it."""
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"

    async def main():
        longest, begun = 0.0, asyncio.Event()

        async def work():
            async with db.transaction() as tx:
                statement = asyncio.create_task(asyncio.to_thread(tx.query, slow))
                await until(lambda: tx._is_in_use)
                begun.set()
                await statement

        working = asyncio.create_task(work())
        await begun.wait()
        working.cancel()
        last = time.monotonic()
        while not working.done():
            await asyncio.sleep(0.01)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        assert working.cancelled()
        with db.transaction() as tx:
            assert tx.query("SELECT 1 AS one") == [{"one": 1}]
        return longest

    assert asyncio.run(main()) < 0.15
