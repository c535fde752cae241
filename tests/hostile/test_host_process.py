"""The host process behaves as processes do: it opens and closes the same file itself, forks, and dies.

SQLite's locks belong to the process (https://sqlite.org/howtocorrupt.html, section 2.2). If the host opens and closes
the file through the shared SQLite, no lock may be lost. Another process checks every acknowledged row.
"""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import honker
import pytest

from ..support.locking import ask, write_lock_elsewhere
from ..support.processes import run, running
from ..support.waiting import wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# ---------------------------------------------------------------------------------------- connections of the host's own

HOST = """
import json, os, sqlite3, sys, threading
import sqlalchemy
import honker

path = sys.argv[1]
db = honker.open(path)
queue, stream = db.queue("q"), db.stream("t")
acknowledged = {"jobs": [], "events": [], "own": [], "done": []}
heard = 0
stop = threading.Event()
problems = []

with sqlite3.connect(path) as conn:
    conn.execute("CREATE TABLE own (id INTEGER PRIMARY KEY)")
conn.close()

def forever(work):
    def run():
        try:
            while not stop.is_set():
                work()
        except BaseException as error:
            problems.append(repr(error))
            stop.set()
    return threading.Thread(target=run)

def produce():
    acknowledged["jobs"].append(queue.enqueue(1))
    acknowledged["events"].append(stream.publish(1))

def work():
    job = queue.claim_one("w")
    if job is not None and job.id % 2 and job.ack():
        acknowledged["done"].append(job.id)

def open_and_close():
    conn = sqlite3.connect(path, timeout=30)
    with conn:
        row = conn.execute("INSERT INTO own DEFAULT VALUES RETURNING id").fetchall()[0][0]
    conn.close()
    acknowledged["own"].append(row)

def open_and_close_a_pool():
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
    with engine.begin() as conn:
        row = conn.execute(sqlalchemy.text("INSERT INTO own DEFAULT VALUES RETURNING id")).scalar_one()
    engine.dispose()
    acknowledged["own"].append(row)

def listen():
    global heard
    with db.listen("c") as listener:
        db.notify("c", 1)
        next(listener)
        heard += 1

print("ready", flush=True)
threads = [forever(each) for each in (produce, work, open_and_close, open_and_close_a_pool, listen)]
for thread in threads:
    thread.start()
inodes = lambda: [os.stat(path + suffix).st_ino for suffix in ("", "-wal", "-shm")]
before = inodes()
sys.stdin.readline()
stop.set()
for thread in threads:
    thread.join()
told = {"problems": problems, "kept": inodes() == before, "heard": heard, "rows": acknowledged}
print(json.dumps(told), flush=True)
sys.stdin.readline()
db.close()
"""

PASSER_BY = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM own').fetchall()"

ROWS = {
    "jobs": "SELECT id FROM _honker_live",
    "events": "SELECT offset FROM _honker_stream",
    "own": "SELECT id FROM own",
}


def live(path, torture):
    """Run the host for a while, next to another process that comes and goes. Returns the lost acknowledged rows."""
    with running(HOST, path) as host:
        host.expect("ready")
        for _ in torture.rounds(at_least=3):
            # The last connection to close deletes the WAL.
            run(
                "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version').fetchone())",
                path,
            )
        host.say()
        told = json.loads(host.line())
        assert told["problems"] == []
        assert told["heard"] > 0
        seen = {what: {row for (row,) in ask(path, sql)} for what, sql in ROWS.items()}
        host.say()
        host.finish()
    rows = told["rows"]
    lost = {what: sorted(set(rows[what]) - seen[what]) for what in ("events", "own")}
    lost["jobs"] = sorted(set(rows["jobs"]) - seen["jobs"] - set(rows["done"]))
    lost["acks"] = sorted(set(rows["done"]) & seen["jobs"])
    torture.count("rows acknowledged", sum(map(len, rows.values())))
    return lost, told["kept"]


