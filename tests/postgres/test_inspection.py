"""Lists of jobs: filters against a model, pages while other sessions work, and bounds."""

import itertools
import json
import random
import threading

import psycopg
import pytest

from .inspecting import bury, call_of, configure, fail, fill, ids, listed, page, walk
from .sessions import advance, call, claim, connect, enqueue, together

QUEUES = ("a", "b", "kept")
TASKS = (None, "mail", "etl.load")
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 3, in f\n'
STATES = ("ready", "delayed", "running", "blocked", "waiting", "dead", "done", "cancelled")


def payload_of(chance):
    """A payload, its task, and an argument `n`."""
    number, task = chance.randrange(5), chance.choice(TASKS)
    return (json.dumps({"n": number}) if task is None else call_of(task, n=number)), task, number


def fill_with_all_states(conn, count):
    """Jobs in all states. Returns the model: the facts by id that a filter looks at."""
    chance, model = random.Random(7), {}
    configure(conn, "b", concurrency_per_key=1)
    configure(conn, "kept", keep_finished_s=3600)
    for _ in range(count):
        queue, (payload, task, number) = chance.choice(QUEUES), payload_of(chance)
        options = {"key": chance.choice("xyz")} if queue == "b" or chance.random() < 0.2 else {}
        if chance.random() < 0.2:
            options["delay"] = 600
        if model and chance.random() < 0.15:
            options["after"] = [chance.choice([known for known in model if model[known]["is_live"]])]
        job_id = enqueue(conn, queue, payload, **options)
        model[job_id] = {"task": task, "n": number, "is_live": True}
        settle_some(conn, chance, model)
    return model


def settle_some(conn, chance, model):
    if chance.random() < 0.5:
        for job in claim(conn, chance.choice(QUEUES)):
            end = chance.choice(("keep", "keep", "ack", "fail", "cancel"))
            if end == "ack":
                call(conn, "honker_ack", job["id"], "w")
            elif end == "fail":
                fail(conn, job["id"], chance.choice(("ValueError: 1", "KeyError: 2")))
            elif end == "cancel":
                call(conn, "honker_cancel", job["id"])
            model[job["id"]]["is_live"] = end == "keep"


def facts(conn, model):
    """The model completed by a look at each table, without the functions that are tested."""
    now = conn.execute("SELECT honker._now()").fetchone()[0]
    rows = conn.execute(
        """
        SELECT id, queue, key, last_error, CASE state WHEN 'processing' THEN 'running'
          WHEN 'pending' THEN CASE WHEN run_at > %s THEN 'delayed' ELSE 'ready' END ELSE state END FROM live
        UNION ALL SELECT id, queue, key, last_error, 'dead' FROM dead
        UNION ALL SELECT id, queue, key, last_error, state FROM finished""",
        (now,),
    )
    return {
        job_id: model[job_id] | {"queue": queue, "key": key, "error": error, "state": state}
        for job_id, queue, key, error, state in rows
    }


def meets(job, conditions):
    tests = {
        "state": lambda value: job["state"] == value,
        "queue": lambda value: job["queue"] == value,
        "key": lambda value: job["key"] == value,
        "task": lambda value: job["task"] == value,
        "error": lambda value: value in (job["error"] or ""),
        "args": lambda value: job["n"] == value["n"],
        "ids": lambda value: job["id"] in value,
    }
    return all(tests[name](value) for name, value in conditions.items())


def test_filters_find_what_a_model_finds(conn):
    jobs = facts(conn, fill_with_all_states(conn, 400))
    jobs = {job_id: job | {"id": job_id} for job_id, job in jobs.items()}
    assert {job["state"] for job in jobs.values()} == set(STATES)
    choices = {
        "state": STATES, "queue": QUEUES, "key": ("x", "y"), "task": TASKS[1:], "error": ("Error", "KeyError"),
        "args": ({"n": 3},), "ids": (random.Random(1).sample(sorted(jobs), 40),),
    }  # fmt: skip
    tried = 0
    for names in itertools.chain([()], *(itertools.combinations(choices, size) for size in (1, 2, 3))):
        for values in itertools.product(*(choices[name] for name in names)):
            conditions = dict(zip(names, values, strict=True))
            expected = sorted((job_id for job_id, job in jobs.items() if meets(job, conditions)), reverse=True)
            if tried % 3 == 0 or len(names) < 2:
                assert walk(conn, 30, **conditions) == expected, conditions
            tried += 1
    assert tried > 200


