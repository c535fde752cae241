"""An app in servers that import it once and fork workers, such as ``gunicorn --preload``, and in other children."""

import json
import os

import pytest

from ..support.locking import ask, is_sound
from ..support.processes import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

PRELUDE = """
import asyncio, multiprocessing, os, sys, threading, time
import honker

path = sys.argv[1]
app = honker.App(path)
queue = app.queue("q")

@app.task("tasks")
def double(number):
    return 2 * number

async def run_one(result):
    stop = asyncio.Event()
    workers = asyncio.ensure_future(app.db.run_workers(stop_event=stop))
    os.write(1, b"result %d;" % await result.aget(10))
    stop.set()
    await workers

def child(work):
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        sys.stdout.flush()
        os._exit(0)
    finally:
        os._exit(1)

def join(*pids):
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
"""


def script(path, text, *arguments):
    lines = run(PRELUDE + text, path, *arguments)
    assert is_sound(path)
    return lines


def payloads(path):
    return [json.loads(payload) for (payload,) in ask(path, "SELECT payload FROM _honker_live WHERE queue = 'q'")]


BEFORE = {
    "nothing was opened": "",
    "it was used": "queue.enqueue('before')",
    "it was used and closed": "queue.enqueue('before'); app.close()",
    "its commits were followed": "updates = app.db.update_events(); queue.enqueue('before')",
}


@pytest.mark.parametrize("before", BEFORE)
def test_children_that_were_forked_after_the_import_use_the_tasks_of_the_app(path, before):
    lines = script(
        path,
        BEFORE[before]
        + """
def serve():
    for number in range(20):
        queue.enqueue(["child", number])
    asyncio.run(run_one(double(21)))
join(*[child(serve) for _ in range(4)])
queue.enqueue("after")
""",
    )
    assert lines == ["result 42;" * 4]
    assert len(payloads(path)) == 81 + ("used" in before or "followed" in before)


def test_a_parent_that_made_the_file_and_closes_the_app_takes_nothing_from_children_that_open_it_later(path):
    """SQLite makes the WAL index of a new file after it has opened it, so only the fork can tell which one it has."""
    lines = script(
        path,
        """
to_child, to_parent = os.pipe(), os.pipe()
queue.enqueue("before")
def late():
    os.write(to_parent[1], b"x")
    os.read(to_child[0], 1)
    queue.enqueue("first")
    os.write(to_parent[1], b"x")
    os.read(to_child[0], 1)
    queue.enqueue("second")
pid = child(late)
os.read(to_parent[0], 1)
app.close()
os.write(to_child[1], b"x")
os.read(to_parent[0], 1)
queue.enqueue("in between")
app.close()
os.write(to_child[1], b"x")
join(pid)
""",
    )
    assert lines == []
    assert sorted(payloads(path)) == ["before", "first", "in between", "second"]


def test_a_child_of_a_parent_that_was_writing_refuses_and_leaves_its_transaction_alone(engine, path):
    lines = script(
        path,
        """
def work():
    for use in (lambda: queue.enqueue(1, tx=tx), lambda: double(1), lambda: queue.stats()):
        try:
            use()
        except honker.ForkError as error:
            print("in use" in str(error) or "make it again" in str(error))
with app.db.transaction() as tx:
    queue.enqueue("before", tx=tx)
    join(child(work))
    queue.enqueue("after", tx=tx)
""",
    )
    # A child has sessions of its own on PostgreSQL.
    assert lines == ["True"] * (3 if engine == "sqlite" else 1)
    assert payloads(path) == ["before", "after"]


@pytest.mark.sqlite_only("SQLite's record of the locks of a process")
def test_a_child_that_was_forked_while_another_thread_closed_the_app_refuses(path):
    """SQLite's record of the locks may be half changed then: a child that opened the file could wait for ever."""
    lines = script(
        path,
        """
def work():
    try:
        queue.enqueue("child")
    except honker.ForkError:
        print("refused")

class Closing:
    def __init__(self, raw):
        self.raw = raw

    def __getattr__(self, name):
        return getattr(self.raw, name)

    def close(self):
        join(child(work))
        self.raw.close()

queue.enqueue("before")
writer = app.db.engine.current._writer
writer._raw = Closing(writer._raw)
app.close()
queue.enqueue("after")
""",
    )
    assert lines == ["refused"]
    assert payloads(path) == ["before", "after"]


def test_a_child_opens_the_file_that_was_in_use_at_the_fork_and_returns_to_the_one_of_the_app(path, tmp_path):
    lines = script(
        path,
        """
queue.enqueue("parent")
def work():
    queue.enqueue("child")
with app.using(sys.argv[2]):
    queue.enqueue("test")
    join(child(work))
    sys.stdout.flush()
    pid = os.fork()
if pid == 0:
    print(app.path == path, flush=True)
    queue.enqueue("child after the block")
    os._exit(0)
join(pid)
""",
        tmp_path / "test.db",
    )
    assert lines == ["True"]
    assert payloads(tmp_path / "test.db") == ["test", "child"]
    assert payloads(path) == ["parent", "child after the block"]


def test_a_child_may_be_forked_while_another_thread_opens_the_database(path):
    """The lock of the opening is held by a thread that the child does not have."""
    lines = script(
        path,
        """
from honker.sqlite.process_engine import ProcessEngine
opening, may_go_on = threading.Event(), threading.Event()
find = ProcessEngine._open
def halted(self):
    opening.set()
    assert may_go_on.wait(30)
    return find(self)
ProcessEngine._open = halted
thread = threading.Thread(target=lambda: queue.enqueue("parent"))
thread.start()
assert opening.wait(30)
def work():
    ProcessEngine._open = find
    queue.enqueue("child")
join(child(work))
may_go_on.set()
thread.join()
""",
    )
    assert lines == []
    assert payloads(path) == ["child", "parent"]


MODULE = """
import honker
app = honker.App({path!r})

@app.task
def double(number):
    return 2 * number

def count(number):
    double(number)
    return app.db.query("SELECT count(*) AS n FROM _honker_live")[0]["n"] > 0
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_use_the_app_of_a_module(path, tmp_path, method):
    (tmp_path / "shop.py").write_text(MODULE.replace("{path!r}", repr(str(path))))
    program = """
import multiprocessing, sys
sys.path.insert(0, sys.argv[1])
import shop
shop.double(0)
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[2]).Pool(3) as pool:
        print(pool.map(shop.count, range(6)))
        pool.close()
        pool.join()
"""
    assert run(program, tmp_path, method) == [str([True] * 6)]
    assert ask(path, "SELECT count(*) FROM _honker_live") == [(7,)]
