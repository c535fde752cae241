"""A transaction writes its consecutive adds together, with no visible difference but the time."""

import asyncio
import contextlib
import gc
import json
import random
import sqlite3

import honker
import pytest
from honker import (
    DatabaseError,
    DatabaseFullError,
    InternalError,
    InterruptedStatementError,
    InvalidArgumentError,
    TransactionNotStartedError,
)
from honker.sqlite import batch
from honker.sqlite.connection import Connection
from honker.task.message import envelope

from ..support.locking import ask, is_locked

pytestmark = pytest.mark.sqlite_only("the batches of SQLite's one writing connection")

JOBS = "SELECT id, queue, payload FROM _honker_live ORDER BY id"
EVENTS = "SELECT offset, topic, key, payload FROM _honker_stream ORDER BY offset"


@pytest.fixture
def statements(db):
    """The functions, BEGINs and COMMITs that the writing connection has run since the test began."""
    seen = []

    def note(sql):
        if sql.startswith(("BEGIN", "COMMIT", "SELECT honker_")):
            seen.append(sql.split("(")[0])

    db.engine.current._writer.raw.set_trace_callback(note)
    return seen


def jobs(path):
    return [(job_id, json.loads(payload)) for job_id, _, payload in ask(path, JOBS)]


# -------------------------------------------------------------------------------------------- same effect as one by one


@pytest.mark.parametrize("seed", range(60))
def test_any_mixture_does_what_it_would_do_one_by_one(path, seed, monkeypatch):
    """Each id belongs to its payload, and each statement sees exactly the earlier work."""
    chance = random.Random(seed)
    monkeypatch.setattr(batch, "_ALONE", chance.choice([1, 2, 4]))
    monkeypatch.setattr(batch, "_WAITING", chance.choice([1, 3, 1000]))
    monkeypatch.setattr(batch, "_WAITING_CHARACTERS", chance.choice([20, 1 << 20]))
    expected = {"jobs": {}, "events": {}}
    with honker.open(path) as db:
        for commits in (True, False, True):
            before = {kind: dict(rows) for kind, rows in expected.items()}
            with db.transaction() as tx:
                mix(db, tx, chance, expected)
                if not commits:
                    tx.execute("ROLLBACK")
                    tx.execute("BEGIN IMMEDIATE")
            expected = expected if commits else before
    assert {job_id: (queue, json.loads(payload)) for job_id, queue, payload in ask(path, JOBS)} == expected["jobs"]
    assert {offset: (*names, json.loads(text)) for offset, *names, text in ask(path, EVENTS)} == expected["events"]


def mix(db, tx, chance, expected):
    saved = None
    for number in range(chance.randrange(5, 120)):
        what = chance.choices(
            ["repeat", "enqueue", "keyed", "urgent", "later", "unique", "many", "publish", "count", "save", "undo"],
            [30, 8, 8, 1, 1, 1, 1, 8, 1, 1, 1],
        )[0]
        if what != "repeat":
            last, name = what, chance.choice(["a", "b"])
        elif number == 0 or last not in {"enqueue", "keyed", "publish"}:
            last, name = chance.choice(["enqueue", "keyed", "publish"]), "a"
        if last in {"enqueue", "keyed", "urgent", "later", "unique"}:
            key = {"key": chance.choice(["k", 'ü"\\'])}
            unique = {"unique_key": f"u{number}"}
            more = {"urgent": {"priority": 5}, "later": {"delay": 5}, "keyed": key, "unique": unique}
            options = more.get(last, {})
            expected["jobs"][db.queue(name).enqueue({"n": number}, tx=tx, **options)] = name, {"n": number}
        elif last == "many":
            for job_id in db.queue(name).enqueue_many([number] * 3, tx=tx):
                expected["jobs"][job_id] = name, number
        elif last == "publish":
            key = chance.choice([None, "k", 'ü"\\'])
            expected["events"][db.stream(name).publish(number, key, tx=tx)] = name, key, number
        elif last == "save":
            tx.execute("SAVEPOINT here")
            saved = {kind: dict(rows) for kind, rows in expected.items()}
        elif last == "undo" and saved is not None:
            tx.execute("ROLLBACK TO here")
            expected.update({kind: dict(rows) for kind, rows in saved.items()})
        else:
            found = {job["id"]: job["queue"] for job in tx.query("SELECT id, queue FROM _honker_live")}
            assert found == {job_id: queue for job_id, (queue, _) in expected["jobs"].items()}
            assert tx.query("SELECT count(*) AS n FROM _honker_stream") == [{"n": len(expected["events"])}]


