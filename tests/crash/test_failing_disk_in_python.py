"""Failing disks seen from Python: the class of the error, and a database that still works.

Every call is made with each operation of the disk failing once, with each code. The class of the error is that of the
code. A second call does the requested work, and none of it exists twice.

Seen to fail when the engine reported every failure as `SQLITE_ERROR`, and when its bracket ignored the error of a
COMMIT or left the transaction open after it.
"""

import sqlite3

import honker
import pytest

from ..support.locking import ask
from .faults import uri
from .test_failing_disk import BUSY, CANTOPEN, FAULTS, FULL, IOERR

pytestmark = pytest.mark.sqlite_only("the disk of the file")

CLASSES = {
    IOERR: honker.DatabaseIOError,
    FULL: honker.DatabaseFullError,
    BUSY: honker.DatabaseBusyError,
    CANTOPEN: honker.DatabaseOpenError,
}


def enqueue_with_order(db):
    with db.transaction() as tx:
        tx.execute("INSERT INTO shop VALUES (?)", ["order"])
        return db.queue("q").enqueue("with order", tx=tx)


def add_in_a_row(db):
    """Enqueue more jobs than are written one by one."""
    with db.transaction() as tx:
        jobs = [db.queue("row").enqueue(n, tx=tx) for n in range(8)]
        events = [db.stream("s").publish(n, tx=tx) for n in range(8)]
        tx.execute("DELETE FROM _honker_live WHERE queue = 'row'")
        return jobs, events


def claim_and_ack(db):
    with db.transaction() as tx:
        job = db.queue("q").claim_one("w", tx=tx)
        db.queue("q").save_result(job.id, "done", tx=tx)
        return job.ack(tx=tx)


# Each call with its result.
CALLS = {
    "enqueue": (lambda db: db.queue("q").enqueue(1), 1),
    "enqueue with its order": (enqueue_with_order, 2),
    "claim and ack": (claim_and_ack, True),
    "claim": (lambda db: db.queue("q").claim_one("w").id, 2),
    "retry": (lambda db: db.queue("q").retry(2, "w", 0, "again", attempt=1), True),
    "enqueue more": (lambda db: db.queue("q").enqueue(2, priority=1), 3),
    "claim more": (lambda db: db.queue("q").claim_one("w").id, 3),
    "fail": (lambda db: db.queue("q").fail(3, "w", "broken", attempt=1), True),
    "publish": (lambda db: db.stream("s").publish("event"), 1),
    "publish many": (lambda db: db.stream("s").publish_many(["a", "b"]), [2, 3]),
    "add in a row": (add_in_a_row, ([*range(4, 12)], [*range(4, 12)])),
    "save offset": (lambda db: db.stream("s").save_offset("c", 2), True),
    "read stream": (lambda db: [event.offset for event in db.stream("s").read_since(0)], [*range(1, 12)]),
    "notify": (lambda db: db.notify("n", "hello"), 1),
    "limit rate": (lambda db: db.try_rate_limit("r", 5, 1_000_000), True),
    "result": (lambda db: db.queue("q").get_result(1), (True, "done")),
}
LEFT = {
    "SELECT n FROM shop": [("order",)],
    "SELECT id, state, attempts FROM _honker_jobs ORDER BY id": [(2, "pending", 1), (3, "dead", 1)],
    "SELECT offset FROM _honker_stream": [(n,) for n in range(1, 12)],
    "SELECT count FROM _honker_rate_limits": [(1,)],
    "SELECT id FROM _honker_notifications": [(1,)],
}


def lay(path):
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("CREATE TABLE shop (n)")
    conn.close()


def attempt(call, errors):
    """Call, and once more if that fails."""
    try:
        return call()
    except honker.HonkerError as error:
        errors.append(error)
        return call()


def suffer(disk, path, kind, nth, code):
    """Make every call with one failure on the way. Returns the errors."""
    lay(path)
    disk.fail(nth, code, kind)
    errors = []
    db = attempt(lambda: honker.open(uri(path)), errors)
    try:
        for name, (call, returned) in CALLS.items():
            assert attempt(lambda call=call: call(db), errors) == returned, name
    finally:
        if code == BUSY:
            disk.heal()  # only locks are busy; see test_failing_disk
        db.close()
    for sql, rows in LEFT.items():
        assert ask(path, sql) == rows
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    return errors


def count(disk, path, kind):
    lay(path)
    disk.count(kind)
    with honker.open(uri(path)) as db:
        for call, _ in CALLS.values():
            call(db)
    return disk.seen


@pytest.mark.torture(short_s=2)
def test_every_failure_of_the_disk_is_an_error_of_its_class_and_the_database_goes_on(torture, disk, path):
    faults = [
        (kind, nth, code)
        for kind, codes in FAULTS.items()
        for nth in range(1, count(disk, path, kind) + 1)
        for code in codes
    ]
    torture.random.shuffle(faults)
    for number in torture.rounds(at_least=20):
        kind, nth, code = faults[number % len(faults)]
        errors = suffer(disk, path, kind, nth, code)
        torture.count("operations failed once")
        torture.count("of them raised", bool(errors))
        for error in errors:
            assert isinstance(error, CLASSES[code & 0xFF]), f"{kind} {nth} {code}: {error!r}"
            assert error.sqlite_code & 0xFF == code & 0xFF
