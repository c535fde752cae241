"""Rate limits and locks for all processes that share the database file.

    python examples/rate_limited_api.py [DATABASE]

Four threads call an API that allows five calls a second; they could also be four processes. A lock lets one of them
close the month. Its token distinguishes the current holder from a late one.
"""

import os
import sys
import tempfile
import threading
import time

import honker

CALLS = 12
LIMIT, WINDOW_S = 5, 1


def call_api(db, name, calls, made):
    """Make calls whenever the limit allows one."""
    while calls:
        if not db.try_rate_limit("api", limit=LIMIT, per=WINDOW_S):
            # Windows begin at multiples of their length, so the next window is at most one length away.
            time.sleep(WINDOW_S - time.time() % WINDOW_S)
            continue
        try:
            number = calls.pop()
        except IndexError:
            return
        made.append(time.time())
        print(f"{time.time() % 60:6.3f} s  {name} makes call {number}")


def close_month(db, name):
    """Close the month if the lock is free. Returns the token of the lock, or None."""
    try:
        with db.lock("close the month", ttl=60) as lock:
            token = lock.token
            print(f"{name} closes the month with token {token}")
            assert close_month(db, "another worker") is None, "the lock has two holders"
            return token
    except honker.LockHeld:
        print(f"{name} does not close it: the lock is held")
        return None


def main(path):
    with honker.open(path) as db:
        calls, made = list(range(CALLS, 0, -1)), []
        started_at = time.time()
        threads = [threading.Thread(target=call_api, args=(db, f"thread {letter}", calls, made)) for letter in "ABCD"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed_s = max(made) - started_at
        print(f"{len(made)} calls in {elapsed_s:.2f} s, at most {LIMIT} in a window")
        assert len(made) == CALLS
        # Twelve calls need at least three windows, including the whole second one.
        assert elapsed_s >= (CALLS // LIMIT - 1) * WINDOW_S, "the limit was exceeded"

        first, second = close_month(db, "main"), close_month(db, "main")
        assert first is not None
        assert second is not None
        assert first < second, "a later holder has a larger token"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(folder, "limits.db"))
