"""Power cuts: any unsynced data may be missing, or half written.

A workload runs once, on a disk that logs writes and syncs. From the log the test makes the disk in a state that a power
cut after any of these operations may leave, and opens the database on it.

With `synchronous = FULL` it holds the contents after the last acknowledged step, or after the step under way. With
`NORMAL`, the default of `honker.open`, only the last steps may be lost: the contents are those after some earlier step,
complete. So a claim, a result or an offset never outlives its job or event, and no lost job is delivered. In all cases
the database is sound, writable at once, and the workload can continue to its end.

Seen to fail with `synchronous = OFF`, which even leaves malformed databases, and when a step was acknowledged before
its COMMIT.
"""

from collections import namedtuple

import pytest

from ..sql import loading
from . import powercut, workload

pytestmark = pytest.mark.sqlite_only("the disk of the file")

LENGTH = 46

Setting = namedtuple("Setting", "journal synchronous is_durable")
SETTINGS = {
    "WAL-FULL": Setting("WAL", "FULL", is_durable=True),
    "WAL-NORMAL": Setting("WAL", "NORMAL", is_durable=False),
    "journal-EXTRA": Setting("DELETE", "EXTRA", is_durable=True),
    # FULL does not sync the directory when it removes the journal: the last commit may be rolled back.
    "journal-FULL": Setting("DELETE", "FULL", is_durable=False),
}


class Run:
    """A workload that ran on the logging disk."""

    def __init__(self, disk, path, setting, seed, *, starts_with_reference):
        self.path, self.setting = path, setting
        self.workload = workload.make(seed, LENGTH, starts_with_reference=starts_with_reference)
        self.workload.lay(path)
        self.beginning = {str(path): path.read_bytes()} if starts_with_reference else {}
        log = path.with_suffix(".trace")
        with disk.traced(log) as mark:
            conn = disk.connect(path)
            self._set(conn)
            self.states = [workload.contents(conn)]
            for number, step in enumerate(self.workload.steps, start=1):
                step.run(conn)
                mark(number)
                self.states.append(workload.contents(conn))
            conn.close()
        self.records = powercut.read(log)

    def _set(self, conn):
        conn.execute(f"PRAGMA journal_mode = {self.setting.journal}").fetchall()
        conn.execute(f"PRAGMA synchronous = {self.setting.synchronous}")
        conn.execute("PRAGMA wal_autocheckpoint = 20").fetchall()

    def cuts(self, rng, count):
        """The disk at randomly chosen places of the log, in order."""
        places = sorted(rng.sample(range(1, len(self.records) + 1), min(count, len(self.records))))
        disk, at = powercut.Disk(self.beginning), 0
        for place in places:
            for record in self.records[at:place]:
                disk.take(record)
            at = place
            yield disk

    def lay(self, files):
        for suffix in ("", "-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        for name, contents in files.items():
            with open(name, "wb") as file:
                file.write(contents)

    def check(self, marked):
        """Check the database after the cut. Returns the connection, and the steps whose contents it has."""
        conn = loading.connect(self.path, timeout=0)
        conn.execute("PRAGMA synchronous = OFF")
        workload.check_integrity(conn)
        found = workload.contents(conn)
        first = marked if self.setting.is_durable else 0
        allowed = self.states[first : marked + 2]
        assert found in allowed, f"after step {marked}:\n" + workload.difference(found, self.states[marked])
        return conn, [number for number, state in enumerate(allowed, start=first) if state == found]

    def check_end(self, conn, reached):
        """Continue the workload from a step. If several steps have equal contents, give the first."""
        conn.execute(f"PRAGMA journal_mode = {self.setting.journal}").fetchall()
        for step in self.workload.steps[reached:]:
            step.run(conn)
        found = workload.contents(conn)
        assert found == self.states[-1], workload.difference(found, self.states[-1])


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
@pytest.mark.torture(short_s=1, share=2)
def test_a_power_cut_loses_at_most_what_it_may_and_leaves_a_whole_database(torture, disk, path, setting):
    for number in torture.rounds():
        run = Run(disk, path, setting, torture.seed + number, starts_with_reference=number % 2 == 1)
        for platter in run.cuts(torture.random, count=200):
            if torture.left_s < 0:
                return
            mode = torture.random.choice(powercut.MODES)
            run.lay(platter.after_cut(mode, torture.random))
            conn, reached = run.check(platter.marked)
            torture.count("power cuts")
            torture.count("of them with something unsynced", not platter.is_synced)
            torture.count("of them that lost acknowledged steps", reached[-1] < platter.marked)
            if torture.random.random() < 0.1:
                run.check_end(conn, reached[0])
            conn.close()