def test_pages_of_one_see_each_job_once(conn):
    jobs = facts(conn, fill_with_all_states(conn, 60))
    assert walk(conn, 1) == sorted(jobs, reverse=True)
    assert walk(conn, 1, queue="b") == sorted((i for i, job in jobs.items() if job["queue"] == "b"), reverse=True)


@pytest.mark.parametrize("conditions", [{}, {"queue": "q"}, {"args": {"n": 1}}])
def test_a_walk_while_others_enqueue_claim_and_bury_sees_each_job_once(conn, url, conditions):
    configure(conn, keep_finished_s=3600)
    first = sorted((enqueue(conn, "q", '{"n": 1}', max_attempts=1) for _ in range(150)), reverse=True)
    is_over = threading.Event()

    def disturb(number):
        chance = random.Random(number)
        with connect(url) as session:
            while not is_over.is_set():
                enqueue(session, "q", '{"n": 1}', max_attempts=1)
                for job in claim(session, "q", chance.randrange(1, 4)):
                    verb, rest = chance.choice([("ack", ()), ("fail", ("boom",)), ("cancel_held", ())])
                    call(session, f"honker_{verb}", job["id"], "w", *rest)
                for letter in ids(session, 2, state="dead"):
                    call(session, "honker_requeue", letter)

    others = [threading.Thread(target=disturb, args=[number]) for number in range(3)]
    for other in others:
        other.start()
    try:
        walks = [walk(conn, 7, **conditions) for _ in range(12)]
    finally:
        is_over.set()
        for other in others:
            other.join(60)
    for seen in walks:
        assert seen == sorted(set(seen), reverse=True)
        assert [job_id for job_id in seen if job_id <= first[0]] == first


def test_verbs_of_several_sessions_move_each_job_once(conn, url):
    fill(conn, 200)
    done = together(url, 4, lambda session, _number: apply_all(session, "cancel"))
    assert sum(done) == 200
    assert ids(conn) == []


def apply_all(session, verb):
    """Apply a verb in pages until the end. Returns how many jobs it has changed."""
    done, after = 0, None
    while True:
        answer = json.loads(call(session, "honker_jobs_apply", verb, None, after, 25))
        done, after = done + answer["done"], answer["next"]
        if after is None:
            return done


def test_a_walk_that_finds_little_stops_at_the_bound_and_goes_on(conn):
    wanted = enqueue(conn, "q", call_of("rare"))
    conn.execute(
        "INSERT INTO live (queue, payload, priority, run_at, max_attempts, created_at)"
        " SELECT 'q', %s || repeat(' ', 200000), 0, 0, 3, 0 FROM generate_series(1, 400)",
        ('{"__honker_task__":{"args":[],"task":"other"}}',),
    )
    found, pages = page(conn, task="rare"), 1
    assert (found["jobs"], found["is_complete"]) == ([], False)
    while found["next"] is not None:
        found, pages = page(conn, found["next"], task="rare"), pages + 1
    assert [job["id"] for job in found["jobs"]] == [wanted]
    assert pages > 1
    assert walk(conn, 500, task="other") == [*range(401, wanted, -1)]


def test_few_jobs_of_a_state_are_found_among_many(conn):
    delayed, running = enqueue(conn, "q", delay=60), enqueue(conn, "other")
    claim(conn, "other")
    fill(conn, 60_000)
    assert ids(conn, state="delayed") == [delayed]
    assert ids(conn, state="running") == ids(conn, queue="other") == [running]
    assert ids(conn, queue="q", n=2) == ids(conn, queue="q", state="ready", n=2) == [60_002, 60_001]


