"""Checkpoints in a thread, so that commits do not wait for them.

A commit appends pages to the ``-wal``. A checkpoint syncs the ``-wal``, copies its pages into the database and syncs
that. Once all pages are copied, the next commit writes the ``-wal`` from its beginning again.

SQLite does this after a commit, in the caller's time. While another process commits without a pause, such a checkpoint
copies all pages but the last few, so the ``-wal`` is not used again and grows. Here the steps are:

1. A thread copies without the write lock, while commits go on.
2. Once the ``-wal`` is long, it copies the pages that were added meanwhile.
3. The next commit of the process copies the last few pages with the write lock, which takes a millisecond or less.

SQLite 3.7.0 to 3.51.2 can damage a file if the ``-wal`` begins again after a checkpoint has read its length. See
https://sqlite.org/wal.html#walresetbug. Neither copy allows that: in each, a second connection has a transaction open.
In steps 1 and 2 that transaction reads. It holds a place in the ``-wal``, which then cannot begin again. Or, if all
pages are in the database, it holds the lock without which the checkpoint copies nothing. In step 3 the transaction
writes, so no other connection can.

Each process that commits has such a thread, and one of them is enough. Only checkpoints write the database file, so its
time of change shows that another process copies; see `Checkpointer`.

If the thread cannot run or fails, commits make checkpoints as SQLite does, later; see `Connection`. They make none
while it runs: only one checkpoint can run, so two processes that make one after each commit keep all threads out.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from honker.errors import HonkerError

if TYPE_CHECKING:
    from honker.sqlite.connection import Connection

#: Bytes that commits add to the -wal between two copies, and bytes of the -wal from which it shall begin again.
_COPY_BYTES: Final = 4_096_000
_LONG_BYTES: Final = 16_384_000

#: Commits before a thread starts, which takes some milliseconds.
_FIRST_COMMITS: Final = 1_000
#: Commits between two copies: the number that writes `_COPY_BYTES`, which is at first assumed, and at most.
_FIRST_INTERVAL: Final = 250
_MOST_COMMITS: Final = 1_000
#: Copies in a row that a thread leaves to those of other processes. They may be incomplete, as in SQLite's commits.
_MOST_LEFT: Final = 4
#: Copies that fall due before commits wait for the first of them.
_MOST_COPIES: Final = 3
#: Commits after which a thread is tried again if none could be started.
_RETRY_COMMITS: Final = 100_000
_NEVER: Final = sys.maxsize

#: Seconds without a copy after which the thread ends and closes its connections.
_IDLE_S: Final = 10.0
#: Milliseconds for which step 3 waits for the write lock; without it, a later commit tries again.
_LOCK_WAIT_MS: Final = 100
#: Seconds for which a fork or a close waits for the end of a step.
_END_S: Final = 10.0


class _Gate:
    """Where the threads of this process start and end, and where forks and the end of the interpreter keep them out."""

    def __init__(self) -> None:
        # Guards the fields here and those of checkpointers. Reentrant, because the garbage collector, which may run
        # anywhere, closes handles.
        self.lock = threading.RLock()
        self.checkpointers: weakref.WeakSet[Checkpointer] = weakref.WeakSet()
        self.closed_count = 0

    def close(self) -> None:
        """End all threads, and let no other start."""
        with self.lock:
            self.closed_count += 1
            checkpointers = list(self.checkpointers)
        for each in checkpointers:
            each.stop()


_gate: Final = _Gate()
# A thread that runs while the interpreter ends is stopped anywhere, and a later close would wait for it.
atexit.register(_gate.close)


class Log(NamedTuple):
    """The state of the ``-wal`` after a checkpoint."""

    pages: int
    #: Pages that are not in the database yet.
    left: int
    #: True if another connection makes a checkpoint, so this one copied nothing; the other fields are then 0.
    is_busy: bool = False


class Checkpointer:
    """Checkpoints of one file, by a thread of this process that runs only while there are commits.

    The thread holds no reference to the handle, which the garbage collector may close.
    """

    def __init__(
        self, open_connection: Callable[[], Callable[[], Connection] | None], path: str, page_bytes: int
    ) -> None:
        self._open_connection = open_connection
        self._path = path
        self._copy_pages = _COPY_BYTES // page_bytes
        self._long_pages = _LONG_BYTES // page_bytes
        # True after step 2, until a commit makes step 3; and after step 3 in a transaction, until the next commit.
        self._is_copied = False
        self._is_complete = False
        # Only the holder of the process's write lock changes the first. At the second one it wakes the thread, and from
        # the third one on it waits for the copy: on a slow disk, commits are faster, and the -wal would grow.
        self._commits = 0
        self._due_commit = _FIRST_COMMITS
        self._waiting_commit = _NEVER
        self._interval = _FIRST_INTERVAL
        # The pages and commits at the last copy; no commits if that was left to others.
        self._pages = 0
        self._counted: int | None = 0
        # When the database file was changed last, as far as seen, and the copies since then that others made.
        self._changed_at = 0
        self._left_count = 0
        self._is_due = threading.Event()
        # Held while the connections are in use. The thread sets the second field to None before it closes them.
        self._turn = threading.Lock()
        self._copier: _Copier | None = None
        # Guarded by the gate.
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._is_stopping = False
        with _gate.lock:
            _gate.checkpointers.add(self)

    @property
    def is_copying(self) -> bool:
        """True while the thread runs, so commits need not make checkpoints as SQLite does."""
        return self._copier is not None

    @property
    def is_commit_slow(self) -> bool:
        """True if the next commit waits for a copy, makes step 3, or begins the ``-wal`` again, which syncs it."""
        return self._is_copied or self._is_complete or self._commits >= self._waiting_commit

    def complete(self, *, is_in_transaction: bool) -> None:
        """Do the slow work that is due, before a commit that may wait.

        Args:
            is_in_transaction: True if the commit has the write lock of SQLite already.
        """
        self._is_complete = False
        with self._turn:
            copier = self._copier if self._is_copied else None
            self._is_copied = False
            if copier is None:
                return
            try:
                with contextlib.suppress(HonkerError):  # as in the thread
                    log = copier.copy_rest() if is_in_transaction else copier.complete()
                    self._is_copied = log.is_busy  # by a thread of another process; the next commit tries again
                    if log.left == 0 and not log.is_busy:
                        self._pages, self._is_complete = 0, is_in_transaction
                    self._changed_at = self._find_change()
            finally:
                copier.release()  # an interrupt may have cut off its end

    def count_commit(self) -> None:
        """Count a commit, and wake the thread after many."""
        self._commits += 1
        if self._commits >= self._due_commit:
            self._wake()

    def _wake(self) -> None:
        with _gate.lock:
            if self._is_closed or _gate.closed_count:
                self._due_commit = self._commits + _FIRST_COMMITS
                return
            self._due_commit = _NEVER
            self._waiting_commit = self._commits + _MOST_COPIES * self._interval
            self._is_due.set()
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        self._is_stopping = False
        try:
            self._thread = threading.Thread(target=self._run, name="honker-checkpoint", daemon=True)
            self._thread.start()
        except RuntimeError:  # the interpreter ends, or the system has no more threads
            self._thread = None
            self._due_commit, self._waiting_commit = self._commits + _RETRY_COMMITS, _NEVER

    def _run(self) -> None:
        try:
            # A failure of the disk reaches the next commit, or a checkpoint that it makes itself.
            with contextlib.suppress(HonkerError), contextlib.ExitStack() as stack:
                copier = self._open_copier(stack)
                while copier is not None and self._is_due.wait(_IDLE_S) and not self._is_stopping:
                    self._is_due.clear()
                    with self._turn:
                        self._copy(copier)
        finally:
            with _gate.lock:
                self._thread = None
                self._due_commit, self._waiting_commit = self._commits + _FIRST_COMMITS, _NEVER

    def _open_copier(self, stack: contextlib.ExitStack) -> _Copier | None:
        """None if the handle is gone."""
        open_connection = self._open_connection()
        if open_connection is None:
            return None
        copying = stack.enter_context(contextlib.closing(open_connection()))
        holding = stack.enter_context(contextlib.closing(open_connection()))
        stack.callback(self._withdraw)
        self._copier = _Copier(copying, holding)
        return self._copier

    def _withdraw(self) -> None:
        with self._turn:
            self._copier, self._is_copied = None, False

    def _copy(self, copier: _Copier) -> None:
        """Make steps 1 and 2, and choose the commit after which the next copy is due."""
        began_at, self._is_copied = self._commits, False
        log = Log(0, 0, is_busy=True) if self._is_left_to_others() else copier.copy()
        if log.is_busy:
            self._counted = None
        else:
            self._interval = self._commits_of_copy(log.pages, began_at)
            self._pages = log.pages
            if log.pages >= self._long_pages and not self._is_stopping:
                self._is_copied = copier.copy().left < self._copy_pages
            self._changed_at = self._find_change()
        self._waiting_commit = _NEVER
        self._due_commit = max(self._commits + 1, began_at + self._interval)

    def _is_left_to_others(self) -> bool:
        """True if another process has copied since the last copy here, except once in a while."""
        before, self._changed_at = self._changed_at, self._find_change()
        is_left = before not in (0, self._changed_at) and self._left_count < _MOST_LEFT
        self._left_count = self._left_count + 1 if is_left else 0
        return is_left

    def _find_change(self) -> int:
        """The time of change of the database file, which is not opened; 0 if it is gone."""
        try:
            return os.stat(self._path).st_mtime_ns
        except OSError:
            return 0

    def _commits_of_copy(self, pages: int, commits: int) -> int:
        """The number of commits that write as many pages as are copied at once, from the growth of the ``-wal``."""
        before, self._counted = self._counted, commits
        if before is None:
            return self._interval
        added = pages - self._pages if pages >= self._pages else pages
        # At most twice as many as before: if the -wal began again by another process, too few pages are seen.
        return min(max(1, self._copy_pages * (commits - before) // max(1, added)), 2 * self._interval, _MOST_COMMITS)

    def stop(self) -> None:
        """End the thread and close its connections. A later commit may start another thread."""
        with _gate.lock:
            thread, self._is_stopping = self._thread, True
        self._is_due.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_END_S)

    def close(self) -> None:
        """End the thread, and start no other."""
        with _gate.lock:
            self._is_closed = True
        self.stop()

    def forget_thread(self) -> None:
        """In a forked child, forget a thread of the parent, and locks that another one may have held."""
        self._thread = self._copier = None
        self._is_copied = False
        self._due_commit, self._waiting_commit = self._commits + _FIRST_COMMITS, _NEVER
        self._turn, self._is_due = threading.Lock(), threading.Event()


class _Copier:
    """A connection that makes checkpoints, and one that has a transaction open meanwhile; see the module."""

    def __init__(self, copying: Connection, holding: Connection) -> None:
        self._copying = copying
        self._holding = holding
        holding.run("PRAGMA query_only = OFF")  # it takes the write lock, and writes nothing
        for connection, wait_ms in ((copying, 0), (holding, _LOCK_WAIT_MS)):
            connection.scalar("SELECT honker_busy_timeout(?)", (wait_ms,))

    def copy(self) -> Log:
        """Copy the pages that are in the log now, except those behind the snapshot of an older reader."""
        self._holding.run("BEGIN")
        try:
            self._holding.scalar("PRAGMA schema_version")  # a read, which begins the transaction
            return self.copy_rest()
        finally:
            self._holding.run("ROLLBACK")

    def complete(self) -> Log:
        """Take the write lock and copy all pages.

        Raises:
            DatabaseBusyError: The write lock was not free; nothing is copied.
        """
        self._holding.run("BEGIN IMMEDIATE")
        try:
            return self.copy_rest()
        finally:
            self._holding.run("ROLLBACK")

    def release(self) -> None:
        """End a transaction that is still open."""
        self._holding.roll_back_if_open()

    def copy_rest(self) -> Log:
        """Copy all pages, while a transaction of this process keeps the log from beginning again."""
        row = self._copying.query("PRAGMA wal_checkpoint(PASSIVE)", None)[0]
        if row["busy"]:
            return Log(0, 0, is_busy=True)
        pages = int(row["log"])
        return Log(pages, pages - int(row["checkpointed"]))


def pause_checkpointers() -> None:
    """End all threads, and let none start until `resume_checkpointers`; before a fork."""
    _gate.close()
    _gate.lock.acquire()


def resume_checkpointers(*, is_child: bool) -> None:
    """Let threads start again, in the parent or in the child of a fork."""
    if is_child:
        for each in list(_gate.checkpointers):
            each.forget_thread()
    _gate.closed_count -= 1
    _gate.lock.release()