def note(tx):
    tx.execute("INSERT INTO seen SELECT count(*) FROM _honker_live")
    return tx.query("SELECT n FROM seen")[0]["n"]


SEEING = {
    "query": lambda db, tx: tx.query("SELECT count(*) AS n FROM _honker_live")[0]["n"],
    "execute": lambda db, tx: note(tx),
    "stats": lambda db, tx: db.queue("q").stats(tx=tx).ready,
    "claim": lambda db, tx: len(db.queue("q").claim_batch("w", 50, tx=tx)),
    "cancel": lambda db, tx: sum(db.queue("q").cancel(n, tx=tx) for n in range(1, 21)),
}


@pytest.mark.parametrize("see", SEEING)
def test_whatever_comes_next_sees_what_waited(db, see):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE seen (n)")
        for n in range(20):
            db.queue("q").enqueue(n, tx=tx)
        assert SEEING[see](db, tx) == 20


def test_a_payload_is_what_it_was_when_it_was_added(db, queue, path):
    payload = {"n": 0}
    with db.transaction() as tx:
        for n in range(20):
            payload["n"] = n
            queue.enqueue(payload, tx=tx)
    assert jobs(path) == [(n + 1, {"n": n}) for n in range(20)]


def test_a_change_of_the_queue_counts_from_the_next_job_on(db, queue, path):
    with db.transaction() as tx:
        for n in range(20):
            queue.max_attempts = 3 if n < 10 else 7
            queue.enqueue(n, tx=tx)
    assert ask(path, "SELECT max_attempts, count(*) FROM _honker_live GROUP BY 1") == [(3, 10), (7, 10)]


