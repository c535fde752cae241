"""A fork copies handles but no threads: the child gets an error, and the parent is unaffected."""

import pytest

from ..support.processes import run
from .faces import LIBRARY

PYTHON = """
import asyncio, gc, os, sqlite3, sys
import honker

path, end = sys.argv[1:]
db = honker.open(path)
with db.transaction() as tx:
    tx.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
updates, claims = db.update_events(), db.queue("q").claim("w", idle_poll_s=None)
claims_updates = db.update_events()
number = honker.connect(path).execute("SELECT honker_update_watcher_open(?, NULL)", (path,)).fetchone()[0]

def refused(action):
    try:
        action()
    except honker.ForkError:
        return True

child = os.fork()
if child == 0:
    uses = [
        lambda: updates.wait(0),
        lambda: updates.fileno(),
        lambda: updates.stats(),
        lambda: asyncio.run(updates.wait_async(0)),
        lambda: next(claims),
    ]
    code = sum(1 for use in uses if not refused(use))
    again = db.update_events()  # the inherited handle opens the file again, and watches it
    db.notify("channel", 1)
    code += 0 if again.wait(10) else 50
    updates.close()
    claims.close()
    db.close()
    del updates, again, claims, claims_updates
    gc.collect()
    # A database of its own, with a watcher of its own.
    with honker.open(path) as own:
        mine = own.update_events()
        with own.transaction() as tx:
            tx.execute("INSERT INTO t DEFAULT VALUES")
        code += 0 if mine.wait(10) else 100
    conn = honker.connect(path)
    code += 0 if conn.execute("SELECT honker_update_watcher_wait(?, 0)", (number,)).fetchone() == (-1,) else 200
    conn.execute("SELECT honker_update_watcher_close(?)", (number,))
    conn.close()
    if end == "exit":
        sys.exit(code)
    os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert updates.wait(10), "the child's commit"
writer = sqlite3.connect(path, isolation_level=None)
for _ in range(20):
    while updates.wait(0):
        pass
    writer.execute("INSERT INTO t DEFAULT VALUES")
    assert updates.wait(10)
assert honker.connect(path).execute("SELECT honker_update_watcher_wait(?, 0)", (number,)).fetchone() == (1,)
db.queue("q").enqueue("job")
assert next(claims).payload == "job"
assert writer.execute("PRAGMA integrity_check").fetchone() == ("ok",)
assert writer.execute("SELECT count(*) FROM t").fetchone() == (21,)
db.close()
print("unharmed")
"""


@pytest.mark.parametrize("end", ["exit", "_exit"])
def test_what_a_child_inherited_is_refused_and_the_parent_unharmed(path, end):
    assert run(PYTHON, path, end) == ["unharmed"]


C = """
import ctypes, os, sqlite3, sys
import honker

path, library, use = sys.argv[1:]
honker.connect(":memory:").close()
native = ctypes.CDLL(library)
native.honker_watcher_open.restype = ctypes.c_void_p
writer = sqlite3.connect(path, isolation_level=None)
writer.execute("PRAGMA journal_mode = WAL").fetchone()
writer.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
handle = ctypes.c_void_p(native.honker_watcher_open(path.encode(), None, None, ctypes.c_size_t(0)))
wait = lambda timeout: native.honker_watcher_wait(handle, ctypes.c_uint64(timeout))
writer.execute("INSERT INTO t DEFAULT VALUES")
assert wait(10_000) == 1
while wait(300):
    pass
if use == "wait":
    writer.execute("INSERT INTO t DEFAULT VALUES")
    import select
    assert select.select([native.honker_watcher_fd(handle)], [], [], 10)[0]
child = os.fork()
if child == 0:
    import signal
    signal.alarm(5)
    if use == "wait":
        answer = wait(100)
    else:
        answer = -1
        native.honker_watcher_close(handle)
    os._exit(0 if answer == -1 else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print("child", code)
if use == "wait":
    print("parent", wait(0))
else:
    writer.execute("INSERT INTO t DEFAULT VALUES")
    print("parent", wait(10_000))
    import time
    before, began = time.process_time(), time.monotonic()
    wait(500)
    busy = (time.process_time() - before) / (time.monotonic() - began)
    print("idle" if busy < 0.5 else f"spins, {busy:.2f} of a core")
"""


def test_a_c_handle_takes_no_wake_of_the_parent(path):
    """The descriptor is shared with the parent: the parent would never get a wake taken by the child."""
    assert run(C, path, LIBRARY, "wait") == ["child 0", "parent 1"]


def test_a_c_handle_closed_in_the_child_leaves_the_parents_alone(path):
    assert run(C, path, LIBRARY, "close") == ["child 0", "parent 1", "idle"]
