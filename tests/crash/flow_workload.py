"""A workload of flow control in steps, as `workload` makes one of everything else.

Four queues: `keyed` with limits of the queue and of each key, `ordered`, `slow` with rates that allow one start, and
`free` with unique jobs and workflows. Each step chooses one of them, and settles the jobs that it finds there.
"""

import json
import random

from ..sql.database import call_json, value
from . import workload
from .workload import LEASE_S, UNCLOCK, Step, Workload

SETTINGS = {
    "keyed": {"concurrency": 4, "concurrency_per_key": 1},
    "ordered": {"ordered": True, "on_dead": "block"},
    "slow": {"rate": [2, LEASE_S], "rate_per_key": [1, LEASE_S]},
    "free": {"keep_finished_s": LEASE_S},
}
# Settings that a step changes to and fro. Looser rules of keys promote their jobs in the same call.
OTHER_SETTINGS = {
    "keyed": {"concurrency": 1, "concurrency_per_key": 3},
    "ordered": {"ordered": True, "concurrency": 3, "on_dead": "continue"},
    "slow": {"rate": None, "rate_per_key": None},
    "free": {"keep_finished_s": None},
}
QUEUES = ("keyed", "keyed", "ordered", "slow", "free", "free")

# Steps that need no other ones, do not move a job in time, and leave nothing that the clock decides.
UNMOVED = ("enqueue keyed", "enqueue unique", "enqueue child", "enqueue family", "progress", "heartbeat")


def _options(**options):
    """The options of a job as SQL: values that are no text are SQL."""
    pairs = ", ".join(f"'{name}', {value}" for name, value in options.items() if value is not None)
    return f"json_object('run_at', 1000, {pairs})"


def _text(value):
    return None if value is None else f"'{value}'"


def _enqueue(queue, n, **options):
    return f"SELECT honker_enqueue('{queue}', '{{\"n\":{n}}}', {_options(**options)})"


def _held(queue, count):
    live = "SELECT id, worker_id, attempts FROM _honker_live"
    return f"({live} WHERE queue = '{queue}' AND state = 'processing' ORDER BY id LIMIT {count})"


def _settle(queue, verb, **more):
    """Work a round that ends two held jobs in one way, and claims two."""
    pairs = "".join(f", '{name}', {value}" for name, value in more.items())
    settlement = f"json_object('id', id, 'attempt', attempts, 'do', '{verb}', 'error', 'e'{pairs})"
    settlements = f"(SELECT json_group_array({settlement}) FROM {_held(queue, 2)})"
    return f"SELECT honker_work('{queue}', 'w', 2, {LEASE_S}, {settlements})"


def _dead(queue):
    """The first dead letter that can live again: its unique key is free."""
    taken = "SELECT 1 FROM _honker_live AS l WHERE l.queue = d.queue AND l.unique_key = d.unique_key"
    return f"SELECT min(id) AS id FROM _honker_dead AS d WHERE queue = '{queue}' AND NOT EXISTS ({taken})"


def _jobs(queue, state, order="id"):
    return f"SELECT id FROM _honker_live WHERE queue = '{queue}' AND state = '{state}' ORDER BY {order} LIMIT 1"


