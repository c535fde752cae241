"""Lists of jobs in files of a million jobs, whose shapes make each filter look far.

    python bench/inspection.py [--quick | --full]

Each shape is a file of its own: one queue dense with jobs; old jobs of a queue behind those of others; a rare queue
spread over the file; every state; a thousand queues. A figure is the time of one call, for the first page or a later
one; the target is judged by the longest of the medians. `calls` counts the calls that fill a page: more than one if a
call ended at its bound. The pages are compared with a list that SQLite filters.
"""

import contextlib
import json
import sqlite3
import statistics
import sys
import time

import honker
from support import program, rounds
from support.checks import check

ROUNDS = {program.QUICK: 1, program.STANDARD: 5, program.FULL: 15}
LIMIT, A_MILLION = 50, 1_000_000

NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"
CALL = """json_object('__honker_task__', json_object(
  'task', 'shop.task_' || (n % 4), 'args', json_array(n), 'kwargs', json_object('note', 'number ' || n)))"""
LIVE = f"""INSERT INTO _honker_live (id, queue, payload, state, run_at, worker_id, claim_expires_at)
{NUMBERS} SELECT n, {{queue}}, {CALL}, {{state}}, {{run_at}}, 'w', unixepoch() + 86400 FROM numbers WHERE {{where}}"""
DEAD = f"""INSERT INTO _honker_dead (id, queue, payload, last_error)
{NUMBERS} SELECT n, {{queue}}, {CALL}, 'ValueError: ' || n FROM numbers WHERE {{where}}"""
FINISHED = f"""INSERT INTO _honker_finished
  (id, queue, payload, state, priority, attempts, max_attempts, created_at, finished_at, expires_at)
{NUMBERS} SELECT n, {{queue}}, {CALL}, {{state}}, 0, 1, 3, unixepoch(), unixepoch(), unixepoch() + 86400
FROM numbers WHERE {{where}}"""
READY, DELAYED = "unixepoch() - 1 - n % 3600", "unixepoch() + 3600 + n % 3600"


def live(queue="'q'", state="'pending'", run_at=READY, where="1"):
    return LIVE.format(queue=queue, state=state, run_at=run_at, where=where)


def dead(queue="'q'", where="1"):
    return DEAD.format(queue=queue, where=where)


def finished(queue="'q'", state="'done'", where="1"):
    return FINISHED.format(queue=queue, state=state, where=where)


OLD_READY = f"iif(n <= 0.5 * :count, {READY}, {DELAYED})"
#: By name, the statements that fill the file, and the filters of its lists.
SHAPES = {
    "one dense queue": ([live()], [{"queue": "q"}, {"state": "ready"}, {"state": "delayed"}, {"task": "shop.task_1"}]),
    "half of the jobs, the oldest": (
        [live("iif(n <= 0.5 * :count, 'old', 'new')", run_at=OLD_READY)],
        [{"queue": "old"}, {"state": "ready"}, {"state": "delayed"}, {"queue": "old", "state": "ready"}],
    ),
    "a tenth of the jobs, the oldest": (
        [live("iif(n <= 0.1 * :count, 'old', 'new')")],
        [{"queue": "old"}, {"queue": "old", "state": "ready"}, {"queue": "old", "state": "running"}],
    ),
    "a rare queue, spread": (
        [live("iif(n % 1000 = 0, 'rare', 'q')")],
        [{"queue": "rare"}, {"queue": "rare", "state": "ready"}, {"queue": "rare", "task": "shop.task_0"}],
    ),
    "every state": (
        [
            live(where="n <= 0.3 * :count"),
            live(state="'processing'", where="n > 0.3 * :count AND n <= 0.31 * :count"),
            live(run_at=DELAYED, where="n > 0.31 * :count AND n <= 0.5 * :count"),
            dead("iif(n < 0.6 * :count, 'old', 'q')", "n > 0.5 * :count AND n <= 0.8 * :count"),
            finished("iif(n % 2, 'kept', 'q')", "iif(n % 1000, 'done', 'cancelled')", "n > 0.8 * :count"),
        ],
        [
            *({"state": name} for name in ("ready", "delayed", "running", "blocked", "dead", "done", "cancelled")),
            *({"queue": name} for name in ("q", "old", "kept")),
            {"queue": "old", "state": "dead"},
            {"queue": "kept", "state": "cancelled"},
        ],
    ),
    "a thousand queues": (
        [live("'queue-' || (n % 1000)", run_at=f"iif(n <= 0.2 * :count, {READY}, {DELAYED})")],
        [{"queue": "queue-7"}, {"state": "ready"}, {"state": "delayed"}, {"queue": "queue-7", "state": "ready"}],
    ),
}
#: Filters that no index knows: their lists are bounded, and seldom full.
SEARCHES = [{"task": "shop.nothing"}, {"args": "nothing"}, {"args": {"0": -1}}, {"error": "nothing"}]


