"""Finding and asserting the jobs that wait."""

import datetime

import honker.testing as kit
import pytest


@pytest.fixture
def send(db):
    @db.task(queue="emails", name="send")
    def send(to, *, subject="hello"):
        return None

    return send


def test_jobs_are_found_by_task_queue_and_arguments(db, send):
    db.queue("raw").enqueue({"n": 1})
    send("ann", subject="order")
    send(to="bob")
    assert [job.id for job in kit.enqueued(db)] == [1, 2, 3]
    assert [job.id for job in kit.enqueued(db, send)] == [2, 3]
    assert [job.id for job in kit.enqueued(db, "send", args=["ann"])] == [2]
    assert [job.id for job in kit.enqueued(db, send, args=["bob"])] == [3], "it was passed by name"
    assert [job.id for job in kit.enqueued(db, send, kwargs={"to": "ann"})] == [2]
    assert [job.id for job in kit.enqueued(db, kwargs={"subject": "order"})] == [2]
    assert [job.payload for job in kit.enqueued(db, queue="raw")] == [{"n": 1}]


def test_jobs_at_work_and_ended_ones_are_not_found(db, send):
    send("ann")
    send("bob")
    queue = db.queue("emails")
    queue.claim_one("w").ack()
    queue.claim_one("w")
    send("cid")
    assert [job.args for job in kit.enqueued(db)] == [("cid",)]


def test_an_assertion_returns_the_first_job(db, send):
    send("ann")
    send("bob")
    assert kit.assert_enqueued(db, send).args == ("ann",)
    assert kit.assert_enqueued(db, send, count=2).id == 1
    kit.refute_enqueued(db, send, args=["cid"])


def test_the_message_lists_the_jobs_that_wait_the_nearest_first(db, send):
    db.queue("raw").enqueue({"n": 1})
    send("ann", subject="order")
    with pytest.raises(AssertionError) as caught:
        kit.assert_enqueued(db, send, args=["bob"], kwargs={"subject": "order"})
    assert str(caught.value).splitlines() == [
        "no job waits that is a call of send with args=('bob',) with kwargs={'subject': 'order'}; "
        "2 wait, the nearest first:",
        "  job 2: send('ann', subject='order') in queue 'emails', pending: to is 'ann'",
        "  job 1: payload {'n': 1} in queue 'raw', pending: another task, no call of a task",
    ]


def test_the_messages_of_counts_and_refutations(db, send):
    with pytest.raises(AssertionError, match="none waits"):
        kit.assert_enqueued(db, send)
    send("ann")
    with pytest.raises(AssertionError, match=r"1 jobs wait that are a call of send, not 2"):
        kit.assert_enqueued(db, send, count=2)
    with pytest.raises(AssertionError, match=r"job 1: send\('ann'\)"):
        kit.refute_enqueued(db, send)


def test_jobs_of_a_transaction_are_found_in_it(db, send):
    with db.transaction() as tx:
        send.enqueue_with(tx=tx)("ann")
        kit.assert_enqueued(db, send, tx=tx)
        kit.refute_enqueued(db, send)


def test_arguments_are_compared_by_their_types(db):
    @db.task(queue="q")
    def remind(on: datetime.date, note: str = ""):
        return None

    remind(datetime.date(2030, 1, 2), note="dentist")
    kit.assert_enqueued(db, remind, args=[datetime.date(2030, 1, 2)])
    kit.assert_enqueued(db, remind, kwargs={"note": "dentist"})
    kit.refute_enqueued(db, remind, args=[datetime.date(2030, 1, 3)])