def test_a_list_since_a_time_leaves_out_older_jobs_and_does_not_walk_over_them(conn):
    fill(conn, 60_000)
    advance(conn, 7200)
    now = conn.execute("SELECT honker._now() / 1000").fetchone()[0]
    new = bury(conn, "other")
    found = page(conn, None, 10, since=now - 10, args={"n": 1})
    assert (found["jobs"], found["next"], found["is_complete"]) == ([], None, True)
    assert ids(conn, since=now - 10) == [new]
    assert ids(conn, n=2, since=now - 8000) == [new, new - 1]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"user.id": 5}, [1]), ({"user.id": "5"}, []), ({"0": "x"}, [1]), ({"0": "x", "user.id": 6}, []),
        ({"n": 7}, [2]), ({"n": 7.0}, [2]), ({"list.1": True}, [2]), ({"list.1": 1}, [2]), ({"nothing": None}, [2, 1]),
        ('"n": 7', [2]), ([False, True], []), ("nothing", []),
    ],
)  # fmt: skip
def test_arguments_are_filtered_by_path_or_by_text(conn, args, expected):
    enqueue(conn, "q", call_of("t", "x", user={"id": 5}))
    enqueue(conn, "q", '{"n": 7, "list": [false, true]}')
    enqueue(conn, "q", "no JSON")
    assert ids(conn, args=args) == expected


@pytest.mark.parametrize(
    "conditions", [{"state": "asleep"}, {"args": {'a"b': 1}}, {"ids": [1.5]}, {"since": 1e12}, {"x": 1}]
)
def test_a_wrong_condition_is_refused(conn, conditions):
    with pytest.raises(psycopg.Error, match="HONKER_INVALID_ARGUMENT"):
        page(conn, **conditions)


def test_counts_of_a_queue_stop_at_a_limit(conn):
    fill(conn, 30)
    fill(conn, 20, priority=5, delay=60)
    found = listed(conn, "honker_queue_stats", "q", 10)
    assert (found["ready"], found["ready_is_exact"], found["delayed"], found["delayed_is_exact"]) == (10, False) * 2
    found = listed(conn, "honker_queue_stats", "q")
    assert (found["ready"], found["ready_is_exact"], found["delayed"], found["delayed_is_exact"]) == (
        30,
        True,
        20,
        True,
    )


def test_queues_are_listed_by_the_jobs_of_any_state_and_by_pauses(conn):
    fill_with_all_states(conn, 60)
    bury(conn, "only-dead")
    call(conn, "honker_queue_pause", "paused")
    call(conn, "honker_queue_pause", "ended", conn.execute("SELECT honker._now() / 1000 + 5").fetchone()[0])
    advance(conn, 10)
    names = [queue["queue"] for queue in listed(conn, "honker_queue_list", None, 10)]
    assert names == ["a", "b", "kept", "only-dead", "paused"]
    assert [queue["queue"] for queue in listed(conn, "honker_queue_list", "b", 1)] == ["kept"]


def test_dead_letters_are_grouped_by_queue_task_and_error(conn):
    for error in ("ValueError: 1", "ValueError: 2", "x\nTraceback (most recent call last):\n  File\nKeyError: 3\n"):
        bury(conn, payload=call_of("mail"), error=error)
    groups = listed(conn, "honker_dead_groups", None, None, 10)["groups"]
    assert [(each["task"], each["error"], each["count"], each["newest_id"]) for each in groups] == [
        ("mail", "ValueError", 2, 2),
        ("mail", "KeyError", 1, 3),
    ]
    assert listed(conn, "honker_dead_groups", "q", None, 1)["groups"] == groups[:1]
    advance(conn, 100)
    assert listed(conn, "honker_dead_groups", "q", 50, 10)["groups"] == []
    assert listed(conn, "honker_dead_groups", None, 50, 10)["groups"] == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (f"timed out\n{TRACEBACK}    g()\nnet.Timeout: timed out\nafter 3 s\n", "net.Timeout"),
        (f"x\n{TRACEBACK}KeyError: 'Traceback ('\n", "KeyError"),
        ("ValueError: bad", "ValueError"), ("max attempts exceeded", "max attempts exceeded"), ("expired", "expired"),
        ("parent 17 failed: boom", "parent"), ("HTTP 503 at 12:00", "HTTP"), ("", ""),
    ],
)  # fmt: skip
def test_the_kind_of_an_error_is_its_class_or_its_beginning(conn, error, kind):
    assert conn.execute("SELECT honker._kind_of(%s, %s)", (error, error)).fetchone()[0] == kind