def measure(run):
    count = run.size(20_000, A_MILLION)
    slowest, calls = {}, {}
    for shape in SHAPES:
        slowest[shape], calls[shape] = measure_shape(run, shape, count)
    run.extra.update(listings_ms=slowest, calls=calls)
    most, shape, name = max((ms, shape, name) for shape, by in slowest.items() for name, ms in by.items())
    repeated = sum(number > 1 for by in calls.values() for number in by.values())
    lists = sum(map(len, calls.values()))
    note = f"{name} with {shape}; {repeated} of {lists} lists with an index need a second call"
    run.judge("inspection", most, note, is_full_scale=count >= A_MILLION)


def measure_shape(run, shape, count):
    """The median milliseconds of a call by list, and the calls that fill a page by list with an index."""
    statements, filters = SHAPES[shape]
    with run.new_folder() as folder, honker.open(folder / "inspection.db") as db:
        build(folder / "inspection.db", statements, count)
        middle = str(count // 2)
        lists = {json.dumps(each): (each, None) for each in [{}, *filters, *SEARCHES]}
        lists |= {f"{json.dumps(each)} after {middle}": (each, middle) for each in [{}, *filters]}
        for each in filters:
            check_page(folder / "inspection.db", db, each)
        figures = rounds.interleave(run, {name: one_call(db, *each) for name, each in lists.items()})
        calls = {json.dumps(each): len(page_of(db, each)) for each in filters}
    run.measure(f"inspection {shape}", f"{shape}: ms for a call", figures, "ms", ours="{}")
    return {name: statistics.median(each) for name, each in figures.items()}, calls


def build(path, statements, count):
    """Write rows as the engine stores them, which takes seconds instead of minutes."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as conn:
        conn.execute("PRAGMA synchronous = OFF")
        for statement in statements:
            conn.execute(statement, {"count": count})
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def one_call(db, conditions, after):
    def milliseconds():
        began = time.perf_counter()
        db.jobs(**conditions, after=after, limit=LIMIT)
        return (time.perf_counter() - began) * 1000

    return milliseconds


def page_of(db, conditions):
    """The answers of the calls that fill a page."""
    pages = [db.jobs(**conditions, limit=LIMIT)]
    while pages[-1].next is not None and sum(len(each.jobs) for each in pages) < LIMIT:
        left = LIMIT - sum(len(each.jobs) for each in pages)
        pages.append(db.jobs(**conditions, after=pages[-1].next, limit=left))
    return pages


WHERE = {
    "queue": "queue = :queue",
    "task": "payload ->> '$.__honker_task__.task' = :task",
    "state": """:state = CASE state WHEN 'pending' THEN iif(run_at > unixepoch(), 'delayed', 'ready')
      WHEN 'processing' THEN 'running' ELSE state END""",
}
ALL = """SELECT id, queue, payload, state, run_at FROM _honker_live
UNION ALL SELECT id, queue, payload, 'dead', NULL FROM _honker_dead
UNION ALL SELECT id, queue, payload, state, NULL FROM _honker_finished"""


def check_page(path, db, conditions):
    where = " AND ".join(WHERE[name] for name in conditions)
    with contextlib.closing(sqlite3.connect(path)) as conn:
        sql = f"SELECT id FROM ({ALL}) WHERE {where} ORDER BY id DESC LIMIT {LIMIT}"
        expected = [job_id for (job_id,) in conn.execute(sql, conditions)]
    found = [job.id for page in page_of(db, conditions) for job in page.jobs]
    check(found, expected, f"the page of {conditions}")


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, rounds=ROUNDS))
