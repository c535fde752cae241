"""A database that is open when its process forks.

SQLite keeps locks and shared memory per process and does not notice the fork. A child that uses or even closes an
inherited connection acts on the parent's files (https://sqlite.org/howtocorrupt.html, "Carrying an open database
connection across a fork()"). So a handle opens the file again in the child, by itself. It must not close there what it
inherited, neither by the garbage collector nor at the end of the interpreter. Inherited transactions, iterators and
subscriptions raise, and so does everything if the parent was using the file at the fork.
"""

import fcntl
import json
import os
import struct

import pytest

from ..support.locking import ask, is_sound
from ..support.processes import run, running

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# Bytes of the files that SQLite locks: https://sqlite.org/src/file/src/os.h (SHARED_FIRST, SHARED_SIZE) and os_unix.c
# (UNIX_SHM_DMS).
SHARED_LOCK = (0x40000002, 510)
DEAD_MAN_SWITCH = (128, 1)

FORKING = """
import asyncio, contextlib, gc, json, os, sys, threading
import honker

path = sys.argv[1]
db = honker.open(path)
queue = db.queue("q")
for number in range(4):
    queue.enqueue(number)
job = queue.claim_one("w")
claims = queue.claim("w")
next(claims)                      # it listens
updates = db.update_events()
listener = db.listen("c")
db.stream("s").publish_many([1, 2])
subscription = db.stream("s").subscribe("consumer")
next(subscription)                # it has read ahead
db.query("SELECT 1")              # a reader is open
entered = db.transaction()

@db.task("tasks")
def task(number): ...

def files():
    names = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            names.append(os.readlink(f"/proc/self/fd/{number}"))
    return sorted(name for name in names if name.startswith(path))

def outcome(use):
    try:
        use()
    except BaseException as error:
        return type(error).__name__
    return "no error"

def in_child(work):
    read, write = os.pipe()
    sys.stdout.flush()            # or the child would print it too
    pid = os.fork()
    if pid:
        os.close(write)
        with os.fdopen(read) as pipe:
            answer = pipe.read()
        assert os.waitpid(pid, 0)[1] == 0
        return answer
    os.dup2(write, 1)
    work()
    sys.exit(0)                   # the ordinary end, with everything that Python does then
"""

USES = """
async def write():
    async with db.transaction():
        pass

def write_now():
    with db.transaction():
        pass

uses = {
    "db.query": lambda: db.query("SELECT 1"),
    "db.transaction": write_now,
    "db.transaction, asynchronous": lambda: asyncio.run(write()),
    "db.cancel": lambda: db.cancel(1),
    "db.get_job": lambda: db.get_job(1),
    "db.update_events": lambda: db.update_events(),
    "db.listen": lambda: db.listen("c"),
    "db.notify": lambda: db.notify("c", 1),
    "db.stream": lambda: db.stream("s").publish(1),
    "db.lock": lambda: db.lock("l").__enter__(),
    "db.try_rate_limit": lambda: db.try_rate_limit("r", 1, 60),
    "queue.enqueue": lambda: queue.enqueue(1),
    "queue.aenqueue": lambda: asyncio.run(queue.aenqueue(1)),
    "queue.claim_one": lambda: queue.claim_one("w"),
    "queue.claim_now": lambda: queue.claim_now("w"),
    "queue.aclaim_batch": lambda: asyncio.run(queue.aclaim_batch("w", 1)),
    "queue.claim": lambda: queue.claim("w"),
    "queue.is_claimable": lambda: queue.is_claimable(),
    "queue.ack": lambda: queue.ack(1, "w"),
    "queue.pause": lambda: queue.pause(),
    "queue.save_result": lambda: queue.save_result(1, 1),
    "queue.get_result": lambda: queue.get_result(1),
    "queue.wait_result": lambda: asyncio.run(queue.wait_result(1, 1)),
    "a new queue": lambda: db.queue("new").enqueue(1),
    "job.ack": lambda: job.ack(),
    "job.aack": lambda: asyncio.run(job.aack()),
    "job.retry": lambda: job.retry(),
    "job.fail": lambda: job.fail(),
    "job.heartbeat": lambda: job.heartbeat(),
    "task": lambda: task(1),
}
inherited = {
    "updates.wait": lambda: updates.wait(0),
    "updates.fileno": lambda: updates.fileno(),
    "next(claims)": lambda: next(claims),
    "next(listener)": lambda: next(listener),
    "next(subscription)": lambda: next(subscription),
    "anext(subscription)": lambda: asyncio.run(anext(subscription)),
    "anext(claims)": lambda: asyncio.run(anext(claims)),
    "a transaction that was made before": lambda: entered.__enter__(),
}
"""


