"""Queues against their model, through the SQL functions; see `queue_machine`."""

import json

import pytest

from ..sql.database import call, call_json, rows
from .profiles import explore
from .queue_machine import QueueMachine, milliseconds, seconds, settlement

pytestmark = pytest.mark.timeout(600)  # time to shrink a failing example

HANDLES = 2


class SqlQueues:
    """Two connections, as any host opens them."""

    def __init__(self, place):
        self._place = place
        self._conns = [place.connect() for _ in range(HANDLES)]
        self._used = 0

    @property
    def _conn(self):
        return self._conns[self._used]

    def _call(self, function, *arguments):
        return call(self._conn, function, *arguments)

    def use(self, handle):
        self._used = handle % HANDLES

    def reopen(self):
        self._place.kill(self._conn)
        self._conns[self._used] = self._place.connect()

    def close(self):
        for conn in self._conns:
            conn.close()

    def begin(self):
        self._conn.execute("BEGIN IMMEDIATE")

    def commit(self):
        self._conn.execute("COMMIT")

    def rollback(self):
        self._conn.execute("ROLLBACK")

    def abandon(self):
        self.reopen()

    def enqueue(self, queue, *, delay, priority, max_attempts, expires):
        expires_s = None if expires is None else seconds(expires)
        delay_s = seconds(delay) if delay else None
        return self._call("honker_enqueue", queue, "{}", None, delay_s, priority, max_attempts, expires_s)

    def claim(self, queue, worker, n, span):
        jobs = call_json(self._conn, "honker_claim_batch", queue, worker, n, seconds(span))
        return [(job["id"], job["attempts"]) for job in jobs]

    def settle(self, claim, how, delay, error):
        job_id, worker, attempt = claim
        if how == "release_unknown":
            return bool(self._call("honker_release", job_id, worker, attempt, seconds(delay), 1))
        given = {"ack": [], "release": [], "fail": [error], "retry": [seconds(delay), error]}[how]
        return bool(self._call(f"honker_{how}", job_id, worker, *given, attempt))

    def ack_several(self, claims):
        ids, attempts = json.dumps([claim[0] for claim in claims]), json.dumps([claim[2] for claim in claims])
        are_fenced = claims[0][2] is not None
        return self._call("honker_ack_batch", ids, claims[0][1], *([attempts] if are_fenced else []))

    def heartbeat(self, claim, span):
        job_id, worker, attempt = claim
        return bool(self._call("honker_heartbeat", job_id, worker, seconds(span), attempt))

    def heartbeat_several(self, claims, span):
        pairs = json.dumps([[job_id, attempt] for job_id, _, attempt in claims])
        return call_json(self._conn, "honker_heartbeat_batch", pairs, claims[0][1], seconds(span))

    def work(self, queue, worker, n, span, settlements):
        given = [settlement(*each) for each in settlements]
        done = call_json(self._conn, "honker_work", queue, worker, n, seconds(span), json.dumps(given))
        return [bool(was_held) for was_held in done["settled"]], [(job["id"], job["attempts"]) for job in done["jobs"]]

    def cancel(self, job_id, queue):
        return bool(self._call("honker_cancel", job_id, queue))

    def sweep(self, queue):
        return self._call("honker_sweep_expired", queue)

    def pause(self, queue, *, is_paused):
        return bool(self._call("honker_queue_pause" if is_paused else "honker_queue_resume", queue))

    def next_claim_at(self, queue):
        return milliseconds(self._call("honker_queue_next_claim_at", queue))

    def outcome(self, job_id):
        outcome = call_json(self._conn, "honker_job_outcome", job_id)
        return outcome["state"], outcome["error"]

    def rows(self, sql):
        return rows(self._conn, sql)


class SqlQueueMachine(QueueMachine):
    Driver = SqlQueues


@pytest.mark.sqlite_only("leases that last through a whole second")
def test_a_lapsed_lease_is_claimed_also_behind_one_that_ends_before_and_lapses_after_it(lay):
    """The first ends at a whole second and lasts through all of it; the other ends within that second."""
    place = lay()
    clock, queues = place.clock, SqlQueues(place)
    for span in (1000, 1500):
        queues.enqueue("q", delay=0, priority=0, max_attempts=3, expires=None)
        queues.claim("q", "w", 1, span)
    clock.move(1501)
    assert queues.next_claim_at("q") == clock.now_ms // 1000 * 1000
    assert queues.claim("q", "w", 2, 1000) == [(2, 2)]
    queues.close()
    place.close()


@pytest.mark.torture(short_s=8, share=4)
def test_queues_through_sql_do_what_their_model_does(lay, torture):
    explore(SqlQueueMachine, lay, torture, examples=120)
