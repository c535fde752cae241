"""No job starts before its delay or lease is over, for honker and for a reader of whole seconds beside it.

Delays, instants and leases have fractions of a second. A file of honker keeps them; a file that the reference shares
holds whole seconds, and may be marked or unmarked at any moment. The reader compares as the reference does: integers of
the file with its own clock in whole seconds. A job that is more than two seconds late is an error too, so a file in
which nothing ever starts does not pass.
"""

import sqlite3
import tempfile
from pathlib import Path

import honker
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from .fake_clock import IS_POSSIBLE, FakeClock, built
from .places import SqlitePlace
from .profiles import explore
from .queue_machine import seconds

pytestmark = [
    pytest.mark.sqlite_only("files that a reader of whole seconds shares"),
    pytest.mark.skipif(not IS_POSSIBLE, reason="needs a C compiler on Linux to fake the engine's clock"),
    pytest.mark.timeout(600),  # time to shrink a failing example
]

CLAIMABLE = """SELECT id FROM _honker_live
    WHERE (state = 'pending' AND run_at <= :now) OR (state = 'processing' AND claim_expires_at < :now) ORDER BY id"""
KINDS = """SELECT typeof(run_at) FROM _honker_live UNION SELECT typeof(claim_expires_at) FROM _honker_live
    UNION SELECT typeof(expires_at) FROM _honker_live UNION SELECT typeof(created_at) FROM _honker_live"""
# Whole seconds, and their neighbours; a lease ends at a whole second or within it.
spans = st.integers(1, 4000) | st.sampled_from([1, 999, 1000, 1001, 1999, 2000, 2001])
# A whole lease lasts through its last second, and a shared file rounds by up to another.
LATEST_MS = 2000


class Undone(Exception):
    """Rolls the probe of a claim back."""


class TwoReaders(RuleBasedStateMachine):
    claims = Bundle("claims")

    def __init__(self):
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name) / "app.db"
        self.clock = FakeClock()
        self.db = honker.open(path)
        self.queue = self.db.queue("q", max_attempts=1_000)
        self.reader = sqlite3.connect(path, isolation_level=None)
        #: The instant before which each job may not start, in exact milliseconds.
        self.earliest = {}

    def teardown(self):
        self.db.close()
        self.reader.close()
        self.directory.cleanup()

    @property
    def now(self):
        return self.clock.now_ms

    @initialize(is_shared=st.booleans(), offset=st.integers(0, 999))
    def start_within_a_second(self, is_shared, offset):
        self.share(is_shared)
        self.clock.move(offset)

    @rule(is_shared=st.booleans())
    def share(self, is_shared):
        self.is_shared = is_shared
        self.db.engine.call("SELECT honker_file_share(?)", int(is_shared))

    @rule(span=spans, how=st.sampled_from(["delay", "run_at", "expires", "many", "tx"]))
    def enqueue(self, span, how):
        later = {"delay": seconds(span)}
        if how == "run_at":
            later = {"run_at": seconds(self.now + span)}
        elif how == "expires":  # later than every run of this test
            later["expires"] = 1_000_000.5
        if how == "many":
            job_ids = self.queue.enqueue_many([1, 2], **later)
        elif how == "tx":
            with self.db.transaction() as tx:
                job_ids = [self.queue.enqueue(number, **later, tx=tx) for number in range(2)]
        else:
            job_ids = [self.queue.enqueue(1, **later)]
        self.earliest |= dict.fromkeys(job_ids, self.now + span)

    @rule(target=claims, span=spans, n=st.integers(1, 3))
    def claim(self, span, n):
        jobs = honker.Queue(self.db, "q", visibility_timeout_s=seconds(span)).claim_batch("w", n)
        for job in jobs:
            assert self.earliest[job.id] <= self.now, f"job {job.id} is claimed early"
            self.earliest[job.id] = self.now + span
        return multiple(*jobs)

    @rule(job=claims, span=spans, how=st.sampled_from(["retry", "snooze", "heartbeat"]))
    def put_off(self, job, span, how):
        if getattr(self.queue, how)(job.id, "w", seconds(span), *HOW[how], attempt=job.attempts):
            self.earliest[job.id] = self.now + span

    @rule(job=claims)
    def give_back(self, job):
        """The job is at its old place, which is over."""
        if self.db.engine.call("SELECT honker_release(?, 'w', ?)", job.id, job.attempts):
            self.earliest[job.id] = self.now

    @rule(job=claims, span=spans)
    def give_back_an_unknown_task(self, job, span):
        sql = "SELECT honker_release(?, 'w', ?, ?, 1)"
        if self.db.engine.call(sql, job.id, job.attempts, seconds(span)):
            self.earliest[job.id] = self.now + span

    @rule(ms=spans)
    def time_passes(self, ms):
        self.clock.move(ms)

    @rule(which=st.integers(0, 20), before=st.sampled_from([0, 1, 500, None]))
    def a_job_is_almost_due(self, which, before):
        """Some milliseconds before its instant, or the beginning of that second."""
        coming = sorted(at for at in self.earliest.values() if at > self.now)
        if coming:
            at = coming[which % len(coming)]
            self.clock.move_to(max(self.now, at // 1000 * 1000 if before is None else at - before))

    @invariant()
    def a_reader_of_integers_can_read_a_shared_file(self):
        if self.is_shared:
            assert {kind for (kind,) in self.reader.execute(KINDS)} <= {"integer", "null"}

    @invariant()
    def nothing_is_early_or_late(self):
        readers = {"the reader": self.claimable_in_whole_seconds(), "honker": self.claimable()}
        for name, claimable in readers.items():
            early = {job_id: self.earliest[job_id] - self.now for job_id in claimable}
            assert {job_id: ms for job_id, ms in early.items() if ms > 0} == {}, f"early for {name}"
            late = {job_id for job_id, at in self.earliest.items() if at + LATEST_MS <= self.now}
            assert late <= claimable, f"late for {name}"

    def claimable_in_whole_seconds(self):
        return {job_id for (job_id,) in self.reader.execute(CLAIMABLE, {"now": self.now // 1000})}

    def claimable(self):
        """The jobs that a claim of everything gets; it is rolled back."""
        try:
            with self.db.transaction() as tx:
                jobs = self.queue.claim_batch("probe", 1_000, tx=tx)
                raise Undone
        except Undone:
            return {job.id for job in jobs}


# The arguments that follow the delay.
HOW = {"retry": ["broken"], "snooze": [None], "heartbeat": []}


@pytest.mark.torture(short_s=6, share=1)
def test_nothing_is_early_for_honker_or_for_a_reader_of_whole_seconds(torture, monkeypatch):
    monkeypatch.setenv("HONKER_EXTENSION_PATH", str(built().engine))
    explore(TwoReaders, SqlitePlace, torture, examples=60)