def child_uses(path, *, prelude=""):
    script = (
        FORKING
        + USES
        + prelude
        + "print(in_child(lambda: print(json.dumps({n: outcome(u) for n, u in uses.items()}))))"
    )
    return json.loads(run(script, path)[0])


def lock_holder(file, lock):
    """The process that holds a lock on some bytes of a file, or None. Queried from a process without locks."""
    start, length = lock
    with open(file, "r+b") as handle:
        question = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(handle, fcntl.F_GETLK, question))
    return None if kind == fcntl.F_UNLCK else pid


# --------------------------------------------------------------------------------------------- use of inherited objects


def test_an_inherited_handle_and_everything_made_of_it_opens_the_file_again_by_itself(path):
    outcomes = child_uses(path)
    assert outcomes == dict.fromkeys(outcomes, "no error")
    assert is_sound(path)


def test_each_use_alone_opens_the_file_again(path):
    """The first use finds the file, whichever it is."""
    script = (
        FORKING
        + USES
        + """
print(json.dumps({name: in_child(lambda: print(outcome(use))).strip() for name, use in uses.items()}))
"""
    )
    outcomes = json.loads(run(script, path)[0])
    assert outcomes == dict.fromkeys(outcomes, "no error")


def test_inherited_iterators_subscriptions_and_transactions_refuse(path):
    outcomes = child_uses(path, prelude="uses = inherited\n")
    assert outcomes == dict.fromkeys(outcomes, "ForkError")


def test_children_of_children_open_the_file_again(path):
    script = (
        FORKING
        + """
def work(generations):
    queue.enqueue(["generation", generations])
    if generations > 1:
        print(in_child(lambda: work(generations - 1)).strip())
    print(queue.enqueue(["once more", generations]) > 0)
print(in_child(lambda: work(3)).split())
"""
    )
    assert run(script, path) == ["['True', 'True', 'True']"]
    assert ask(path, "SELECT count(*) FROM _honker_live WHERE payload LIKE '%generation%'") == [(3,)]
    assert ask(path, "SELECT count(*) FROM _honker_live WHERE payload LIKE '%once more%'") == [(3,)]


def test_threads_of_a_child_open_the_file_once(path):
    script = (
        FORKING
        + """
def work():
    barrier = threading.Barrier(8)
    def use():
        barrier.wait()
        queue.enqueue("from a thread")
        engines.add(id(db.engine.current))
    engines = set()
    threads = [threading.Thread(target=use) for _ in range(8)]
    for each in threads: each.start()
    for each in threads: each.join()
    print(len(engines))
print(in_child(work).strip())
"""
    )
    assert run(script, path) == ["1"]
    assert ask(path, "SELECT count(*) FROM _honker_live WHERE payload LIKE '%thread%'") == [(8,)]


@pytest.mark.sqlite_only("the file at the path")
def test_a_child_does_not_open_another_file_that_came_to_the_path(path):
    script = (
        FORKING
        + """
def work():
    for end in ("", "-wal", "-shm"):
        os.rename(path + end, path + ".old" + end)
    honker.connect(path).close()
    print(outcome(lambda: queue.enqueue(1)))
    honker.open(path).close()
print(in_child(work).strip())
"""
    )
    assert run(script, path) == ["DatabaseReplacedError"]


def test_a_handle_that_was_closed_stays_closed_in_a_child(path):
    script = FORKING + "db.close()\nprint(in_child(lambda: print(outcome(lambda: queue.enqueue(1)))).strip())"
    assert run(script, path) == ["DatabaseClosedError"]


@pytest.mark.sqlite_only("SQLite's record of the locks of a process")
def test_a_child_refuses_while_another_thread_of_the_parent_was_opening_the_file(path, tmp_path):
    """The thread does not exist in the child, and nothing records the locks that it was taking."""
    script = (
        FORKING
        + """
import honker.sqlite.connection as module
other = sys.argv[2]
opened, may_go_on = threading.Event(), threading.Event()
configure = module.Connection._configure
def halted(self, *args, **options):
    opened.set()
    assert may_go_on.wait(30)
    configure(self, *args, **options)
module.Connection._configure = halted
thread = threading.Thread(target=lambda: honker.open(other).close())
thread.start()
assert opened.wait(30)
def work():
    module.Connection._configure = configure
    print(outcome(lambda: honker.open(other)), outcome(lambda: queue.enqueue(1)))
print(in_child(work).strip())
may_go_on.set()
thread.join()
print(outcome(lambda: honker.open(other).close()))
"""
    )
    assert run(script, path, tmp_path / "other.db") == ["ForkError no error", "no error"]


