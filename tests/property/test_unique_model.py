"""Unique jobs against a model, under a clock that also jumps back.

A key belongs to the job that a lookup by the rules gives, and to no other: it is free at each end of its job, from the
start of one that holds it until then, and for a time after a success it is not.
"""

import json
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ..sql.database import call, call_json, rows
from .places import refused
from .profiles import explore

pytestmark = pytest.mark.timeout(600)  # time to shrink a failing example

KEYS = ["a", "b"]
LEASE_S, KEEP_S, QUIET_S, MOST_S = 3600, 60, 10, 25
keys = st.sampled_from(KEYS)
chances = st.integers(0, 9)
conflicts = st.sampled_from(["existing", "replace"])


@dataclass
class Job:
    key: str | None
    payload: str
    due_s: int
    made_s: int
    until_started: bool = False
    keep: bool = False
    attempts: int = 0
    state: str = "pending"
    error: str | None = None

    @property
    def is_unstarted(self):
        return self.state == "pending" and self.attempts == 0


class UniqueMachine(RuleBasedStateMachine):
    lay = None

    def __init__(self):
        super().__init__()
        self.place = self.lay()
        self.clock, self.conn = self.place.clock, self.place.connect()
        self.live, self.dead, self.kept = {}, {}, {}
        self.payloads = 0

    def teardown(self):
        self.conn.close()
        self.place.close()

    @property
    def now_s(self):
        return self.clock.now_ms // 1000

    @property
    def kept_s(self):
        # SQLite's tables hold whole seconds, and a span begins at the next one.
        return KEEP_S + self.place.unit_ms // 1000

    def holder(self, key):
        return next((job_id for job_id, job in self.live.items() if job.key == key), None)

    def kept_by(self, key):
        """Return the finished job that keeps the key taken. As in the engine, the look forgets or shortens the time."""
        if key not in self.kept:
            return None
        job_id, end_s = self.kept[key]
        left_s = end_s - self.now_s
        if not 0 < left_s <= 2 * self.kept_s:
            del self.kept[key]
            return None
        self.kept[key] = job_id, min(end_s, self.now_s + self.kept_s)
        return job_id

    def enqueue(self, key, **options):
        self.payloads += 1
        payload = str(self.payloads)
        given = json.dumps({"unique_key": key, **options})
        added = call_json(self.conn, "honker_enqueue_unique", "q", payload, given)
        return added["id"], added["is_duplicate"], payload

    def add(self, key, added, **facts):
        job_id, is_duplicate, payload = added
        assert not is_duplicate
        assert job_id not in self.live
        self.live[job_id] = Job(key, payload, **{"due_s": self.now_s, "made_s": self.now_s, **facts})

    @rule(
        key=keys, until_started=st.booleans(), keep=st.booleans(), on_conflict=st.sampled_from(["existing", "replace"])
    )
    def enqueue_once(self, key, until_started, keep, on_conflict):
        keep = keep and not until_started
        options = {"on_conflict": on_conflict, "unique_until": "started" if until_started else "finished"}
        options |= {"unique_for_s": KEEP_S} if keep else {}
        holder = self.holder(key)
        existing = self.kept_by(key) if holder is None else holder
        added = self.enqueue(key, **options)
        if existing is None:
            self.add(key, added, until_started=until_started, keep=keep)
            return
        assert added[:2] == (existing, True)
        if on_conflict == "replace" and holder is not None and self.live[holder].is_unstarted:
            self.live[holder].payload, self.live[holder].due_s = added[2], self.now_s

    @rule(key=keys)
    def enqueue_or_raise(self, key):
        holder = self.holder(key)
        kept = None
        if holder is None and key in self.kept:
            before = self.kept[key]
            kept = self.kept_by(key)
            if kept is not None:
                self.kept[key] = before  # the refusal is rolled back
        taken = kept if holder is None else holder
        if taken is None:
            self.add(key, self.enqueue(key, on_conflict="raise"))
            return
        with refused("HONKER_UNIQUE_KEY_TAKEN", f"job {taken};"):
            self.enqueue(key, on_conflict="raise")

    @rule(key=keys)
    def debounce(self, key):
        holder = self.holder(key)
        if holder is not None and not self.live[holder].is_unstarted:
            return  # the new job would wait for it, and this model has no dependencies
        kept = self.kept_by(key) if holder is None else None
        added = self.enqueue(key, debounce_s=QUIET_S, debounce_max_s=MOST_S)
        if kept is not None:
            assert added[:2] == (kept, True)
        elif holder is not None:
            job = self.live[holder]
            assert added[:2] == (holder, True)
            job.payload, job.due_s = added[2], min(self.now_s + QUIET_S, job.made_s + MOST_S)
        else:
            self.add(key, added, due_s=self.now_s + QUIET_S)

    @rule(n=st.integers(1, 3))
    def claim(self, n):
        waiting = [(job.due_s, job_id) for job_id, job in self.live.items() if job.state == "pending"]
        due = sorted(place for place in waiting if place[0] <= self.now_s)
        jobs = call_json(self.conn, "honker_claim_batch", "q", "w", n, LEASE_S)
        assert [job["id"] for job in jobs] == [job_id for _, job_id in due[:n]]
        for claimed in jobs:
            job = self.live[claimed["id"]]
            assert claimed["payload"] == job.payload
            job.state, job.attempts = "processing", job.attempts + 1
            job.key = None if job.until_started else job.key

    def pick(self, jobs, chance):
        return sorted(jobs)[chance % len(jobs)] if jobs else None

    @rule(chance=chances, how=st.sampled_from(["ack", "fail", "retry", "release"]))
    def settle(self, chance, how):
        job_id = self.pick([job_id for job_id, job in self.live.items() if job.state == "processing"], chance)
        if job_id is None:
            return
        job = self.live[job_id]
        given = {"ack": [], "release": [], "fail": ["x"], "retry": [QUIET_S, "x"]}[how]
        assert call(self.conn, f"honker_{how}", job_id, "w", *given, job.attempts) == 1
        if how == "ack":
            del self.live[job_id]
            # Each keeper that succeeds deletes a few expired rows of others.
            if job.keep:
                self.prune()
                if job.key is not None:
                    self.kept[job.key] = job_id, self.now_s + self.kept_s
        elif how == "release":
            job.state, job.attempts = "pending", job.attempts - 1
        elif how == "retry" and job.attempts < 3:
            job.state, job.due_s = "pending", self.now_s + QUIET_S
        else:
            self.dead[job_id] = self.live.pop(job_id)

    def prune(self):
        """With two keys, all expired rows."""
        self.kept = {key: (job_id, end_s) for key, (job_id, end_s) in self.kept.items() if end_s > self.now_s}

    @rule(chance=chances)
    def cancel(self, chance):
        job_id = self.pick(list(self.live), chance)
        if job_id is not None:
            assert call(self.conn, "honker_cancel", job_id) == 1
            del self.live[job_id]

    @rule(chance=chances)
    def requeue(self, chance):
        job_id = self.pick(list(self.dead), chance)
        if job_id is None:
            return
        job = self.dead[job_id]
        taken = self.holder(job.key) if job.key else None
        before = dict(self.kept)
        if job.key and taken is None:
            taken = self.kept_by(job.key)
        if taken is not None:
            with refused("HONKER_UNIQUE_KEY_TAKEN", f"job {taken};"):
                call(self.conn, "honker_requeue", job_id)
            self.kept = before
            return
        assert call(self.conn, "honker_requeue", job_id) == 1
        job.state, job.attempts, job.due_s = "pending", 0, self.now_s
        self.live[job_id] = self.dead.pop(job_id)

    @rule(seconds=st.sampled_from([1, 5, QUIET_S, MOST_S, KEEP_S, KEEP_S + 1, -1, -MOST_S, -KEEP_S, -3 * KEEP_S]))
    def time_passes(self, seconds):
        # Leases are no matter of this model, so they do not lapse.
        self.clock.move(seconds * 1000)
        end_s = self.now_s + LEASE_S
        self.conn.execute("UPDATE _honker_live SET claim_expires_at = ? WHERE state = 'processing'", (end_s,))

    @invariant()
    def each_key_is_where_the_model_has_it(self):
        stored = rows(self.conn, "SELECT id, unique_key, payload, state, run_at FROM _honker_live ORDER BY id")
        expected = [(job_id, job.key, job.payload, job.state, job.due_s) for job_id, job in sorted(self.live.items())]
        assert stored == expected
        kept = rows(self.conn, "SELECT unique_key, job_id, expires_at FROM _honker_unique ORDER BY unique_key")
        assert kept == [(key, *fact) for key, fact in sorted(self.kept.items())]


@pytest.mark.torture(short_s=6, share=1)
def test_unique_jobs_do_what_their_model_does(lay, torture):
    explore(UniqueMachine, lay, torture, examples=100)
