"""The protocol between the benchmark and the measured sides: a process for each, one JSON object per line.

    {"do": "enqueue", "count": 5000}    is answered by    {"done": 0.16}, {"unsupported": "enqueue"} or {"error": "..."}

So each side has its own interpreter, packages and SQLite, without the benchmark's code. This file runs in every peer's
environment, so it imports only the standard library.
"""

import contextlib
import json
import sys
import time
from pathlib import Path

#: The payload of every job, for every queue; `order` is replaced where jobs must be distinguished.
PAYLOAD = {"to": "alice@example.com", "order": 4711}

# Rows to multiply by: `WITH numbers ...` counts from 1 to its first parameter.
NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"

# So many repeated calls mean a bug, not a lock.
TOO_MANY_ERRORS = 10_000


class Driver:
    """The operations of all drivers. A driver omits the unsupported ones, and the benchmark then leaves it out.

    A queue's driver defines `put(payload)`, `take()`, which returns the handle and the payload of one job or None, and
    `settle(handle)`. The timed loops consist of these alone, for every queue.
    """

    def enqueue(self, count, seconds=None, payload_bytes=0):
        """Enqueue jobs, one per commit, up to a count or for a number of seconds.

        Returns:
            The jobs and the seconds they took.
        """
        put = self.put
        payload = {**PAYLOAD, "to": "x" * payload_bytes} if payload_bytes else PAYLOAD
        put(payload)  # anything prepared or opened at the first call
        limit = float("inf") if seconds is None else seconds
        done = 0
        began = now = time.perf_counter()
        while done < count and now - began < limit:
            put(payload)
            done += 1
            now = time.perf_counter()
        return done, now - began

    def claim(self, count, seconds=None):
        """Claim and settle jobs one at a time, up to a count or for a number of seconds.

        Returns:
            The jobs and the seconds they took.
        """
        take, settle = self.take, self.settle
        limit = float("inf") if seconds is None else seconds
        done = 0
        began = now = time.perf_counter()
        while done < count and now - began < limit:
            taken = take()
            if taken is None:
                raise RuntimeError(f"nothing to claim after {done} of {count} jobs")
            settle(taken[0])
            done += 1
            now = time.perf_counter()
        return done, now - began

    def fill(self, waiting):
        """Add `waiting` jobs as fast as possible: put one, and copy its row."""
        self.put(PAYLOAD)
        if waiting > 1:
            self.copy_last(waiting - 1)

    def mix(self, first, count):
        """Enqueue jobs numbered from `first`, each followed by a claim; then work until the queue is empty.

        Returns:
            Seconds, the numbers of the jobs that were handed out here, and the errors by text.
        """
        seen, errors = [], {}
        began = time.perf_counter()
        for number in range(first, first + count):
            self._until_it_works(self.put, errors, {**PAYLOAD, "order": number})
            self._work_on_one(seen, errors)
        while self._work_on_one(seen, errors):
            pass
        return time.perf_counter() - began, seen, errors

    def crowd(self, seconds):
        """Enqueue, claim and settle one job after the other, for a number of seconds after some to warm up.

        Returns:
            The jobs, the sorted milliseconds of all calls, and the errors by text.
        """
        errors, times_ms = {}, []

        def timed(call, *arguments):
            began = time.perf_counter()
            answer = self._until_it_works(call, errors, *arguments)
            times_ms.append((time.perf_counter() - began) * 1000)
            return answer

        def work_on_one():
            timed(self.put, PAYLOAD)
            if (taken := timed(self.take)) is not None:  # else another process was faster
                timed(self.settle, taken[0])

        for _ in range(20):
            work_on_one()
        times_ms.clear()
        count, ends_at = 0, time.perf_counter() + seconds
        while time.perf_counter() < ends_at:
            work_on_one()
            count += 1
        return count, sorted(times_ms), errors

    def _work_on_one(self, seen, errors):
        taken = self._until_it_works(self.take, errors)
        if taken is not None:
            seen.append(taken[1]["order"])
            self._until_it_works(self.settle, errors, taken[0])
        return taken is not None

    @staticmethod
    def _until_it_works(call, errors, *arguments):
        """Repeat a call while another process's lock reaches it as an error, and count each error."""
        while True:
            try:
                return call(*arguments)
            except Exception as error:
                text = f"{type(error).__name__}: {error}"
                errors[text] = errors.get(text, 0) + 1
                if sum(errors.values()) > TOO_MANY_ERRORS:
                    raise

    def put_with_gaps(self, count, gap_s):
        """Put a job after each gap. Returns the instants of the commits, in monotonic nanoseconds."""
        committed = []
        for number in range(count):
            time.sleep(gap_s)
            self.put({**PAYLOAD, "order": number})
            committed.append(time.monotonic_ns())
        return committed

    def peak_bytes(self):
        """The peak memory of this process; `ru_maxrss` would be that of the parent process."""
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        raise NotImplementedError


def name_durability(journal, synchronous):
    """The two settings that decide which commits survive a power failure, in the words of SQLite's manual."""
    return f"{journal.upper()}, {('OFF', 'NORMAL', 'FULL', 'EXTRA')[synchronous]}"


def describe_sqlite(conn):
    """The SQLite behind a `sqlite3` connection, and its durability settings."""
    (version,) = conn.execute("SELECT sqlite_version()").fetchone()
    (journal,) = conn.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = conn.execute("PRAGMA synchronous").fetchone()
    return {"sqlite": version, "durability": name_durability(journal, synchronous)}


def unsupported(**_):
    """Stands in for the methods that a driver does not define."""
    raise NotImplementedError


def serve(driver):
    """Answer requests until the input ends."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # the output of a library must not be taken for an answer
        for line in sys.stdin:
            request = json.loads(line)
            print(json.dumps(answer(driver, **request)), file=answers, flush=True)


def answer(driver, do, **arguments):
    """Run one request, and return its answer."""
    try:
        return {"done": getattr(driver, do, unsupported)(**arguments)}
    except NotImplementedError:
        return {"unsupported": do}
    except Exception as error:
        return {"error": f"{do}: {type(error).__name__}: {error}"}