OPTIONS = [
    {"priority": 5}, {"run_at": 4_102_444_800.5}, {"max_attempts": 9}, {"run_at": 5, "priority": -1, "max_attempts": 1},
    {"delay": 60}, {"expires": 60.5}, {"delay": 0, "run_at": 5, "expires": 1},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_are_those_of_each_job(db, queue, path, options):
    """Also after jobs with other options."""
    with db.transaction() as tx:
        for _ in range(10):
            queue.enqueue(0, tx=tx)
        for _ in range(10):
            queue.enqueue(0, tx=tx, **options)
        for _ in range(10):
            queue.enqueue(0, tx=tx, priority=77)
    queue.enqueue(0, **options)
    run_at = "run_at" if "run_at" in options and "delay" not in options else "run_at - created_at BETWEEN 59 AND 61"
    sql = f"SELECT priority, max_attempts, {run_at}, expires_at - created_at BETWEEN 0 AND 61 FROM _honker_live"
    *first, expected = ask(path, f"{sql} ORDER BY id")
    assert [row == expected for row in first] == [False] * 10 + [True] * 10 + [False] * 10


@pytest.mark.parametrize("option", ["delay", "expires"])
def test_what_counts_from_now_counts_from_its_call(db, queue, statements, option):
    with db.transaction() as tx:
        for n in range(1, 21):
            queue.enqueue(n, tx=tx, **{option: 60})
            assert statements == ["BEGIN IMMEDIATE", *["SELECT honker_enqueue"] * n]


def test_calls_of_a_task_wait_like_others(db, path, statements):
    task = db.task("q", name="t", priority=5, retries=7)(print)
    with db.transaction() as tx:
        ids = [task.enqueue_with(tx=tx)(n).id for n in range(1_000)]
    assert jobs(path) == [(job_id, envelope("t", (n,))) for n, job_id in enumerate(ids)]
    assert ask(path, "SELECT DISTINCT priority, max_attempts FROM _honker_live") == [(5, 7)]
    assert len(statements) < 20


@pytest.mark.parametrize("depth", [1, 120, 130, 900])
def test_a_payload_may_be_as_deep_as_ever(db, queue, path, depth):
    payload = json.loads("[" * depth + "]" * depth)
    with db.transaction() as tx:
        for _ in range(10):
            queue.enqueue(payload, tx=tx)
            db.stream("t").publish(payload, tx=tx)
        for _ in range(10):
            queue.enqueue(payload, tx=tx)
        for _ in range(10):
            db.stream("t").publish(payload, tx=tx)
    assert [payload for _, payload in jobs(path)] == [payload] * 20
    assert ask(path, "SELECT DISTINCT payload FROM _honker_stream") == [(json.dumps(payload),)]


def test_coroutines_add_in_a_row_too(db, queue, path, statements):
    async def main():
        async with db.transaction() as tx:
            ids = [await queue.aenqueue(n, tx=tx) for n in range(100)]
            return ids, [await db.stream("t").apublish(n, tx=tx) for n in range(100)]

    ids, offsets = asyncio.run(main())
    assert jobs(path) == [(job_id, n) for n, job_id in enumerate(ids)]
    assert offsets == list(range(1, 101))
    assert len(statements) < 30


# --------------------------------------------------------------------------------------------------------------- bounds


def test_a_row_of_jobs_takes_few_statements_and_one_alone_takes_one(db, queue, path, statements):
    with db.transaction() as tx:
        queue.enqueue(0, tx=tx)
    assert statements == ["BEGIN IMMEDIATE", "SELECT honker_enqueue", "COMMIT"]
    statements.clear()
    with db.transaction() as tx:
        ids = [queue.enqueue(n, tx=tx) for n in range(1, 10_000)]
    assert jobs(path)[1:] == [(job_id, n) for n, job_id in enumerate(ids, start=1)]
    assert len(statements) < 50
    statements.clear()
    with db.transaction() as tx:
        for _ in range(5_000):
            queue.enqueue("x" * 1_000, tx=tx)
    assert len(statements) < 50


def test_a_row_of_jobs_with_keys_takes_few_statements_and_each_has_its_key(db, queue, path, statements):
    queue.configure(concurrency_per_key=2)
    statements.clear()
    keys = [f"k{n % 3}" for n in range(5_000)]
    with db.transaction() as tx:
        ids = [queue.enqueue(n, key=key, tx=tx) for n, key in enumerate(keys)]
        urgent = [queue.enqueue(n, key=key, priority=5, tx=tx) for n, key in enumerate(keys[:100])]
    assert len(statements) < 60
    assert ids + urgent == list(range(1, 5_101))
    rows = ask(path, "SELECT json_extract(payload, '$'), key, priority, state FROM _honker_live ORDER BY id")
    assert [row[:2] for row in rows] == [*enumerate(keys), *enumerate(keys[:100])]
    assert [row[2] for row in rows] == [0] * 5_000 + [5] * 100
    # As one by one: the first two of a key are candidates, and so are those that overtake them.
    assert [row[3] for row in rows].count("pending") == 12
    assert db.queue("q").stats().blocked == 5_088


def test_calls_of_a_keyed_task_and_coroutines_wait_too(db, queue, path, statements):
    keyed = queue.task(name="keyed", key=lambda n: f"k{n}")(lambda n: n)

    async def main():
        async with db.transaction() as tx:
            return [await queue.aenqueue(n, key=f"k{n}", tx=tx) for n in range(1_000)]

    statements.clear()
    with db.transaction() as tx:
        results = [keyed.enqueue_with(tx=tx)(n) for n in range(1_000)]
    ids = asyncio.run(main())
    assert len(statements) < 60
    assert [result.id for result in results] + ids == list(range(1, 2_001))
    assert ask(path, "SELECT key FROM _honker_live ORDER BY id") == [(f"k{n % 1_000}",) for n in range(2_000)]


@pytest.mark.parametrize("key", ["", "k" * 256, "a\0b", "\ud800", 5], ids=ascii)
def test_a_key_that_is_refused_is_refused_at_once_and_the_rest_is_kept(db, queue, path, key):
    with db.transaction() as tx:
        ids = [queue.enqueue(n, key="k", tx=tx) for n in range(10)]
        with pytest.raises(InvalidArgumentError):
            queue.enqueue(10, key=key, tx=tx)
        ids += [queue.enqueue(n, key="k", tx=tx) for n in range(10, 20)]
    assert jobs(path) == [(job_id, n) for n, job_id in enumerate(ids)]


def test_what_waits_is_bounded(db, queue, path, statements):
    """Both in number and in size: a payload beyond the bound is written at once."""
    sizes = [10] * 2_500 + [300_000] * 10 + [2_000_000] * 3 + [10] * 1_000
    statements.clear()
    most = 0
    with db.transaction() as tx:
        for size in sizes:
            queue.enqueue("x" * size, tx=tx)
            waiting = tx._batch._waiting
            assert len(waiting) <= 1_000
            most = max(most, sum(map(len, waiting)))
    assert 600_000 < most <= 1 << 20
    assert len(statements) < 50
    assert ask(path, "SELECT length(payload) - 2 FROM _honker_live ORDER BY id") == [(size,) for size in sizes]


# ------------------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("what", ["payload", "key", "name"])
def test_a_value_that_is_refused_is_refused_at_once_and_the_rest_is_kept(db, queue, path, what):
    attempts = {
        "payload": lambda tx: queue.enqueue({1, 2}, tx=tx),
        "key": lambda tx: db.stream("t").publish(1, "\ud800", tx=tx),
        "name": lambda tx: db.queue("").enqueue(1, tx=tx),
    }
    with db.transaction() as tx:
        for add in (queue.enqueue, db.stream("t").publish):
            for n in range(10):
                add(n, tx=tx)
            with pytest.raises(honker.HonkerError):
                attempts[what](tx)
            for n in range(10, 20):
                add(n, tx=tx)
    assert jobs(path) == [(n + 1, n) for n in range(20)]
    assert ask(path, EVENTS) == [(n + 1, "t", None, str(n)) for n in range(20)]


def test_a_transaction_entered_again_knows_nothing_of_the_last_one(db, queue, path):
    transaction = db.transaction()
    with pytest.raises(ZeroDivisionError), transaction as tx:  # noqa: PT012
        for n in range(20):
            queue.enqueue(n, tx=tx)
        raise ZeroDivisionError
    with transaction as tx:
        assert [queue.enqueue(n, tx=tx) for n in range(20)] == list(range(1, 21))
    assert jobs(path) == [(n + 1, n) for n in range(20)]


def limit(db, pages):
    db.engine.current._writer.scalar(f"PRAGMA max_page_count = {pages}")


@pytest.fixture
def full(db):
    """A database with room for few jobs of the size of `fill`."""
    with db.transaction() as tx:
        tx.execute("CREATE TABLE orders (n)")
    limit(db, db.engine.current._writer.scalar("PRAGMA page_count") + 4)
    return db


@contextlib.contextmanager
def too_long(db):
    """A while in which SQLite refuses the texts of many jobs, without ending the transaction."""
    longest = db.engine.current._writer.raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
    yield
    db.engine.current._writer.raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)