def _adding(n, queue, rng):
    """Steps that add jobs."""
    key, priority, attempts = rng.choice("ab"), rng.randrange(2), rng.randrange(1, 3)
    job = {"key": f"'{key}'", "priority": priority, "max_attempts": attempts}
    unique = {"unique_key": f"'{key}'", "on_conflict": _text(rng.choice([None, "existing", "replace", "rerun"]))}
    unique |= {"unique_until": _text(rng.choice([None, "started"])), "max_attempts": attempts}
    parents = "(SELECT id FROM _honker_live WHERE queue = 'free' ORDER BY id DESC LIMIT 2)"
    # A policy without parents is refused.
    policy = f"(SELECT iif(count(*), '{rng.choice(['cancel', 'run', 'wait'])}', NULL) FROM {parents})"
    policy = {"on_parent_failure": policy, "max_attempts": attempts}
    after = f"json((SELECT json_group_array(id) FROM {parents}))"
    family = (
        f"json((SELECT json_group_array(id) FROM (SELECT max(id) AS id FROM _honker_live WHERE queue = '{queue}')))"
    )
    many = json.dumps({"key": key})
    return {
        "enqueue keyed": (_enqueue(queue, n, **job),),
        "enqueue keyed with its order": (f"INSERT INTO shop (note) VALUES ('{n}')", _enqueue(queue, n, **job)),
        "enqueue many keyed": (f"SELECT honker_enqueue_many('{queue}', '[1,2,3]', 1000, NULL, 0, 2, NULL, '{many}')",),
        "enqueue unique": (_enqueue("free", n, **unique),),
        "enqueue unique for long": (_enqueue("free", n, unique_key="'long'", unique_for_s=LEASE_S),),
        "debounce": (_enqueue("free", n, unique_key="'d'", debounce_s=LEASE_S),),
        "enqueue child": (_enqueue("free", n, after=after, **policy),),
        # A parent, a child of it that has a key, and a child of both.
        "enqueue family": (
            _enqueue(queue, n, **job),
            _enqueue(queue, n, key="'c'", after=family, on_parent_failure="'run'"),
            _enqueue("free", n, after=after, **policy),
        ),
        "enqueue what is late": (_enqueue(queue, n, key=f"'{key}'", expires=-1),),
    }


def _ending(queue, rng):
    """Steps that claim jobs and end their attempts."""
    one, all_held = _held(queue, 1), f"(SELECT json_group_array(id) FROM {_held(queue, 9)})"
    return {
        "claim": (f"SELECT honker_claim_batch('{queue}', 'w', 1, {LEASE_S})",),
        "claim three": (f"SELECT honker_claim_batch('{queue}', 'w', 3, {LEASE_S})",),
        "ack": (f"SELECT honker_ack(id, worker_id, attempts) FROM {one}",),
        "ack all": (f"SELECT honker_ack_batch({all_held}, 'w')",),
        "ack with its effect": (
            f"INSERT OR IGNORE INTO effects SELECT id FROM {one}",
            f"SELECT honker_result_save(id, 'done', {LEASE_S}) FROM {one}",
            f"SELECT honker_ack(id, worker_id, attempts) FROM {one}",
        ),
        "retry": (f"SELECT honker_retry(id, worker_id, 0, 'again', attempts) FROM {one}",),
        "fail": (f"SELECT honker_fail(id, worker_id, 'broken', attempts) FROM {one}",),
        "snooze": (f"SELECT honker_snooze(id, worker_id, 0, attempts) FROM {one}",),
        "release": (f"SELECT honker_release(id, worker_id, attempts) FROM {one}",),
        "work": (_settle(queue, rng.choice(["ack", "retry", "fail", "release", "snooze", "cancel"]), delay_s=0),),
        "snooze and hold": (_settle(queue, "snooze", delay_s=LEASE_S, hold=f"'{rng.choice(['key', 'queue'])}'"),),
        "cancel": (f"SELECT honker_cancel(id) FROM ({_jobs(queue, 'pending')})",),
        "cancel blocked": (f"SELECT honker_cancel(id) FROM ({_jobs(queue, 'blocked')})",),
        "cancel waiting": (f"SELECT honker_cancel(id) FROM ({_jobs(queue, 'waiting')})",),
        "request cancel": (f"SELECT honker_cancel_request(id) FROM ({_jobs(queue, 'processing')})",),
        "request cancel of waiting": (f"SELECT honker_cancel_request(id) FROM ({_jobs(queue, 'pending')})",),
        "cancel held": (f"SELECT honker_cancel_held(id, worker_id, attempts) FROM {one}",),
        "requeue": (f"SELECT honker_requeue(id) FROM ({_dead(queue)}) WHERE id IS NOT NULL",),
        "worker dies": (
            f"UPDATE _honker_live SET claim_expires_at = 1000 WHERE state = 'processing' AND queue = '{queue}'",
        ),
        "sweep": (f"SELECT honker_sweep_expired('{queue}')",),
    }