@linux
@pytest.mark.torture(short_s=2, share=2)
def test_connections_that_the_host_opens_and_closes_lose_nothing(path, torture):
    lost, kept = live(path, torture)
    assert lost == {"events": [], "own": [], "jobs": [], "acks": []}
    assert kept, "somebody deleted the WAL under us"
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_listener_can_be_made_while_a_thread_waits_for_the_write_lock(path):
    """The listener ran a statement on the waiting connection, while it held the interpreter's lock.

    The thread with the write lock could then not release it, and the waiting one got "busy".
    """
    with honker.open(path) as db, ThreadPoolExecutor(1) as threads, write_lock_elsewhere(path) as release:
        waiting = threads.submit(db.queue("q").enqueue, 1)
        wait_until(lambda: db.engine.current._writer._is_running)
        with db.listen("c"):
            assert not waiting.done()
        release()
        assert waiting.result(30) == 1


# ------------------------------------------------------------------------------------------------------------ processes


def enqueue_from_child(path, count):
    with honker.open(path) as db:
        for number in range(count):
            db.queue("q").enqueue(number)


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # since Python 3.12, in processes with threads
def test_children_of_multiprocessing_enqueue_while_the_parent_listens(path, method):
    context = multiprocessing.get_context(method)
    with honker.open(path) as db, db.listen("c") as listener:
        children = [context.Process(target=enqueue_from_child, args=(str(path), 50)) for _ in range(3)]
        for child in children:
            child.start()
        own = [db.queue("q").enqueue(-1) for _ in range(50)]
        for child in children:
            child.join(45)
            assert child.exitcode == 0
        db.notify("c", "still here")
        assert next(listener).payload == "still here"
    ids = {row for (row,) in ask(path, "SELECT id FROM _honker_live")}
    assert len(ids) == 200
    assert set(own) <= ids


GUNICORN = """
import os, sys, threading
import honker

path = os.environ["APP_DB"]
db = honker.open(path)                  # before the fork: gunicorn preloads
queue = db.queue("q")
queue.enqueue("preloaded")
listener = db.listen("c")
lock = threading.Lock()
own = None

def app(environ, start_response):
    global own
    if environ["PATH_INFO"] == "/inherited":
        answer = str(queue.enqueue("by an inherited handle"))
    else:
        with lock:
            own = own or honker.open(path)
        answer = str(own.queue("q").enqueue("served"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]
"""


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def is_up(url):
    try:
        get(url)
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