def fill(db, tx):
    return [db.queue("q").enqueue("x" * 2_000, tx=tx) for _ in range(20)]


def test_a_full_disk_is_told_by_the_commit_and_nothing_is_left(full, path):
    with pytest.raises(DatabaseFullError), full.transaction() as tx:  # noqa: PT012
        tx.execute("INSERT INTO orders VALUES (1)")
        assert fill(full, tx) == list(range(1, 21))
    assert ask(path, JOBS) == []
    assert ask(path, "SELECT * FROM orders") == []
    limit(full, 1_000_000)
    with full.transaction() as tx:
        assert fill(full, tx) == list(range(1, 21))
    assert len(jobs(path)) == 20


def test_a_job_that_ends_the_transaction_is_not_followed_by_others(full, path):
    """A full disk makes SQLite roll back, and later jobs would be committed alone."""
    with pytest.raises(DatabaseError, match="no transaction is active"), full.transaction() as tx:  # noqa: PT012
        tx.execute("INSERT INTO orders VALUES (1)")
        for n in range(10):
            full.queue("q").enqueue(n, tx=tx)
        with pytest.raises(DatabaseFullError):
            full.queue("q").enqueue("x" * 2_000_000, tx=tx)
        limit(full, 1_000_000)
        for _ in range(10):
            with pytest.raises(TransactionNotStartedError):
                full.queue("q").enqueue("later", tx=tx)
    assert ask(path, JOBS) == ask(path, "SELECT * FROM orders") == []