def test_an_inherited_transaction_that_is_open_refuses_too(engine, path):
    prelude = """
tx = entered.__enter__()
uses = {
    "tx.execute": lambda: tx.execute("CREATE TABLE t (a)"),
    "tx.query": lambda: tx.query("SELECT 1"),
    "tx.notify": lambda: tx.notify("c", 1),
    "queue.enqueue(tx=tx)": lambda: queue.enqueue(1, tx=tx),
    "job.ack(tx=tx)": lambda: job.ack(tx=tx),
    "db.query": lambda: db.query("SELECT 1"),
    "queue.enqueue": lambda: queue.enqueue(1),
    "the end of its block": lambda: tx.__exit__(None, None, None),
}
"""
    outcomes = child_uses(path, prelude=prelude)
    if engine == "postgres":  # other sessions are not affected by the transaction of the parent
        assert [outcomes.pop(other) for other in ("db.query", "queue.enqueue")] == ["no error"] * 2
    assert outcomes == dict.fromkeys(outcomes, "ForkError")


def test_the_error_says_what_to_do(path):
    script = (
        FORKING
        + """
def use():
    try:
        next(claims)
    except honker.ForkError as error:
        print(error)
print(in_child(use))
"""
    )
    assert "make it again in the child" in run(script, path)[0]


def test_a_child_of_multiprocessing_opens_the_file_again(path):
    script = (
        FORKING
        + """
import multiprocessing
context = multiprocessing.get_context("fork")
answers = context.SimpleQueue()
child = context.Process(target=lambda: answers.put([outcome(lambda: queue.enqueue(1)), outcome(lambda: next(claims))]))
child.start()
child.join()
print(*answers.get(), child.exitcode)
"""
    )
    assert run(script, path) == ["no error ForkError 0"]


# --------------------------------------------------------------------------------------------------- the parent's files


AFTER_A_CHILD = (
    FORKING
    + """
def live():
    global db, queue, job, claims, updates, entered
    before = files()
    claims.close()
    db.close()
    del db, queue, job, claims, updates, entered
    gc.collect()
    print(json.dumps([before, files()]))

print(in_child(live).strip(), flush=True)
sys.stdin.readline()
print(queue.enqueue("after"), flush=True)
print(json.dumps([next(claims).payload for _ in range(3)]), flush=True)
print(job.ack(), flush=True)
sys.stdin.readline()
db.close()
"""
)


@pytest.mark.sqlite_only(
    "descriptors of files; tests/postgres/test_interruptions.py has sessions that a child leaves to its parent"
)
def test_a_child_closes_nothing_that_it_inherited(path):
    with running(AFTER_A_CHILD, path) as parent:
        before, after = json.loads(parent.line())
    assert before
    assert after == before


@pytest.mark.sqlite_only("locks of files")
def test_the_parent_keeps_its_locks_and_goes_on_when_a_child_ends(path):
    with running(AFTER_A_CHILD, path) as parent:
        parent.line()
        assert lock_holder(path, SHARED_LOCK) == parent.process.pid
        assert lock_holder(f"{path}-shm", DEAD_MAN_SWITCH) == parent.process.pid
        parent.say()
        job_id = int(parent.line())
        assert ask(path, "SELECT payload FROM _honker_live WHERE id = ?", job_id) == [('"after"',)]
        assert json.loads(parent.line()) == [2, 3, "after"]
        parent.expect("True")
        parent.say()
        parent.finish()
    assert is_sound(path)
    assert ask(path, "SELECT count(*) FROM _honker_live WHERE state = 'processing'") == [(4,)]


def test_many_children_lose_nothing_of_the_parent(path):
    script = (
        FORKING
        + """
def use():
    queue.enqueue("from a child")
    db.close()
for number in range(12):
    in_child(use)
    queue.enqueue(["after", number])
print("done")
"""
    )
    assert run(script, path) == ["done"]
    assert ask(path, "SELECT count(*) FROM _honker_live WHERE payload LIKE '%child%'") == [(12,)]
    assert ask(path, "SELECT count(*) FROM _honker_live WHERE payload LIKE '%after%'") == [(12,)]
    assert is_sound(path)


def test_a_transaction_of_the_parent_survives_a_child(path):
    script = (
        FORKING
        + """
with db.transaction() as tx:
    queue.enqueue("before the fork", tx=tx)
    in_child(lambda: outcome(lambda: tx.execute("DELETE FROM _honker_live")))
    queue.enqueue("after the fork", tx=tx)
print("committed")
"""
    )
    assert run(script, path) == ["committed"]
    assert ask(path, "SELECT payload FROM _honker_live WHERE id > 4") == [('"before the fork"',), ('"after the fork"',)]


