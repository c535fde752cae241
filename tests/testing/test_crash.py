"""The simulated death of a worker: the next claim finds the job again, as it does after a SIGKILL."""

import asyncio

import honker
import honker.testing as kit
import pytest


def test_a_worker_that_dies_before_the_ack_has_run_the_handler_and_the_job_runs_again(db):
    mails = []

    @db.task(queue="q")
    def send(job: honker.Job, to):
        mails.append((to, job.attempts))
        return "sent"

    result = send("ann")
    assert kit.crash(db).attempts == 1
    assert mails == [("ann", 1)]
    with pytest.raises(TimeoutError):
        result.get(0)
    assert kit.drain(db) == kit.Drained(ran=1, done=1)
    assert mails == [("ann", 1), ("ann", 2)]


def test_a_worker_that_dies_after_the_claim_has_run_nothing(db):
    ran = []

    @db.task(queue="q", retries=2)
    def work():
        ran.append(1)

    work()
    kit.crash(db, "after_claim")
    assert ran == []
    kit.drain(db)
    assert ran == [1]


def test_the_transaction_of_the_handler_is_rolled_back(db):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE invoices (n)")

    @db.task(queue="q")
    def invoice(tx: honker.Transaction, n):
        tx.execute("INSERT INTO invoices VALUES (?)", (n,))

    invoice(7)
    kit.crash(db)
    assert db.query("SELECT * FROM invoices") == []
    kit.drain(db)
    assert db.query("SELECT * FROM invoices") == [{"n": 7}]


def test_crashes_use_up_the_attempts(db):
    db.queue("q", max_attempts=2)

    @db.task(queue="q", retries=2)
    def work():
        return None

    result = work()
    kit.crash(db)
    kit.crash(db)
    assert kit.drain(db) == kit.Drained()
    with pytest.raises(honker.JobFailedError):
        result.get(0)


def test_a_coroutine_dies_at_its_end(db):
    ran = []

    @db.task(queue="q")
    async def work():
        await asyncio.sleep(0)
        ran.append(1)

    work()
    asyncio.run(kit.acrash(db))
    assert ran == [1]
    assert kit.drain(db).done == 1


def test_crashes_that_cannot_be_are_refused(db, tmp_path):
    @db.task(queue="q")
    def broken():
        raise ValueError("no")

    with pytest.raises(honker.InvalidCallError, match="no job is due"):
        kit.crash(db)
    with pytest.raises(honker.InvalidArgumentError, match="after_claim, before_ack"):
        kit.crash(db, "after_lunch")
    broken()
    with pytest.raises(ValueError, match="no"):
        kit.crash(db)
    with honker.open(tmp_path / "ordinary.db") as ordinary:
        ordinary.queue("q").enqueue({})
        with pytest.raises(honker.InvalidArgumentError, match="this file has had jobs"):
            kit.crash(ordinary)