UNDOING = {"ROLLBACK": [], "ROLLBACK TO here": ["before"], " rollback to savepoint here": ["before"]}


@pytest.mark.parametrize("statement", UNDOING)
def test_jobs_that_could_not_be_written_can_be_rolled_back(db, path, statement):
    with db.transaction() as tx:
        db.queue("q").enqueue("before", tx=tx)
        tx.execute("SAVEPOINT here")
        with too_long(db):
            fill(db, tx)
            with pytest.raises(DatabaseError, match="too big"):
                tx.execute("RELEASE here")
            with pytest.raises(DatabaseError, match="no such savepoint"):
                tx.execute("ROLLBACK TO nowhere")
            with pytest.raises(DatabaseError, match="too big"):
                db.queue("q").enqueue("another", tx=tx)
            tx.execute(statement)
        if statement == "ROLLBACK":
            tx.execute("BEGIN")
        db.queue("q").enqueue("after", tx=tx)
    assert [payload for _, payload in jobs(path)] == [*UNDOING[statement], "after"]


def test_jobs_that_are_rolled_back_before_they_were_written_never_are(db, queue, path, statements):
    with db.transaction() as tx:
        queue.enqueue("before", tx=tx)
        tx.execute("SAVEPOINT here")
        for n in range(100):
            queue.enqueue(n, tx=tx)
        tx.execute("ROLLBACK TO here")
        assert queue.enqueue("after", tx=tx) == 2
    assert jobs(path) == [(1, "before"), (2, "after")]
    assert "SELECT honker_enqueue_many" not in statements


@pytest.mark.parametrize("then", ["commit", "add", "add to another", "execute", "query"])
def test_a_transaction_that_lost_jobs_cannot_be_committed(db, path, then):
    """Even if the error is caught and its cause is gone: the ids were already returned."""
    after = {
        "commit": lambda tx: None,
        "add": lambda tx: db.queue("q").enqueue(1, tx=tx),
        "add to another": lambda tx: db.queue("other").enqueue(1, tx=tx),
        "execute": lambda tx: tx.execute("CREATE TABLE orders (n)"),
        "query": lambda tx: tx.query("SELECT 1"),
    }
    with pytest.raises(DatabaseError, match="too big"), db.transaction() as tx:  # noqa: PT012
        with too_long(db):
            fill(db, tx)
            with pytest.raises(DatabaseError, match="too big"):
                tx.query("SELECT 1")
        assert db.engine.current._writer.raw.in_transaction
        if then != "commit":
            with pytest.raises(DatabaseError, match="too big"):
                after[then](tx)
    assert ask(path, JOBS) == []
    with db.transaction() as tx:
        after[then](tx)


def test_an_interrupt_while_jobs_are_written_leaves_none_of_them_twice(db, queue, path, monkeypatch):
    scalar = Connection.scalar

    def interrupted(self, sql, params=()):
        result = scalar(self, sql, params)
        if "honker_enqueue_many" in sql:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(Connection, "scalar", interrupted)
    with pytest.raises(InterruptedStatementError, match="KeyboardInterrupt"), db.transaction() as tx:  # noqa: PT012
        for n in range(20):
            queue.enqueue(n, tx=tx)
        with pytest.raises(KeyboardInterrupt):
            tx.query("SELECT 1")
        monkeypatch.undo()
    assert jobs(path) == []


def test_an_abandoned_transaction_that_lost_jobs_ends_like_any_other(db, path):
    """Its error keeps no reference to it."""
    gc.collect()
    gc.disable()
    try:
        tx = db.transaction().__enter__()
        with too_long(db):
            fill(db, tx)
            for _ in range(3):
                with contextlib.suppress(DatabaseError):
                    tx.query("SELECT 1")
        assert is_locked(path)
        del tx
        assert not is_locked(path)
    finally:
        gc.enable()


