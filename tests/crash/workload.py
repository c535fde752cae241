"""A mixed workload in steps, each one transaction, with the contents of the database after each.

Steps are SQL without parameters that look up the rows they settle, so another process can continue a workload after any
step. Job ids, priorities and due times come from the seed, never from the clock: two runs of one workload leave the
same rows, except for instants.
"""

import json
import random
import shutil
import sqlite3
from dataclasses import dataclass

from ..sql.clock import INSTANTS
from ..sql.database import rows, value
from ..sql.loading import ROOT

REFERENCE = ROOT / "tests" / "fixtures" / "reference-0.5.1.db"


@dataclass(frozen=True)
class Step:
    """A unit of acknowledgement. Several statements form one transaction of the application."""

    name: str
    statements: tuple

    def run(self, conn):
        if len(self.statements) == 1:
            conn.execute(self.statements[0]).fetchall()
            return
        conn.execute("BEGIN IMMEDIATE")
        try:
            for statement in self.statements:
                conn.execute(statement).fetchall()
            conn.execute("COMMIT")
        except sqlite3.Error:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            raise


@dataclass(frozen=True)
class Workload:
    """Steps, and the file they begin with: none, or one of the reference to upgrade."""

    steps: list
    starts_with_reference: bool

    def lay(self, path):
        """Make the file for the start of the workload."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        if self.starts_with_reference:
            shutil.copyfile(REFERENCE, path)


HELD = (
    "(SELECT id, worker_id, attempts FROM _honker_live WHERE queue = 'q' AND state = 'processing' ORDER BY id LIMIT {})"
)
# So long that nothing expires while a test returns to a file again and again.
LEASE_S = 10_000_000
ONE_HELD = HELD.format(1)
ALL_HELD = "(SELECT json_group_array(id) FROM " + HELD.format(9) + ")"

APPLICATION = (
    "CREATE TABLE shop (id INTEGER PRIMARY KEY, note)",
    "CREATE TABLE effects (job_id INTEGER PRIMARY KEY)",
    "CREATE TABLE requests (n INTEGER)",
    """CREATE TRIGGER request_is_a_job AFTER INSERT ON requests BEGIN
         SELECT honker_enqueue('q', json_object('n', NEW.n), 1000, NULL, 0, 2, NULL);
         SELECT honker_stream_publish('requests', NULL, CAST(NEW.n AS TEXT));
       END""",
)
SCHEDULES = (
    "SELECT honker_scheduler_register('beat', 'ticks', '@every 60s', '{}', 0, NULL)",
    "SELECT honker_scheduler_register('daily', 'q', '0 3 29 2 *', '{}', 2, 60)",
    "SELECT honker_scheduler_pause('nightly')",  # the reference's own, which may be due by now
)

# The clock decides when retried and released jobs are due. This makes their order depend on their ids alone.
# A report that was met long ago is one whose leases the next report moves.
UNCLOCK = (
    "UPDATE _honker_live SET run_at = 1000 + id WHERE run_at BETWEEN 1000000 AND unixepoch() + 60",
    "UPDATE _honker_workers SET ahead_met_at = unixepoch() - 100 WHERE ahead_met_at IS NOT NULL",
)
# A dead worker's reports and leases are dated by a clock that was ahead by this.
AHEAD_S = 10 * LEASE_S
REPORT = json.dumps(
    {"name": "living", "started_at": 5, "host": "h", "pid": 7, "version": "1", "slots": 1, "busy": 0}
    | {"queues": ["q"], "worker_ids": ["x"], "running": []}
)
DEAD_REPORT = REPORT.replace("living", "dead").replace('"x"', '"w"')
TOUCHES_THE_CLOCK = {
    "retry",
    "release",
    "work",
    "worker dies",
    "tick",
    "tick after the clock has returned",
    "report",
    "report after the clock was set back",
}


READ = "honker_stream_read_since('t', honker_stream_get_offset('c', 't'), 1)"


def _enqueue(n, *, run_at="1000", priority=0, max_attempts=3, expires="NULL"):
    return f"SELECT honker_enqueue('q', '{{\"n\":{n}}}', {run_at}, NULL, {priority}, {max_attempts}, {expires})"


def _settle(what, count):
    settlement = f"json_object('id', id, 'attempt', attempts, 'do', '{what}', 'delay_s', 0, 'error', 'e')"
    return f"(SELECT json_group_array({settlement}) FROM {HELD.format(count)})"


def _kinds(n, rng):
    """Every kind of step, by name; `n` is the number of the step."""
    priority, attempts = rng.randrange(3), rng.randrange(1, 4)
    job = _enqueue(n, priority=priority, max_attempts=attempts)
    return {
        "enqueue": (job,),
        "enqueue with its order": (f"INSERT INTO shop (note) VALUES ('{n}')", job, f"SELECT notify('orders', '{n}')"),
        "enqueue by a trigger": (f"INSERT INTO requests VALUES ({n})",),
        "enqueue by triggers": (f"INSERT INTO requests VALUES ({n}), ({n}), ({n})",),
        "enqueue for later": (_enqueue(n, run_at="unixepoch() + 100000"),),
        "enqueue what is late": (_enqueue(n, expires="-1"),),
        "claim": (f"SELECT honker_claim_batch('q', 'w', 1, {LEASE_S})",),
        "claim three": (f"SELECT honker_claim_batch('q', 'w', 3, {LEASE_S})",),
        "ack": (f"SELECT honker_ack(id, worker_id, attempts) FROM {ONE_HELD}",),
        "ack all": (f"SELECT honker_ack_batch({ALL_HELD}, 'w')",),
        "ack with its effect": (
            f"INSERT OR IGNORE INTO effects SELECT id FROM {ONE_HELD}",
            f"SELECT honker_result_save(id, 'done', {LEASE_S}) FROM {ONE_HELD}",
            f"SELECT honker_ack(id, worker_id, attempts) FROM {ONE_HELD}",
        ),
        "retry": (f"SELECT honker_retry(id, worker_id, 0, 'again', attempts) FROM {ONE_HELD}",),
        "fail": (f"SELECT honker_fail(id, worker_id, 'broken', attempts) FROM {ONE_HELD}",),
        "heartbeat": (f"SELECT honker_heartbeat(id, worker_id, {LEASE_S}, attempts) FROM {ONE_HELD}",),
        "heartbeat all": (
            f"SELECT honker_heartbeat_batch((SELECT json_group_array(json_array(id, attempts)) FROM {HELD.format(9)}), "
            f"'w', {LEASE_S})",
        ),
        "release": (f"SELECT honker_release(id, worker_id, attempts) FROM {ONE_HELD}",),
        "cancel": ("SELECT honker_cancel((SELECT coalesce(max(id), 0) FROM _honker_live WHERE queue = 'q'), 'q')",),
        "work": (f"SELECT honker_work('q', 'w', 2, {LEASE_S}, {_settle(rng.choice(['ack', 'retry', 'fail']), 2)})",),
        "worker dies": ("UPDATE _honker_live SET claim_expires_at = 1000 WHERE state = 'processing'",),
        "sweep": ("SELECT honker_sweep_expired('q')",),
        "pause": ("SELECT honker_queue_pause('q2')",),
        "resume": ("SELECT honker_queue_resume('q2')",),
        "publish": (f"SELECT honker_stream_publish('t', 'k', '{n}')",),
        "publish with its order": (
            f"INSERT INTO shop (note) VALUES ('{n}')",
            f"SELECT honker_stream_publish('t', NULL, '{n}')",
        ),
        "publish many": (f"SELECT honker_stream_publish_many('t', '[[null,{n}],[\"k\",{n}],[null,\"z\"]]')",),
        "consume": (
            f"INSERT INTO shop (note) SELECT json_extract({READ}, '$[0].payload')",
            "SELECT honker_stream_save_offset('c', 't', honker_stream_get_offset('c', 't') + 1)",
        ),
        "save offset": (f"SELECT honker_stream_save_offset('d', 't', {n})",),
        "notify": (f"SELECT notify('n', '{n}')",),
        "prune notifications": ("SELECT honker_notification_prune(NULL, 5)",),
        "tick": ("SELECT honker_scheduler_tick(honker_scheduler_soonest() + 130)",),
        "tick after the clock was set back": (
            "UPDATE _honker_scheduler_tasks SET next_fire_at = unixepoch() + 7200 WHERE name = 'beat'",
            "SELECT honker_scheduler_tick(unixepoch())",
        ),
        "tick after the clock has returned": (
            "SELECT honker_scheduler_tick((SELECT coalesce(max(fired_before), 1000) FROM _honker_scheduler_tasks))",
        ),
        "update schedule": (f"SELECT honker_scheduler_update('daily', '0 4 29 2 *', '{n}', 5, NULL, 1)",),
        "pause schedule": ("SELECT honker_scheduler_pause('daily')",),
        "resume schedule": ("SELECT honker_scheduler_resume('daily')",),
        "lock": (f"SELECT honker_lock_acquire('l', 'owner {n % 2}', {LEASE_S})",),
        "unlock": (f"SELECT honker_lock_release('l', 'owner {n % 2}')",),
        "limit rate": ("SELECT honker_rate_limit_try('r', 3, 1000000000)",),
        "report": (f"SELECT honker_worker_report('{REPORT}')",),
        "worker dies under a clock that is ahead": (
            f"SELECT honker_worker_report('{DEAD_REPORT}')",
            f"UPDATE _honker_workers SET seen_at = unixepoch() + {AHEAD_S}, ahead_met_at = NULL WHERE name = 'dead'",
            f"UPDATE _honker_live SET claim_expires_at = unixepoch() + {AHEAD_S + LEASE_S} WHERE state = 'processing'",
        ),
        "report after the clock was set back": (f"SELECT honker_worker_report('{REPORT}')",),
        "leave": ("SELECT honker_worker_leave('living')",),
        "save result": (f"SELECT honker_result_save({n}, '{n}', {LEASE_S})",),
        "sweep results": ("SELECT honker_result_sweep()",),
    }


# Steps that a kind needs before it.
CLAIMED = ("enqueue with its order", "enqueue", "claim three")
NEEDS = {
    "claim three": ("enqueue", "enqueue"),
    "ack": CLAIMED,
    "ack all": CLAIMED,
    "ack with its effect": CLAIMED,
    "retry": CLAIMED,
    "fail": CLAIMED,
    "heartbeat": CLAIMED,
    "heartbeat all": CLAIMED,
    "release": CLAIMED,
    "work": CLAIMED,
    "worker dies": CLAIMED,
    "cancel": ("enqueue",),
    "sweep": ("enqueue what is late",),
    "consume": ("publish",),
    "report": (*CLAIMED, "worker dies under a clock that is ahead"),
    "report after the clock was set back": (*CLAIMED, "worker dies under a clock that is ahead", "report"),
    "tick after the clock has returned": ("tick after the clock was set back",),
}
# Steps that reveal the effect of a kind.
SHOWN_BY = {"worker dies": "claim three", "enqueue what is late": "claim", "lock": "lock", "limit rate": "limit rate"}


def _with_needs(names, rng):
    """The names, most of them with their required steps before and their revealing steps after."""
    for name in names:
        if rng.random() < 0.8:
            yield from NEEDS.get(name, ())
        yield name
        if name in SHOWN_BY and rng.random() < 0.8:
            yield SHOWN_BY[name]


def make(seed, length, *, starts_with_reference=False):
    """Make a workload of `length` steps and their required ones. With 46 or more, every kind occurs at least once."""
    rng = random.Random(seed)
    names = list(_kinds(0, random.Random(0)))
    rng.shuffle(names)
    names = (names + rng.choices(names, k=length))[:length]
    steps = [
        Step("bootstrap", ("SELECT honker_bootstrap()",)),
        Step("application", APPLICATION),
        Step("schedules", SCHEDULES),
        *(Step("enqueue", (_enqueue(n, max_attempts=2),)) for n in range(3)),
    ]
    for number, name in enumerate(_with_needs(names, rng)):
        steps.append(Step(name, _kinds(number, rng)[name]))
        if name in TOUCHES_THE_CLOCK:
            steps.append(Step("unclock", UNCLOCK))
    return Workload(steps, starts_with_reference)


# Columns whose values depend on the time, beside the instants.
OF_THE_TIME = {"_honker_queues": ("next_start_ms",), "_honker_keys": ("next_start_ms",)}
# Expressions that are compared, too: true for leases and reports that are dated by a clock that is ahead.
IS_AHEAD = {
    "_honker_live": (f"claim_expires_at > unixepoch() + {AHEAD_S // 2}",),
    "_honker_workers": (f"seen_at > unixepoch() + {AHEAD_S // 2}",),
}


def contents(conn):
    """Everything in the database; for instants only if one is set, and `IS_AHEAD`."""
    found = {"sqlite_master": rows(conn, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")}
    for (table,) in rows(conn, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
        instants = (*INSTANTS.get(table, ()), *OF_THE_TIME.get(table, ()))
        columns = [name for (name,) in rows(conn, "SELECT name FROM pragma_table_info(?)", table)]
        shown = [f'"{name}" IS NULL' if name in instants else f'"{name}"' for name in columns]
        shown = ", ".join((*shown, *IS_AHEAD.get(table, ())))
        found[table] = sorted(rows(conn, f'SELECT {shown} FROM "{table}"'), key=repr)
    return found


def history(conn, workload):
    """Run the workload. Returns the contents before the first step and after each."""
    states = [contents(conn)]
    for step in workload.steps:
        step.run(conn)
        states.append(contents(conn))
    return states


def difference(found, expected):
    """The readable difference between two contents."""
    tables = sorted(found.keys() | expected.keys())
    return "\n".join(
        f"{table}:\n  only found: {_beyond(found, expected, table)}\n  missing: {_beyond(expected, found, table)}"
        for table in tables
        if found.get(table) != expected.get(table)
    )


def _beyond(these, those, table):
    return [row for row in these.get(table, []) if row not in those.get(table, [])]


def check_integrity(conn):
    assert value(conn, "PRAGMA integrity_check") == "ok"
    assert rows(conn, "PRAGMA foreign_key_check") == []
