"""How the benchmark talks with what it measures: a process of its own for each, one JSON object a line.

    {"do": "enqueue", "count": 5000}    is answered by    {"done": 0.16}, {"unsupported": "enqueue"} or {"error": "..."}

So what is measured has its own interpreter, its own packages and its own SQLite, and nothing of the benchmark in it.
Only the standard library is imported here: this file runs in every peer's environment.
"""

import contextlib
import json
import sys
import time
from pathlib import Path

#: The payload of every job, for every queue; `order` is replaced where jobs are told apart.
PAYLOAD = {"to": "alice@example.com", "order": 4711}

# Rows to multiply by: `WITH numbers ...` counts from 1 to its first parameter.
NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"

# A caller that has repeated itself so often has not met a lock, but a mistake.
TOO_MANY_ERRORS = 10_000


class Driver:
    """What all drivers can do. One that cannot do something does not define it, and the benchmark leaves it out.

    A queue's driver defines `put(payload)`, `take()`, which returns the handle and the payload of one job or None, and
    `settle(handle)`; in loops these are all that is timed, for everybody alike.
    """

    def enqueue(self, count, seconds=None, payload_bytes=0):
        """Each in a commit of its own: so many jobs, or as many as begin within so many seconds.

        Returns:
            The jobs and the seconds they took.
        """
        put = self.put
        payload = {**PAYLOAD, "to": "x" * payload_bytes} if payload_bytes else PAYLOAD
        put(payload)  # what is prepared or opened at the first call
        limit = float("inf") if seconds is None else seconds
        done = 0
        began = now = time.perf_counter()
        while done < count and now - began < limit:
            put(payload)
            done += 1
            now = time.perf_counter()
        return done, now - began

    def claim(self, count, seconds=None):
        """Claim and settle one at a time: so many jobs, or as many as begin within so many seconds.

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
        """So many jobs, as fast as they can be had: one is put, and its row copied."""
        self.put(PAYLOAD)
        if waiting > 1:
            self.copy_last(waiting - 1)

    def mix(self, first, count):
        """Enqueue and work: jobs numbered from `first`, each followed by a claim; then what is left, until it is empty.

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

    def _work_on_one(self, seen, errors):
        taken = self._until_it_works(self.take, errors)
        if taken is not None:
            seen.append(taken[1]["order"])
            self._until_it_works(self.settle, errors, taken[0])
        return taken is not None

    @staticmethod
    def _until_it_works(call, errors, *arguments):
        """As a caller would have to, where the lock of another process reaches it as an error; each is counted."""
        while True:
            try:
                return call(*arguments)
            except Exception as error:
                text = f"{type(error).__name__}: {error}"
                errors[text] = errors.get(text, 0) + 1
                if sum(errors.values()) > TOO_MANY_ERRORS:
                    raise

    def put_with_gaps(self, count, gap_s):
        """One job after each gap; when each had been committed, in nanoseconds of the machine's monotonic clock."""
        committed = []
        for number in range(count):
            time.sleep(gap_s)
            self.put({**PAYLOAD, "order": number})
            committed.append(time.monotonic_ns())
        return committed

    def peak_bytes(self):
        """The most memory that this process ever had; `ru_maxrss` would be that of the process which started it."""
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        raise NotImplementedError


def name_durability(journal, synchronous):
    """What survives a power failure depends on these two settings; in the words of SQLite's manual."""
    return f"{journal.upper()}, {('OFF', 'NORMAL', 'FULL', 'EXTRA')[synchronous]}"


def describe_sqlite(conn):
    """The SQLite behind a `sqlite3` connection, and how it writes."""
    (version,) = conn.execute("SELECT sqlite_version()").fetchone()
    (journal,) = conn.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = conn.execute("PRAGMA synchronous").fetchone()
    return {"sqlite": version, "durability": name_durability(journal, synchronous)}


def unsupported(**_):
    """What a driver does that it does not define."""
    raise NotImplementedError


def serve(driver):
    """Answers until there is nobody to ask."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # a library that prints must not be taken for an answer
        for line in sys.stdin:
            request = json.loads(line)
            print(json.dumps(answer(driver, **request)), file=answers, flush=True)


def answer(driver, do, **arguments):
    """What one request comes to."""
    try:
        return {"done": getattr(driver, do, unsupported)(**arguments)}
    except NotImplementedError:
        return {"unsupported": do}
    except Exception as error:
        return {"error": f"{do}: {type(error).__name__}: {error}"}