def _holding(n, queue, rng):
    """Steps that hold jobs, or tell about them."""
    key, settings = rng.choice("ab"), json.dumps(rng.choice([SETTINGS, OTHER_SETTINGS])[queue])
    return {
        "configure": (f"SELECT honker_queue_configure('{queue}', '{settings}')",),
        "pause key": (f"SELECT honker_key_pause('{queue}', '{key}')",),
        "resume key": (f"SELECT honker_key_resume('{queue}', '{key}')",),
        "pause queue": (f"SELECT honker_queue_pause('{queue}', NULL, 'step {n}')",),
        "resume queue": (f"SELECT honker_queue_resume('{queue}')",),
        "progress": (f"SELECT honker_progress(id, worker_id, {n}, 1000, 'n', attempts) FROM {_held(queue, 1)}",),
        "heartbeat": (f"SELECT honker_heartbeat(id, worker_id, {LEASE_S}, attempts) FROM {_held(queue, 1)}",),
    }


def _kinds(n, queue, rng):
    """Every kind of step, by name; `n` is the number of the step."""
    return _adding(n, queue, rng) | _ending(queue, rng) | _holding(n, queue, rng)


# Steps that a kind needs before it, in the same queue.
CLAIMED = ("enqueue many keyed", "enqueue family", "claim three")
NEEDS = {
    **dict.fromkeys(
        ("ack", "ack all", "ack with its effect", "retry", "fail", "snooze", "release", "work", "snooze and hold",
         "request cancel", "cancel held", "worker dies", "progress", "heartbeat", "pause key", "configure"),
        CLAIMED,
    ),
    "claim three": ("enqueue many keyed", "enqueue keyed"),
    "cancel blocked": ("enqueue many keyed", "claim three"),
    "cancel waiting": ("enqueue family",),
    "cancel": ("enqueue keyed", "enqueue child"),
    "request cancel of waiting": ("enqueue family",),
    "requeue": (*CLAIMED, "fail"),
    "sweep": ("enqueue what is late",),
    "enqueue child": ("enqueue unique",),
}  # fmt: skip
# Steps that reveal the effect of a kind, in the same queue.
SHOWN_BY = {
    "worker dies": ("claim three",),
    "request cancel": ("ack",),
    "pause key": ("ack all", "claim three", "resume key"),
    "pause queue": ("claim", "resume queue", "claim"),
    "snooze and hold": ("resume key", "resume queue", "claim"),
    "fail": ("claim three",),
    "debounce": ("debounce",),
    "enqueue unique": ("enqueue unique",),
    "configure": ("claim three",),
}


def make(seed, length):
    """Make a workload of `length` steps and their required ones. With 36 or more, every kind occurs at least once."""
    rng = random.Random(seed)
    names = list(_kinds(0, "free", random.Random(0)))
    rng.shuffle(names)
    names = (names + rng.choices(names, k=length))[:length]
    steps = [
        Step("bootstrap", ("SELECT honker_bootstrap()",)),
        Step("application", workload.APPLICATION),
        *(
            Step("configure", (f"SELECT honker_queue_configure('{queue}', '{json.dumps(settings)}')",))
            for queue, settings in SETTINGS.items()
        ),
    ]
    number = 0
    for name in names:
        queue = rng.choice(QUEUES)
        needed, shown = NEEDS.get(name, ()), SHOWN_BY.get(name, ())
        for each in (*(needed if rng.random() < 0.9 else ()), name, *(shown if rng.random() < 0.8 else ())):
            steps.append(Step(each, _kinds(number, queue, rng)[each]))
            number += 1
            if each not in UNMOVED:
                steps.append(Step("unclock", UNCLOCK))
    return Workload(steps, starts_with_reference=False)


def check(conn):
    """The file is whole, and no invariant of keys, dependencies and outcomes is broken."""
    workload.check_integrity(conn)
    if value(conn, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_honker_live')"):
        assert call_json(conn, "honker_flow_violations", 100) == []
