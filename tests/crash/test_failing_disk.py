"""Disks that fail while the engine writes.

A VFS fails one operation: a write (half of which has happened), a sync, a truncation, a deletion, a lock, a piece of
shared memory, an open, a read. It fails with an I/O error, "disk full" or "busy". Either the caller gets an error of
that class, and the database is as before the step; or there is no error, and the step is done. SQLite absorbs some
failures, such as those of a checkpoint that can be made up for later. A repeated step works, and at the end the file
has the same contents as after a run on a sound disk.

Seen to fail when the bracket ignored the error of its COMMIT or left the transaction open after it, when there was no
bracket, when an enqueue ignored the error of its statement, and when every failure was a `SQLITE_ERROR`.
"""

import sqlite3

import pytest

from ..sql import loading
from . import workload

pytestmark = pytest.mark.sqlite_only("the disk of the file")

LENGTH = 46
IOERR, FULL, BUSY, CANTOPEN = 10, 13, 5, 14

# The operations that can fail, and the codes of each; SQLite's extended code of the operation if it has one.
FAULTS = {
    "write": (sqlite3.SQLITE_IOERR_WRITE, FULL, BUSY),
    "sync": (sqlite3.SQLITE_IOERR_FSYNC, FULL, BUSY),
    "truncate": (sqlite3.SQLITE_IOERR_TRUNCATE, FULL, BUSY),
    "delete": (sqlite3.SQLITE_IOERR_DELETE,),
    "read": (sqlite3.SQLITE_IOERR_READ,),
    "open": (CANTOPEN, sqlite3.SQLITE_IOERR),
    "lock": (sqlite3.SQLITE_IOERR_LOCK, BUSY),
    "shared memory": (sqlite3.SQLITE_IOERR_SHMMAP,),
    "shared lock": (sqlite3.SQLITE_IOERR_SHMLOCK, BUSY),
}
CODES = {IOERR: "HONKER_IO", FULL: "HONKER_FULL", BUSY: "HONKER_BUSY", CANTOPEN: "HONKER_CANTOPEN"}
JOURNALS = ("WAL", "DELETE")


class Run:
    """A workload on a failing disk."""

    def __init__(self, disk, path, journal, seed, *, starts_with_reference):
        self.disk, self.path, self.journal = disk, path, journal
        self.workload = workload.make(seed, LENGTH, starts_with_reference=starts_with_reference)
        self.workload.lay(path)
        disk.heal()
        conn = self.connect()
        self.states = workload.history(conn, self.workload)
        conn.close()
        self.operations = {kind: self._count(kind) for kind in FAULTS}

    def connect(self):
        # No lock is held for long here, so a busy lock is not retried.
        conn = self.disk.connect(self.path, timeout=0)
        try:
            conn.execute(f"PRAGMA journal_mode = {self.journal}").fetchall()
            conn.execute("PRAGMA synchronous = FULL")
            conn.execute("PRAGMA wal_autocheckpoint = 20").fetchall()
        except BaseException:
            conn.close()
            raise
        return conn

    def _count(self, kind):
        """Count such operations of the workload on a sound disk."""
        self.workload.lay(self.path)
        self.disk.count(kind)
        conn = self.connect()
        for step in self.workload.steps:
            step.run(conn)
        conn.close()
        return self.disk.seen

    def suffer(self, kind, nth, code):
        """Run with one failure, check after every error, retry, and check the end. Returns the errors."""
        self.workload.lay(self.path)
        self.disk.fail(nth, code, kind)
        errors = []
        try:
            conn = self.connect()
        except sqlite3.Error as error:
            errors.append(error)
            conn = self.connect()
        for number, step in enumerate(self.workload.steps):
            try:
                step.run(conn)
            except sqlite3.Error as error:
                errors.append(error)
                check_class(error, step, code)
                self._check_undone(conn, number)
                step.run(conn)
        if code == BUSY:
            # SQLite expects busy locks but not busy writes. In the checkpoint of the last close it takes such a write
            # for a reader that blocks it, and still deletes the log. No real disk does that.
            self.disk.heal()
        conn.close()
        self.check_file(self.states[-1])
        return errors

    def fill_up(self, rng):
        """Run with a disk that is full from some step on, for a few attempts each. Returns the count of fillings."""
        self.workload.lay(self.path)
        self.disk.heal()
        conn = self.connect()
        times = 0
        for number, step in enumerate(self.workload.steps):
            if rng.random() < 0.3:
                self.disk.fail(rng.randrange(1, 6), FULL, "write", "truncate", lasting=True)
            for _ in range(3):  # it stays full for any number of attempts
                try:
                    step.run(conn)
                except sqlite3.Error as error:
                    check_class(error, step, FULL)
                    assert not conn.in_transaction, f"{step.name} left a transaction open"
                else:
                    break
            else:
                times += 1
                self.disk.heal()  # with a rollback journal even a reader fails before
                self._check_undone(conn, number)
                step.run(conn)
        self.disk.heal()
        conn.close()
        self.check_file(self.states[-1])
        return times

    def _check_undone(self, conn, number):
        step = self.workload.steps[number]
        assert not conn.in_transaction, f"{step.name} left a transaction open"
        found = workload.contents(conn)
        assert found == self.states[number], f"{step.name}:\n" + workload.difference(found, self.states[number])

    def check_file(self, state):
        """Check the file as the next process sees it on a sound disk."""
        conn = loading.connect(self.path)
        conn.execute("PRAGMA synchronous = OFF")
        workload.check_integrity(conn)
        found = workload.contents(conn)
        assert found == state, workload.difference(found, state)
        conn.close()


def check_class(error, step, code):
    """Check that the error has the class of the fault, in SQLite's numbers and in honker's words."""
    assert error.sqlite_errorcode & 0xFF == code & 0xFF, f"{step.name}: {error!r}, {error.sqlite_errorname}"
    sql = step.statements[0]
    if len(step.statements) == 1 and sql.startswith("SELECT") and "FROM" not in sql:
        # A failing statement of ours fails inside its only function.
        assert str(error).startswith(CODES[code & 0xFF] + ": "), f"{step.name}: {error!r}"


@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.torture(short_s=2, share=3)
def test_an_operation_that_fails_once_is_an_error_of_its_class_and_undone(torture, disk, path, journal):
    for number in torture.rounds():
        run = Run(disk, path, journal, torture.seed + number, starts_with_reference=number % 2 == 1)
        faults = [
            (kind, nth, code)
            for kind, codes in FAULTS.items()
            for nth in range(1, run.operations[kind] + 1)
            for code in codes
        ]
        torture.random.shuffle(faults)
        for done, (kind, nth, code) in enumerate(faults):
            if torture.left_s < 0 and done >= 20:
                return
            errors = run.suffer(kind, nth, code)
            torture.count("operations failed once")
            torture.count("of them seen by the caller", bool(errors))


@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.torture(short_s=0.5)
def test_a_full_disk_refuses_every_write_until_there_is_room_again_and_loses_nothing(torture, disk, path, journal):
    for number in torture.rounds():
        run = Run(disk, path, journal, torture.seed + number, starts_with_reference=number % 2 == 1)
        torture.count("disks filled", run.fill_up(torture.random))
