"""Processes that die at every statement boundary, and at any instant between.

A child does a workload of forty kinds of steps: jobs with the rows of the application, claims, every way to settle one,
streams, schedules, locks, limits, results, notifications, and before all that the making of the tables or the upgrade
of a file that the reference wrote. It is killed at a chosen boundary: before, at each row of and after every statement,
the inner ones and BEGIN and COMMIT included; or from outside, at a random instant.

Whatever the instant, the file must be whole and hold exactly what it held after the last acknowledged step, or after
the one that was then under way; and the next process must be able to write at once, without waiting, and to take the
workload to the end that it has without any death.

Seen to fail when `fail` deleted the job and then inserted the dead letter without a bracket, when the bracket left out
BEGIN and COMMIT, and when the worker acknowledged a step before its COMMIT.
"""

import pytest

from ..sql import loading
from . import workload
from .zygote import acknowledged

LENGTH = 60


class Rehearsal:
    """A workload that was run once without a death: what the file is to hold after each step."""

    def __init__(self, seed, path, *, starts_with_reference):
        self.seed = seed
        self.path = path
        self.log = path.with_suffix(".log")
        self.workload = workload.make(seed, LENGTH, starts_with_reference=starts_with_reference)
        self.lay()
        conn = loading.connect(path)
        conn.execute("PRAGMA journal_mode = WAL").fetchall()
        conn.execute("PRAGMA synchronous = OFF")
        self.states = workload.history(conn, self.workload)
        conn.close()

    def lay(self):
        self.workload.lay(self.path)
        self.log.unlink(missing_ok=True)

    def flow(self, first=0):
        return "steps", self.path, self.seed, LENGTH, first, self.workload.starts_with_reference

    def acknowledged(self):
        """How many steps were."""
        return max((int(number) for word, number in acknowledged(self.log) if word == "step"), default=0)

    def check_survivor(self, first=0):
        """The file after the death of a child that began with the step `first`; the last step that was done."""
        done = max(first, self.acknowledged())
        # Whoever comes next must not have to wait: no lock and no half transaction is left.
        conn = loading.connect(self.path, timeout=0)
        workload.check_integrity(conn)
        found = workload.contents(conn)
        allowed = self.states[done : done + 2]
        assert found in allowed, f"after step {done}:\n" + workload.difference(found, allowed[0])
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("CREATE TABLE next_writer (x)")
        conn.execute("ROLLBACK")
        # A step that changes nothing that is compared is done once more, which does no harm.
        return conn, done + allowed.index(found)

    def check_end(self, conn, reached):
        """Takes the workload on from where it was left, and to its end."""
        conn.execute("PRAGMA journal_mode = WAL").fetchall()
        conn.execute("PRAGMA synchronous = OFF")
        for step in self.workload.steps[reached:]:
            step.run(conn)
        found = workload.contents(conn)
        assert found == self.states[-1], workload.difference(found, self.states[-1])
        conn.close()


def rehearsals(torture, path):
    """Workloads: the first begins without a file, the second with one of the reference, and so on."""
    for number in torture.rounds():
        yield Rehearsal(torture.seed + number, path, starts_with_reference=number % 2 == 1)


@pytest.mark.torture(short_s=6, share=12)
def test_a_process_killed_at_any_statement_boundary_loses_nothing_it_acknowledged(torture, zygote, path):
    for rehearsal in rehearsals(torture, path):
        rehearsal.lay()
        assert not zygote.run(rehearsal.log, *rehearsal.flow())
        boundaries = int(acknowledged(rehearsal.log)[-1][1])
        order = list(range(1, boundaries + 1))
        torture.random.shuffle(order)
        torture.count("boundaries", boundaries)
        for number, boundary in enumerate(order):
            if torture.left_s < 0 and number >= 50:
                return
            rehearsal.lay()
            assert zygote.run(rehearsal.log, *rehearsal.flow(), failpoint=boundary)
            torture.count("processes killed at a boundary")
            conn, reached = rehearsal.check_survivor()
            if number % 4 == 0:
                rehearsal.check_end(conn, reached)
            conn.close()


@pytest.mark.torture(short_s=2, share=4)
def test_a_process_killed_at_any_instant_loses_nothing_it_acknowledged(torture, zygote, path):
    """Four times in a row, each time taken up by the next process where the last one died."""
    for rehearsal in rehearsals(torture, path):
        reached = 0
        rehearsal.lay()
        for _ in range(4):
            pid = zygote.start(rehearsal.log, *rehearsal.flow(reached))
            was_killed = zygote.kill(pid, after_s=torture.random.uniform(0, 0.08))
            torture.count("processes killed at an instant", was_killed)
            conn, reached = rehearsal.check_survivor(reached)
            conn.close()
        rehearsal.check_end(*rehearsal.check_survivor(reached))