def test_a_handler_whose_lease_is_lost_is_told_by_the_next_job(db, queue, path):
    scope = db.engine.handler_transaction()
    tx = scope.transaction
    for n in range(20):
        queue.enqueue(n, tx=tx)
    scope.revoke()
    with pytest.raises(TransactionNotStartedError, match="lease"):
        queue.enqueue(20, tx=tx)
    scope.finish(commits=True)
    assert jobs(path) == []


# ------------------------------------------------------------------------------ triggers and indexes of the application


def test_where_an_index_refuses_jobs_it_refuses_the_one(db, queue, path):
    with db.transaction() as tx:
        tx.execute("CREATE UNIQUE INDEX once ON _honker_live (queue, payload)")
        for n in range(20):
            queue.enqueue(n, tx=tx)
            with pytest.raises(honker.ConstraintError):
                queue.enqueue(n, tx=tx)
    assert [n for _, n in jobs(path)] == list(range(20))


def test_events_that_cannot_be_pruned_are_published_all_the_same(db, path):
    stream = db.stream("t")
    stream.retain(max_keep=5)
    with db.transaction() as tx:
        tx.execute("CREATE TABLE reader (at INTEGER REFERENCES _honker_stream (offset))")
        stream.publish("first", tx=tx)
        tx.execute("INSERT INTO reader VALUES (1)")
        for n in range(300):
            stream.publish(n, tx=tx)
    assert [json.loads(text) for *_, text in ask(path, EVENTS)] == ["first", *range(300)]


def test_whether_jobs_may_wait_is_asked_once(db, queue, statements):
    with db.transaction() as tx:
        tx.execute("CREATE TRIGGER mine AFTER INSERT ON _honker_live BEGIN SELECT 1; END")
        for n in range(100):
            queue.enqueue(n, tx=tx)
    assert statements.count("SELECT honker_has_additions") == 1


def test_where_a_trigger_adds_jobs_none_waits(db, queue, path):
    with db.transaction() as tx:
        tx.execute("""
            CREATE TRIGGER copy AFTER INSERT ON _honker_live WHEN NEW.queue = 'q'
            BEGIN INSERT INTO _honker_live (queue, payload) VALUES ('copies', NEW.payload); END
        """)
        added = [(queue.enqueue(n, tx=tx), n) for n in range(20)]
    assert [(job_id, int(n)) for job_id, name, n in ask(path, JOBS) if name == "q"] == added


@pytest.mark.parametrize("kind", ["TRIGGER", "TEMP TRIGGER"])
def test_where_a_trigger_refuses_jobs_it_refuses_the_one(db, queue, path, kind):
    with db.transaction() as tx:
        tx.execute(
            f"CREATE {kind} refuse BEFORE INSERT ON main._honker_live WHEN NEW.payload = '13'"
            " BEGIN SELECT raise(ABORT, 'unlucky'); END"
        )
        for n in range(20):
            if n == 13:
                with pytest.raises(honker.ConstraintError, match="unlucky"):
                    queue.enqueue(n, tx=tx)
            else:
                queue.enqueue(n, tx=tx)
    assert [n for _, n in jobs(path)] == [n for n in range(20) if n != 13]


def test_ids_that_are_not_as_promised_are_never_committed(db, queue, path, monkeypatch):
    """Should there be a way that nobody thought of."""
    scalar = Connection.scalar

    def unaware(self, sql, params=()):
        return 0 if "honker_has_additions" in sql else scalar(self, sql, params)

    monkeypatch.setattr(Connection, "scalar", unaware)
    with db.transaction() as tx:
        tx.execute("""
            CREATE TRIGGER copy AFTER INSERT ON _honker_live WHEN NEW.payload = '13'
            BEGIN INSERT INTO _honker_live (queue, payload) VALUES ('copies', NEW.payload); END
        """)
    with pytest.raises(InternalError, match="reserved"), db.transaction() as tx:  # noqa: PT012
        for n in range(20):
            queue.enqueue(n, tx=tx)
    assert jobs(path) == []


def test_an_argument_is_checked_although_jobs_wait(db, queue):
    with db.transaction() as tx:
        for n in range(10):
            queue.enqueue(n, tx=tx)
        with pytest.raises(InvalidArgumentError, match="priority"):
            queue.enqueue(1, tx=tx, priority="high")
