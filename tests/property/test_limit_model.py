"""Limits of a queue and of its keys under any mixture of moves, clocks and settings, and beside a program without any.

The life of a job has its model in test_queue_model.py. Here only the promises are held: no limit is exceeded while it
stands, no key is stranded, and in the end every job has run.
"""

import json
from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ..sql.database import call, call_json, rows
from .profiles import explore

pytestmark = pytest.mark.timeout(600)  # time to shrink a failing example

LEASE_S = 60
limits = st.sampled_from([None, 1, 2, 3])
keys = st.sampled_from([None, "a", "a", "b", "c"])
choices = st.integers(0, 99)


class LimitMachine(RuleBasedStateMachine):
    lay = None

    def __init__(self):
        super().__init__()
        self.place = self.lay()
        self.clock, self.conn = self.place.clock, self.place.connect()
        self.limit = self.key_limit = None
        self.is_ordered = False
        #: Jobs in flight when a limit was set: it stops none of them.
        self.tolerated = set()
        self.held = {}
        #: Keys of jobs that another program has deleted.
        self.touched = set()

    def teardown(self):
        self.conn.close()
        self.place.close()

    # ----------------------------------------------------------------------------------------------------------- rules

    @rule(concurrency=limits, per_key=limits, ordered=st.booleans(), on_dead=st.sampled_from([None, "continue"]))
    def configure(self, concurrency, per_key, ordered, on_dead):
        settings = {"concurrency": concurrency, "concurrency_per_key": None if ordered else per_key, "ordered": ordered}
        call(self.conn, "honker_queue_configure", "q", json.dumps(settings | {"on_dead": on_dead}))
        self.limit, self.key_limit, self.is_ordered = concurrency, 1 if ordered else per_key, ordered
        self.tolerated = set(self.in_flight())

    @rule(key=keys, priority=st.sampled_from([0, 0, 0, 5]), delay_s=st.sampled_from([0, 0, 0, 30]))
    def enqueue(self, key, priority, delay_s):
        options = {"key": key, "priority": priority, "delay": delay_s, "max_attempts": 2}
        call(self.conn, "honker_enqueue", "q", "{}", json.dumps(options))

    @rule(n=st.sampled_from([1, 1, 2, 5]))
    def claim(self, n):
        for job in call_json(self.conn, "honker_claim_batch", "q", "w", n, LEASE_S, 1):
            self.held[job["id"]] = job["attempts"]

    @rule(
        choice=choices, how=st.sampled_from(["ack", "ack", "ack", "retry", "retry_later", "fail", "release", "snooze"])
    )
    def settle(self, choice, how):
        if not self.held:
            return
        job_id = sorted(self.held)[choice % len(self.held)]
        claim = (job_id, "w")
        attempt = self.held.pop(job_id)
        call(
            self.conn,
            *{
                "ack": ("honker_ack", *claim, attempt),
                "retry": ("honker_retry", *claim, 0, "x", attempt),
                "retry_later": ("honker_retry", *claim, 20, "x", attempt),
                "fail": ("honker_fail", *claim, "x", attempt),
                "release": ("honker_release", *claim, attempt),
                "snooze": ("honker_snooze", *claim, 20, attempt),
            }[how],
        )

    @rule(choice=choices)
    def cancel(self, choice):
        live = [job_id for (job_id,) in rows(self.conn, "SELECT id FROM _honker_live ORDER BY id")]
        if live:
            call(self.conn, "honker_cancel", live[choice % len(live)])

    @rule()
    def requeue_all(self):
        for (job_id,) in rows(self.conn, "SELECT id FROM _honker_dead ORDER BY id"):
            call(self.conn, "honker_requeue", job_id)

    @rule(seconds=st.sampled_from([1, 10, 25, LEASE_S + 2]))
    def time_passes(self, seconds):
        self.clock.move(seconds * 1000)

    @rule(choice=choices)
    def another_program_deletes(self, choice):
        """As a process of the reference does that acknowledges a job: nothing is promoted."""
        live = rows(self.conn, "SELECT id, key FROM _honker_live WHERE state <> 'blocked' ORDER BY id")
        if live:
            job_id, key = live[choice % len(live)]
            self.conn.execute("DELETE FROM _honker_live WHERE id = ?", (job_id,))
            self.touched.add(key)

    # ------------------------------------------------------------------------------------------------------ invariants

    def in_flight(self):
        return dict(rows(self.conn, "SELECT id, key FROM _honker_live WHERE state = 'processing'"))

    @invariant()
    def no_limit_is_exceeded(self):
        in_flight = self.in_flight()
        self.tolerated &= in_flight.keys()
        if self.limit is not None:
            assert len(in_flight) <= max(self.limit, len(self.tolerated))
        if self.key_limit is not None:
            for key, count in Counter(key for key in in_flight.values() if key is not None).items():
                tolerated = sum(in_flight[job_id] == key for job_id in self.tolerated)
                assert count <= max(self.key_limit, tolerated)

    @invariant()
    def the_file_is_whole(self):
        stranded = call_json(self.conn, "honker_flow_violations", 100)
        # A program without limits leaves keys that claims rescue.
        assert not [each for each in stranded if each["kind"] != "stranded_key" or each["key"] not in self.touched]

    @invariant()
    def claims_until_there_are_none_leave_no_key_stranded(self):
        """On a copy, so that the run goes on as it was: in the end every job that can run has run."""
        self.conn.execute("BEGIN")
        try:
            self.drain()
        finally:
            self.conn.execute("ROLLBACK")

    def drain(self):
        call(self.conn, "honker_queue_configure", "q", '{"on_dead": "continue"}')
        now_ms = self.clock.now_ms
        try:
            started = []
            for _ in range(200):
                jobs = call_json(self.conn, "honker_claim_batch", "q", "drain", 5, LEASE_S, 1)
                for job in jobs:
                    call(self.conn, "honker_ack", job["id"], "drain")
                started += jobs
                if not jobs:
                    at = call(self.conn, "honker_queue_next_claim_at", "q")
                    if not at:
                        break
                    self.clock.move_to(max(self.clock.now_ms + 1, int(at * 1000)))
            assert rows(self.conn, "SELECT id, state, key FROM _honker_live") == []
            assert call_json(self.conn, "honker_flow_violations", 10) == []
        finally:
            self.clock.move_to(now_ms)


@pytest.mark.torture(short_s=8, share=3)
def test_no_limit_is_exceeded_and_no_key_is_stranded(lay, torture):
    explore(LimitMachine, lay, torture, examples=60)
