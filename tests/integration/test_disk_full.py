"""The disk is full, or the file has reached its limit: nothing is half applied, and the database works afterwards."""

import honker
import pytest
from honker import DatabaseFullError

from ..support.locking import ask
from ..support.processes import run

pytestmark = pytest.mark.sqlite_only("the disk of the file")

BIG = "x" * 200_000


@pytest.fixture
def full(db):
    """A database with a table of the application and room for some fifty pages."""
    db.queue("q").enqueue({"n": 0})
    with db.transaction() as tx:
        tx.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, text TEXT)")
    limit(db, db.engine.current._writer.scalar("PRAGMA page_count") + 40)
    return db


def limit(db, pages):
    db.engine.current._writer.scalar(f"PRAGMA max_page_count = {pages}")


def contents(path):
    tables = ("_honker_live", "_honker_dead", "_honker_results", "orders")
    return {table: ask(path, f"SELECT * FROM {table}") for table in tables}


FAILING = {
    "enqueue": lambda db, job: db.queue("q").enqueue(BIG),
    "save_result": lambda db, job: db.queue("q").save_result(job.id, BIG),
    "fail": lambda db, job: job.fail(BIG),
    "retry": lambda db, job: job.retry(0, BIG),
}


@pytest.mark.parametrize("name", sorted(FAILING))
def test_an_operation_on_a_full_database_fails_whole_and_works_again_afterwards(full, path, name):
    job = full.queue("q").claim_one("w")
    before = contents(path)
    with pytest.raises(DatabaseFullError, match=r"full|disk"):
        FAILING[name](full, job)
    assert contents(path) == before
    limit(full, 1_000_000)
    FAILING[name](full, job)
    assert contents(path) != before
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_transaction_on_a_full_database_fails_whole(full, path):
    before = contents(path)
    with pytest.raises(DatabaseFullError, match=r"full|disk"), full.transaction() as tx:  # noqa: PT012
        tx.execute("INSERT INTO orders (text) VALUES ('small')")
        full.queue("q").enqueue({"n": 1}, tx=tx)
        full.queue("q").enqueue(BIG, tx=tx)
    assert contents(path) == before
    limit(full, 1_000_000)
    with full.transaction() as tx:
        full.queue("q").enqueue(BIG, tx=tx)
    assert len(contents(path)["_honker_live"]) == 2


def test_jobs_of_a_full_database_can_still_be_claimed_and_acknowledged(full):
    with pytest.raises(DatabaseFullError):
        full.queue("q").enqueue(BIG)
    job = full.queue("q").claim_one("w")
    assert job.payload == {"n": 0}
    assert job.ack()


# The limit applies to files, so the -wal hits it as on a full disk. SIGXFSZ, which would end the process, is ignored.
ON_A_FULL_DISK = """
import os, resource, signal, sys
import honker

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
db = honker.open(sys.argv[1])
queue = db.queue("q")
with db.transaction() as tx:
    tx.execute("CREATE TABLE orders (job_id INTEGER)")
limit = os.path.getsize(sys.argv[1] + "-wal") + 300_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

acknowledged, failures = 0, 0
for number in range(200):
    try:
        with db.transaction() as tx:
            job_id = queue.enqueue({"n": number, "fill": "x" * 5000}, tx=tx)
            tx.execute("INSERT INTO orders VALUES (?)", [job_id])
        acknowledged += 1
    except (honker.DatabaseFullError, honker.DatabaseIOError) as error:
        assert any(word in str(error) for word in ("full", "disk")), error
        failures += 1
assert failures, "the disk never was full"

single = 0
try:
    for _ in range(100):
        queue.enqueue("x" * 5000)
        single += 1
except (honker.DatabaseFullError, honker.DatabaseIOError):
    pass
else:
    raise SystemExit("the disk was not full any more")

resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
queue.enqueue("afterwards")
print(acknowledged, single)
"""


def test_a_full_disk_fails_whole_loses_nothing_and_works_again_afterwards(path):
    (line,) = run(ON_A_FULL_DISK, path)
    acknowledged, single = map(int, line.split())
    assert acknowledged > 10
    with honker.open(path) as db:
        assert db.query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        jobs = db.queue("q").claim_batch("w", 1000)
        assert len(jobs) == acknowledged + single + 1
        assert jobs[-1].payload == "afterwards"
        with_orders = db.query("SELECT job_id FROM orders")
        assert [row["job_id"] for row in with_orders] == [job.id for job in jobs[:acknowledged]]