@linux
def test_workers_of_gunicorn_with_preload_serve_and_lose_nothing(path, tmp_path):
    pytest.importorskip("gunicorn")
    (tmp_path / "app_under_gunicorn.py").write_text(GUNICORN)
    url = f"http://127.0.0.1:{free_port()}"
    options = [
        "--preload",
        "--workers",
        "3",
        "--bind",
        url.removeprefix("http://"),
        "--chdir",
        tmp_path,
        "--log-level=error",
    ]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "app_under_gunicorn:app", *options],
        env={**os.environ, "APP_DB": str(path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: server.poll() is not None or is_up(f"{url}/inherited"), timeout_s=30)
        served = [int(get(url)) for _ in range(30)]
        served += [int(get(f"{url}/inherited")) for _ in range(12)]
        os.kill(server.pid, signal.SIGHUP)  # new workers, forked again from the preloaded process
        served += [int(get(f"{url}{part}")) for _ in range(15) for part in ("", "/inherited")]
    finally:
        server.terminate()
        noise = server.communicate(timeout=30)[1]
    assert server.returncode == 0
    assert noise == ""
    jobs = ask(path, "SELECT id, payload FROM _honker_live")
    assert len(set(served)) == 72
    assert set(served) <= {row for row, _ in jobs}
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


# ----------------------------------------------------------------------------------------------------------------- ends

BEGIN = """
import asyncio, atexit, os, signal, sys, threading
import honker

path = sys.argv[1]
db = honker.open(path)
queue = db.queue("q")
print(queue.enqueue("acknowledged"), flush=True)
started = threading.Event()
"""

ENDS = {
    "open handle": "",
    "open iterators": """
listener, events, claims = db.listen("c"), db.stream("t").subscribe("s"), queue.claim("w")
db.stream("t").publish(1); next(events); next(claims); db.notify("c", 1); next(listener)
""",
    "iterators in a module's globals and in a cycle": """
class Node: pass
node = Node(); node.self = node; node.listener = db.listen("c"); node.claims = queue.claim("w")
sys.modules["elsewhere"] = node
""",
    "daemon thread that waits in a listener": """
def wait():
    listener = db.listen("c")
    started.set()
    for _ in listener: pass
threading.Thread(target=wait, daemon=True).start(); started.wait()
""",
    "daemon thread that waits for a job": """
def wait():
    claims = db.queue("empty").claim("w")
    started.set()
    for _ in claims: pass
threading.Thread(target=wait, daemon=True).start(); started.wait()
""",
    "daemon thread that writes": """
def write():
    while True:
        db.queue("noise").enqueue(1); started.set()
threading.Thread(target=write, daemon=True).start(); started.wait()
""",
    "daemon thread that ends in the middle of a transaction": """
def write():
    with db.transaction() as tx:
        db.queue("noise").enqueue("never committed", tx=tx)
        started.set()
        threading.Event().wait()
threading.Thread(target=write, daemon=True).start(); started.wait()
""",
    "open transaction": """
tx = db.transaction(); tx.__enter__()
db.queue("noise").enqueue("never committed", tx=tx)
""",
    "exception in a transaction": """
try:
    with db.transaction() as tx:
        db.queue("noise").enqueue("never committed", tx=tx)
        sys.exit(0)
finally:
    pass
""",
    "daemon thread with a running worker": """
@db.task("work")
def handler():
    started.set()
    threading.Event().wait(0.5)  # Python waits for threads of executors, so a handler has to end
handler()
threading.Thread(target=lambda: asyncio.run(db.run_workers("work", 2)), daemon=True).start(); started.wait()
""",
    "lock held and atexit that enqueues": """
lock = db.lock("l"); lock.__enter__()
atexit.register(lambda: db.queue("noise").enqueue("at exit"))
""",
    "closed at exit": """
listener = db.listen("c")
atexit.register(db.close)
""",
    "thread that died of an error": """
def die():
    claims = queue.claim("w"); next(claims)
    raise SystemExit
thread = threading.Thread(target=die); thread.start(); thread.join()
""",
    "os._exit": "db.listen('c')\nos._exit(0)",
    "signal": """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
db.listen("c")
os.kill(os.getpid(), signal.SIGTERM)
""",
}


WRITES_AT_EXIT = {
    "call": """
async def write():
    await queue.aenqueue("at exit")
""",
    "transaction": """
async def write():
    async with db.transaction() as tx:
        await queue.aenqueue("at exit", tx=tx)
""",
}


@pytest.mark.parametrize("write", WRITES_AT_EXIT)
@pytest.mark.parametrize("synchronous", ["NORMAL", "FULL"])
def test_a_coroutine_that_atexit_runs_writes(path, write, synchronous):
    begin = BEGIN.replace("honker.open(path)", f"honker.open(path, synchronous={synchronous!r})")
    program = begin + WRITES_AT_EXIT[write] + "atexit.register(lambda: asyncio.run(write()))"
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, path],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [job for (job,) in ask(path, "SELECT payload FROM _honker_live ORDER BY id")] == [
        '"acknowledged"',
        '"at exit"',
    ]


@pytest.mark.parametrize("end", ENDS)
def test_a_process_that_ends_in_the_middle_loses_nothing_and_makes_no_noise(path, end):
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", BEGIN + ENDS[end], path],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    jobs = dict(ask(path, "SELECT id, payload FROM _honker_live"))
    assert jobs[int(ended.stdout)] == '"acknowledged"'
    assert '"never committed"' not in jobs.values()
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