def test_each_consumer_has_the_lag_of_its_own_offset(conn):
    conn.execute(
        """INSERT INTO stream (topic, payload, created_at)
                    SELECT CASE WHEN i <= 12000 AND i %% 2 = 1 THEN 'other' ELSE 't' END, '{}', 0
                    FROM generate_series(1, 20000) AS i""",
        (),
    )
    offsets = {"z": 20_000, "beyond": 30_000, "a": 19_990, "same": 19_990, "at": 8_000, "behind": 7_999, "new": 0}
    for name, offset in offsets.items():
        conn.execute("INSERT INTO stream_consumers VALUES (%s, 't', %s)", (name, offset))
    (_, found) = listed(conn, "honker_stream_list", None, 10)["streams"]
    lags = {each["name"]: (each["lag"], each["lag_is_exact"]) for each in found["consumers"]}
    behind = {
        name: conn.execute('SELECT count(*) FROM stream WHERE topic = %s AND "offset" > %s', ("t", offset)).fetchone()[
            0
        ]
        for name, offset in offsets.items()
    }
    assert list(lags) == sorted(offsets)
    assert lags == {name: (min(lag, 10_000), lag <= 10_000) for name, lag in behind.items()}
    assert listed(conn, "honker_stream_list", None, 1)["next"] == "other"
    assert (found["count"], found["count_is_exact"]) == (10_000, False)


def test_locks_are_listed_in_pages_while_they_are_held(conn):
    for name, ttl in (("a", 10), ("b", 100), ("c", 100)):
        call(conn, "honker_lock_acquire", name, "me", ttl)
    first = listed(conn, "honker_lock_list", None, 1)
    assert ([lock["name"] for lock in first["locks"]], first["next"]) == (["a"], "a")
    advance(conn, 20)
    rest = listed(conn, "honker_lock_list", None, 10)
    assert ([lock["name"] for lock in rest["locks"]], rest["next"]) == (["b", "c"], None)


def test_a_workflow_shows_the_states_of_its_jobs_and_is_found_by_them(conn):
    ids_of = []
    for number in range(50):
        first = enqueue(conn, "q")
        second = enqueue(conn, "q", after=[first])
        record = {"name": f"w{number}", "jobs": {"b": second, "a": first}}
        ids_of.append((call(conn, "honker_stream_publish", "_workflows", None, json.dumps(record)), first, second))
        call(conn, "honker_stream_publish", "_workflows", None, '"something else"')
    found = listed(conn, "honker_workflow_list", None, 2)
    assert [each["name"] for each in found["workflows"]] == ["w49", "w48"]
    assert [job["name"] for job in found["workflows"][0]["jobs"]] == ["a", "b"]
    assert found["workflows"][0]["states"] == {"ready": 1, "waiting": 1}
    assert listed(conn, "honker_workflow_list", found["next"], 1)["workflows"][0]["name"] == "w47"
    for workflow, first, second in ids_of:
        assert listed(conn, "honker_job_detail", first)["workflow"] == workflow
        assert ids(conn, workflow=workflow) == [second, first]
    assert listed(conn, "honker_job_detail", enqueue(conn, "q"))["workflow"] is None


@pytest.mark.parametrize(
    ("payload", "task"),
    [
        ('{"__honker_task__": {"task": "a.b", "args": [1, 2', "a.b"),
        (r'{"__honker_task__":{"task":"\u00e9","args":[]}}', "é"),
        ('{"__honker_task__":{"args":[],"task":"late"}}', "late"),
        ('{"__honker_encoded_task__":{"task":"a","codec":"signed","body":"x', "a"),
        (' { "__honker_encoded_task__" : {"codec":"signed","task" : "late"}}', "late"),
        ('{"__honker_task__":{"args":[1,2,3', None),
        ('{"__honker_task__":{"task":""}}', None),
        ('{"__honker_task__x":{"task":"a"}}', None),
        ('{"task": "a"}', None),
        ("[]", None),
        ("", None),
    ],
)
def test_the_task_is_found_in_the_beginning_of_a_call(conn, payload, task):
    assert conn.execute("SELECT honker._task_of(%s)", (payload,)).fetchone()[0] == task
