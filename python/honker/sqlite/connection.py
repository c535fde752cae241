"""One SQLite connection with honker's settings, honker's errors and a guard against forks."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from honker.arguments import INT64_MAX, Parameters, Row, SQLValue, sql_parameters
from honker.clock import monotonic
from honker.errors import (
    DatabaseBusyError,
    DatabaseClosedError,
    DatabaseOpenError,
    InvalidArgumentError,
    UnexpectedRowsError,
    forked,
    from_sqlite,
)
from honker.sqlite.checkpoint import Checkpointer, pause_checkpointers, resume_checkpointers
from honker.sqlite.database_file import DatabaseFile
from honker.sqlite.extension import connect
from honker.sqlite.fork import (
    Held,
    check_inherited,
    identity_of,
    inherit,
    inherit_half_open,
    make_immortal,
)
from honker.sqlite.held_elsewhere import endless_wait
from honker.sqlite.open_failure import explain
from honker.sqlite.path import existing_only, file_of, is_writable
from honker.sqlite.watcher import pause_watchers, resume_watchers

#: Seconds for which an operation waits for the write lock of another process.
BUSY_TIMEOUT_S: Final = 5.0

#: The levels of `honker.open`'s ``synchronous``.
SYNCHRONOUS: Final = ("NORMAL", "FULL", "EXTRA")

#: Bytes in the -wal after which a commit writes them into the database itself, because `Checkpointer` did not; in
#: pages that depends on their size.
_CHECKPOINT_BYTES: Final = 40_960_000
_WAL_LIMIT_BYTES: Final = 67_108_864

#: Seconds for which the commits of event loops leave checkpoints to a later commit in a thread.
_CHECKPOINT_DELAY_S: Final = 1.0
#: Commits that then run in a thread: one makes the checkpoint, and the next begins the -wal again and syncs it.
_SLOW_COMMITS: Final = 2
#: Changed rows of a transaction from which its commit may take long to write.
_LARGE_COMMIT_ROWS: Final = 1_000

_PRAGMAS: Final = (
    "PRAGMA cache_size = -32000",
    "PRAGMA temp_store = MEMORY",
    # A -wal that grew behind a long reader is cut to this when it is used from its beginning again.
    f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}",
    # Some distributions overwrite deleted content: 256 pages for the ack of a job of 1 MiB. FAST overwrites only pages
    # that are written anyway.
    "PRAGMA secure_delete = FAST",
)

# Connections that a forked child must keep open: closing them there would affect the parent's file.
_open_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


class Connection:
    """A connection with the engine loaded. Not locked: threads that share it must take turns."""

    def __init__(
        self,
        path: str,
        module: ModuleType,
        *,
        synchronous: str = SYNCHRONOUS[0],
        is_query_only: bool = False,
        creates: bool = False,
        foreign_keys: bool | None = None,
    ) -> None:
        self._pid = os.getpid()
        self._path = path
        self._foreign_keys = foreign_keys
        self._module = module
        self._is_retired = False
        #: The file that each use is checked against, once it is known.
        self.file: DatabaseFile | None = None
        self._is_running = False
        # Seconds for which statements wait for a lock; None while SQLite's own busy handler is in place.
        self._busy_timeout_s: float | None = None
        self._is_query_only = is_query_only
        self._syncs_commits = synchronous != SYNCHRONOUS[0]
        # Commits of an event loop make no checkpoint. The moment of the first of them since the last one in a thread,
        # and the number of the next commits that run in a thread.
        self._makes_checkpoints: bool = True
        self._deferred_since: float | None = None
        self._slow_commits = 0
        self._changes_at_begin = 0
        self._checkpointer: Checkpointer | None = None
        self._raw: sqlite3.Connection | None = None
        #: None while the connection is opened, and after that failed.
        self._held: Held | None = None
        self._is_opening = True
        self._is_closing = False
        _open_connections.add(self)  # before SQLite opens the file: another thread may fork meanwhile
        try:
            self._raw = _open(path, module, creates=creates)
            self._configure(synchronous, is_query_only=is_query_only)
            file = self._file()
            self._held = Held(file, identity_of(file) or (0, 0))
        except BaseException:
            self.close()
            raise
        finally:
            self._is_opening = False
        # The first commit may create the -wal, and sync its header.
        self._slow_commits = _SLOW_COMMITS

    def _configure(self, synchronous: str, *, is_query_only: bool) -> None:
        self._enter_wal(is_read_only=is_query_only or not is_writable(self._path))
        for pragma in (f"PRAGMA synchronous = {synchronous}", *_PRAGMAS):
            self.run(pragma)
        self._page_bytes = int(self.scalar("PRAGMA page_size"))  # a text where SQLCipher answers
        self._checkpoint_pages: int = _CHECKPOINT_BYTES // self._page_bytes
        self.run(f"PRAGMA wal_autocheckpoint = {self._checkpoint_pages}")
        if self._foreign_keys is not None:
            self.run(f"PRAGMA foreign_keys = {int(self._foreign_keys)}")
        if is_query_only:
            self.run("PRAGMA query_only = ON")
        else:
            self.wait_when_busy()

    def _enter_wal(self, *, is_read_only: bool) -> None:
        """Switch the file to WAL mode if necessary.

        The switch needs exclusive access to the file, and SQLite does not wait for that: when several processes open a
        new file at once, it fails for all but the first. So it is retried until the busy timeout.
        """
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while self.scalar("PRAGMA journal_mode") != "wal":
            try:
                mode = self.scalar("PRAGMA journal_mode = WAL")
                if mode != "wal" and not is_read_only:
                    raise DatabaseOpenError(
                        f"{self._file()!r} stays in journal mode {mode!r} and does not enter WAL mode, in which "
                        "readers and writers do not wait for each other; open it with a VFS that has shared memory"
                    )
                return
            except DatabaseBusyError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.005)

    @property
    def raw(self) -> sqlite3.Connection:
        """The ``sqlite3`` connection.

        Raises:
            ForkError: This process inherited the connection.
            DatabaseClosedError: It is closed, or retired and not in a transaction.
        """
        if self._pid != os.getpid():
            raise forked(self._pid)
        if self._raw is None or (self._is_retired and not self._raw.in_transaction):
            raise DatabaseClosedError("Database is closed")
        return self._raw

    def retire(self) -> None:
        """Reject all use except for the rest of an open transaction; the first step of closing."""
        self._is_retired = True

    @property
    def real_path(self) -> str:
        """The path of the file as SQLite knows it: absolute, without links and without the syntax of a URI."""
        assert self._held is not None
        return self._held.path

    def _file(self) -> str:
        """The absolute path of the database file according to SQLite, without URI syntax."""
        rows: list[tuple[int, str, str]] = self.raw.execute("PRAGMA database_list").fetchall()
        return rows[0][2]

    def checkpoint_in_thread(self, open_reader: Callable[[], Connection]) -> None:
        """Leave checkpoints to a thread, which opens connections by a method of their owner."""
        self._checkpointer = Checkpointer(weakref.WeakMethod(open_reader), self.real_path, self._page_bytes)

    def wait_when_busy(self) -> None:
        """Let later statements wait: for the locks of other processes up to the busy timeout, and for the disk."""
        self._set_busy_timeout(BUSY_TIMEOUT_S)
        if not self._is_query_only:
            self._count_commit(is_slow=True)

    def fail_when_busy(self) -> None:
        """Make later statements fail at once while another process holds the lock."""
        self._set_busy_timeout(0.0)
        if not self._is_query_only:
            self._count_commit(is_slow=self.is_commit_slow())

    def check_fast(self) -> None:
        """Reject a commit on an event loop that would wait for the disk.

        Raises:
            DatabaseBusyError: It would.
        """
        if self.is_commit_slow():
            raise DatabaseBusyError("the next commit waits for the disk, and must run in a thread")

    def is_commit_slow(self) -> bool:
        """True if the next commit must not run on an event loop, because it may sync the disk.

        A commit syncs the disk with ``synchronous="FULL"``, and else when it makes a checkpoint or begins the -wal
        again. Commits of event loops make no checkpoint. At least each `_CHECKPOINT_DELAY_S`, some run in a thread
        instead and catch up, so the -wal grows only by the commits of that time. A commit that has work for
        `Checkpointer` to do runs in a thread too.
        """
        since = self._deferred_since  # read once: a commit in another thread may set it to None
        if since is not None and monotonic() - since >= _CHECKPOINT_DELAY_S:
            self._deferred_since = None
            self._slow_commits = _SLOW_COMMITS
        is_slow = self._checkpointer is not None and self._checkpointer.is_commit_slow
        return self._syncs_commits or self._slow_commits > 0 or is_slow

    def _count_commit(self, *, is_slow: bool) -> None:
        """Let the next commit make a checkpoint, or leave that to a later one."""
        # Not beside the thread: only one checkpoint can run, and those of commits would keep its copies out.
        makes = is_slow and (self._checkpointer is None or not self._checkpointer.is_copying)
        if makes != self._makes_checkpoints:
            self.run(f"PRAGMA wal_autocheckpoint = {self._checkpoint_pages if makes else 0}")
            self._makes_checkpoints = makes
        if is_slow:
            self._deferred_since = None
            self._slow_commits -= self._slow_commits > 0
        elif self._deferred_since is None:
            self._deferred_since = monotonic()
        checkpointer = self._checkpointer
        if checkpointer is not None:
            if is_slow and checkpointer.is_commit_slow:
                checkpointer.complete(is_in_transaction=self.raw.in_transaction)
            checkpointer.count_commit()

    @property
    def is_large(self) -> bool:
        """True if the transaction has changed many rows, which a commit takes long to write."""
        return self.raw.total_changes - self._changes_at_begin >= _LARGE_COMMIT_ROWS

    def commit(self, *, is_slow: bool) -> None:
        """Commit. A slow commit may wait for the disk."""
        self._count_commit(is_slow=is_slow)
        self.run("COMMIT")

    def _set_busy_timeout(self, seconds: float) -> None:
        if seconds != self._busy_timeout_s:
            self.scalar("SELECT honker_busy_timeout(?)", (int(seconds * 1000),))
            self._busy_timeout_s = seconds

    def make_ready(self) -> None:
        """Leave no transaction behind, and see that the file is still there; before each write.

        Raises:
            DatabaseReplacedError: The file was deleted or replaced.
        """
        self.roll_back_if_open()
        self.check_file()

    def check_file(self) -> None:
        """See that the file is still there.

        Raises:
            DatabaseReplacedError: It was deleted or replaced.
        """
        if self.file is not None:
            self.file.check()

    def check_wait(self, *, is_blocking: bool) -> None:
        """See that this thread or task does not hold the write lock itself, before a wait for it.

        Raises:
            NestedTransactionError: It does, on a connection of another library.
        """
        error = endless_wait(self.real_path, is_blocking=is_blocking)
        if error is not None:
            raise error

    def scalar_waiting(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        """Like `scalar`, waiting for the locks of others, but not for one that this thread holds itself.

        Raises:
            NestedTransactionError: This thread holds the write lock, on a connection of another library.
        """
        error = endless_wait(self.real_path, is_blocking=True)
        if error is None:
            self.wait_when_busy()
            return self.scalar(sql, params)
        self.fail_when_busy()
        try:
            return self.scalar(sql, params)  # it may need no lock, as when there is nothing to write
        except DatabaseBusyError as busy:
            raise error from busy

    def begin(self) -> None:
        """Begin a write transaction; waits for the write lock.

        Raises:
            NestedTransactionError: This thread holds the lock, on a connection of another library.
            DatabaseBusyError: The write lock was not free within the busy timeout.
        """
        self.make_ready()
        self.check_wait(is_blocking=True)
        self._set_busy_timeout(BUSY_TIMEOUT_S)
        self.run("BEGIN IMMEDIATE")
        self._changes_at_begin = self.raw.total_changes

    def begin_now(self) -> bool:
        """Begin a write transaction if the write lock is free; later statements wait as usual. True if it began."""
        self.make_ready()
        self._set_busy_timeout(0.0)
        try:
            self.run("BEGIN IMMEDIATE")
        except DatabaseBusyError:
            self.check_wait(is_blocking=False)
            return False
        finally:
            self._set_busy_timeout(BUSY_TIMEOUT_S)
        self._changes_at_begin = self.raw.total_changes
        return True

    def roll_back_if_open(self) -> None:
        """Roll back the transaction, if one is open and the connection is not closed.

        An interrupt may prevent the last user of the connection from ending its transaction. The next user would then
        write into a transaction that is never committed.
        """
        if self._raw is not None and self._raw.in_transaction:
            self.run("ROLLBACK")

    def scalar(self, sql: str, params: tuple[SQLValue, ...] = ()) -> Any:
        """Run a statement to its end and return the first column of its only row; None without a row."""
        raw = self.raw
        self._is_running = True
        try:
            rows: list[tuple[Any, ...]] = raw.execute(sql, params).fetchall()
        except self._module.Error as error:
            raise explain(self._path, from_sqlite(error)) from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise InvalidArgumentError(f"{_culprit(params)} cannot be passed to SQL: {error}") from error
        finally:
            self._is_running = False
        return rows[0][0] if rows else None

    def run(self, sql: str) -> None:
        """Run a statement and ignore its result."""
        self.scalar(sql)

    def execute(self, sql: str, params: Parameters) -> None:
        """Run a statement of the application that returns no rows.

        Raises:
            UnexpectedRowsError: The statement returns rows.
        """
        if self._run(sql, params)[0] is not None:
            raise UnexpectedRowsError("Execute returned results - did you mean to call query?")

    def query(self, sql: str, params: Parameters) -> list[Row]:
        """Run a statement of the application and return its rows."""
        description, values = self._run(sql, params)
        columns = [column[0] for column in description or ()]
        return [dict(zip(columns, row, strict=True)) for row in values]

    def _run(self, sql: str, params: Parameters) -> tuple[Any, list[Any]]:
        """The description and the rows of a statement."""
        values = sql_parameters(params)
        raw = self.raw
        self._is_running = True
        try:
            cursor = raw.execute(sql, values)
            return cursor.description, cursor.fetchall()
        except self._module.Error as error:
            raise explain(self._path, from_sqlite(error)) from error
        finally:
            self._is_running = False

    def close(self) -> None:
        """Close the connection. Idempotent; does nothing in a forked child."""
        is_first = not self._is_closing
        self._is_closing = True  # before the raw connection is taken: another thread may fork meanwhile
        try:
            raw, self._raw = self._raw, None
            if raw is None:
                return
            if self._pid == os.getpid():
                if self._checkpointer is not None:
                    self._checkpointer.close()  # before: SQLite empties the -wal when the last connection closes
                raw.close()
            else:
                make_immortal(raw)
        finally:
            if is_first:
                self._is_closing = False

    def prepare_fork(self) -> None:
        """Note the WAL index of the file, before a fork: after it, the parent may close and delete it at any moment.

        Not when the connection is opened, because SQLite makes the index of a new file later.
        """
        if self._held is not None:
            self._held = self._held._replace(index_identity=identity_of(self._held.path + "-shm"))

    def inherit(self, *, watchers_were_idle: bool) -> None:
        """Abandon the connection in a forked child, and record if its file is unsafe to open there."""
        if self._is_opening or self._is_closing:
            self.close()
            inherit_half_open(str(file_of(self._path)), parent_pid=self._pid)
            return
        raw, held = self._raw, self._held
        if raw is not None and held is not None:
            was_idle = watchers_were_idle and not self._is_running and not raw.in_transaction
            self.close()
            inherit(held, parent_pid=self._pid, was_idle=was_idle)


def _open(path: str, module: ModuleType, *, creates: bool) -> sqlite3.Connection:
    check_inherited(str(file_of(path)))
    try:
        return connect(
            path if creates else existing_only(path),
            sqlite3=module,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            uri=not creates or path.startswith("file:"),
        )
    except module.Error as error:
        raise explain(path, from_sqlite(error)) from error


def _culprit(params: tuple[SQLValue, ...]) -> str:
    """The argument of a function that does not fit into SQL, for an error message."""
    for position, value in enumerate(params, start=1):
        if isinstance(value, int) and not -INT64_MAX - 1 <= value <= INT64_MAX:
            return f"argument {position}, {value},"
        if isinstance(value, str) and not value.isascii() and value != value.encode(errors="ignore").decode():
            return f"argument {position}, {value!r},"
    return "an argument"


class _Fork:
    """Hooks around a fork, so that a child that opens the database again loses no commits."""

    def __init__(self) -> None:
        self._watchers_are_idle = True

    def before(self) -> None:
        pause_checkpointers()
        for connection in list(_open_connections):
            connection.prepare_fork()
        self._watchers_are_idle = pause_watchers()

    def in_parent(self) -> None:
        resume_watchers(is_child=False)
        resume_checkpointers(is_child=False)

    def in_child(self) -> None:
        for connection in list(_open_connections):
            connection.inherit(watchers_were_idle=self._watchers_are_idle)
        resume_watchers(is_child=True)
        resume_checkpointers(is_child=True)


if hasattr(os, "register_at_fork"):
    _fork = _Fork()
    os.register_at_fork(before=_fork.before, after_in_parent=_fork.in_parent, after_in_child=_fork.in_child)