def test_a_child_that_drops_an_inherited_transaction_does_not_end_it(path):
    script = (
        FORKING
        + """
with db.transaction() as tx:
    queue.enqueue("in the parent", tx=tx)
    def drop():
        global tx, entered
        del tx, entered
        gc.collect()
    in_child(drop)
print("committed")
"""
    )
    assert run(script, path) == ["committed"]
    assert ask(path, "SELECT payload FROM _honker_live WHERE id > 4") == [('"in the parent"',)]


@pytest.mark.sqlite_only("the WAL of the file")
def test_a_transaction_that_outgrew_its_cache_survives_a_child(path):
    """The WAL index then has pages of it, in memory shared by the two processes."""
    script = (
        FORKING
        + """
with db.transaction() as tx:
    tx.query("PRAGMA cache_size = 5")
    ids = queue.enqueue_many([["before", "x" * 1000] for _ in range(300)], tx=tx)
    assert os.path.getsize(path + "-wal") > 300_000
    in_child(lambda: None)
    ids += queue.enqueue_many([["after", "x" * 1000] for _ in range(300)], tx=tx)
with db.transaction() as tx:
    print(len(ids), len(tx.query("SELECT id FROM _honker_live WHERE id >= ?", [ids[0]])))
"""
    )
    assert run(script, path) == ["600 600"]
    assert ask(path, "SELECT count(*) FROM _honker_live WHERE payload LIKE '%xxx%'") == [(600,)]
    assert is_sound(path)


# ----------------------------------------------------------------------------------------------------- opening it again

OPEN_AGAIN = (
    FORKING
    + """
def work():
    with honker.open(path) as own:
        print(own.queue("q").enqueue("from the child"))
        print(own.queue("q").claim_one("child").payload)
"""
)


def test_a_child_may_open_the_database_again(path):
    script = (
        OPEN_AGAIN
        + """
print(in_child(work).split(), flush=True)
print(next(claims).payload, next(claims).payload)
"""
    )
    lines = run(script, path)
    assert lines == ["['5', '2']", "3 from the child"]
    assert is_sound(path)


def test_a_child_may_open_the_database_again_at_whatever_moment_it_was_forked(path):
    """Right after a commit the watcher works in a separate thread, which the child does not inherit."""
    script = (
        FORKING
        + """
def work():
    with honker.open(path) as own:
        own.queue("q").enqueue("from a child")
for number in range(20):
    queue.enqueue("from the parent")
    print(in_child(lambda: print(outcome(work))).strip())
"""
    )
    assert run(script, path) == ["no error"] * 20
    assert ask(path, "SELECT count(*) FROM _honker_live") == [(44,)]


OUTLIVED_BY_ITS_CHILD = (
    FORKING
    + """
to_child, to_parent = os.pipe(), os.pipe()
if os.fork() == 0:
    own = honker.open(path)
    own.queue("q").enqueue("first")
    os.write(to_parent[1], b"x")
    os.read(to_child[0], 1)
    own.queue("q").enqueue("second")
    own.queue("q").enqueue("third")
    own.close()
    print("acknowledged", flush=True)
    os._exit(0)
os.close(to_parent[1])            # so that the end of the child ends the wait for it
os.read(to_parent[0], 1)
claims.close()
db.close()
os.write(to_child[1], b"x")
os.wait()
"""
)


def test_a_child_that_opened_the_database_again_loses_nothing_when_the_parent_closes(path):
    """The parent must see the locks of the child; otherwise it closes as the last connection and deletes the -wal."""
    assert run(OUTLIVED_BY_ITS_CHILD, path) == ["acknowledged"]
    assert ask(path, "SELECT payload FROM _honker_live WHERE id > 4") == [('"first"',), ('"second"',), ('"third"',)]
    assert is_sound(path)


@pytest.mark.sqlite_only("SQLite's record of the locks of a process")
def test_a_child_may_not_open_a_database_again_that_the_parent_was_writing_at_the_fork(path):
    """SQLite's memory in the child permanently records a writer, and the child cannot correct it."""
    script = (
        FORKING
        + """
has_forked = os.pipe()
with db.transaction() as tx:
    queue.enqueue("from the parent", tx=tx)
    if os.fork() == 0:
        os.read(has_forked[0], 1)
        try:
            honker.open(path)
        except honker.ForkError as error:
            print(error, flush=True)
        os._exit(0)
os.write(has_forked[1], b"x")
os.wait()
"""
    )
    (message,) = run(script, path)
    assert message.startswith(f"{str(path)!r} was in use by process")
    assert message.endswith("or close it; or start the child with 'spawn'")
    assert ask(path, "SELECT payload FROM _honker_live WHERE id > 4") == [('"from the parent"',)]
