"""Lists of jobs, the facts about one job, and verbs for many."""

import json

import pytest

from .clock import advance
from .database import call, call_json, claim, dump, enqueue, refused, rows, value
from .jobs import count, live, put


def configure(conn, queue="q", **settings):
    call(conn, "honker_queue_configure", queue, json.dumps(settings))


def enqueue_with(conn, queue="q", payload="{}", **options):
    return call(conn, "honker_enqueue", queue, payload, json.dumps(options))


def call_of(task, *args, **kwargs):
    return json.dumps({"__honker_task__": {"task": task, "args": args, "kwargs": kwargs}})


def fail(conn, job_id, error="boom", worker="w"):
    assert call(conn, "honker_fail", job_id, worker, error) == 1


def page(conn, after=None, n=100, **conditions):
    return call_json(conn, "honker_jobs_list", json.dumps(conditions), after, n)


def ids(conn, n=100, **conditions):
    return [job["id"] for job in page(conn, None, n, **conditions)["jobs"]]


def apply(conn, verb, after=None, n=500, **conditions):
    return call_json(conn, "honker_jobs_apply", verb, json.dumps(conditions), after, n)


def detail(conn, job_id):
    return call_json(conn, "honker_job_detail", job_id)


def why(conn, job_id):
    return detail(conn, job_id)["why"]


@pytest.fixture
def every_state(conn):
    """A job in each state, by state."""
    configure(conn, "keyed", concurrency_per_key=1, keep_finished_s=3_600)
    configure(conn, "kept", keep_finished_s=3_600)
    found = {"done": enqueue(conn, "kept"), "cancelled": enqueue(conn, "kept"), "dead": enqueue(conn, "q")}
    claim(conn, "kept")
    call(conn, "honker_ack", found["done"], "w")
    call(conn, "honker_cancel", found["cancelled"])
    claim(conn, "q")
    fail(conn, found["dead"])
    found["running"] = enqueue_with(conn, "keyed", key="k")
    claim(conn, "keyed")
    found["blocked"] = enqueue_with(conn, "keyed", key="k")
    found["ready"] = enqueue(conn, "q")
    found["delayed"] = enqueue(conn, "q", delay=600)
    found["waiting"] = enqueue_with(conn, "q", after=[found["ready"]])
    return found


# --------------------------------------------------------------------------------------------------------------- lists


def test_a_list_merges_live_dead_and_finished_jobs_newest_first(conn, every_state):
    found = page(conn)
    assert [job["id"] for job in found["jobs"]] == sorted(every_state.values(), reverse=True)
    assert {job["state"]: job["id"] for job in found["jobs"]} == every_state
    assert (found["next"], found["is_complete"]) == (None, True)


@pytest.mark.parametrize("with_queue", [False, True])
def test_a_state_is_filtered_with_and_without_a_queue(conn, every_state, with_queue):
    queues = {job["id"]: job["queue"] for job in page(conn)["jobs"]}
    for state, job_id in every_state.items():
        conditions = {"state": state} | ({"queue": queues[job_id]} if with_queue else {})
        assert ids(conn, **conditions) == [job_id], state


def test_a_queue_is_filtered_over_all_tables(conn, every_state):
    names = ("dead", "ready", "delayed", "waiting")
    assert ids(conn, queue="q") == sorted((every_state[name] for name in names), reverse=True)
    assert ids(conn, queue="kept") == [every_state["cancelled"], every_state["done"]]
    assert ids(conn, queue="nowhere") == []


def test_a_key_is_filtered_with_and_without_a_queue(conn, every_state):
    expected = [every_state["blocked"], every_state["running"]]
    assert ids(conn, key="k") == ids(conn, key="k", queue="keyed") == expected
    assert ids(conn, key="k", queue="q") == []


def test_a_walk_in_pages_of_one_sees_each_job_once(conn, every_state):
    seen, after = [], None
    while True:
        found = page(conn, after, 1)
        seen += [job["id"] for job in found["jobs"]]
        after = found["next"]
        if after is None:
            break
    assert seen == sorted(every_state.values(), reverse=True)


def test_a_task_is_found_in_any_form_of_a_call(conn):
    first = enqueue(conn, payload=call_of("a.b"))
    second = enqueue(conn, payload='{"__honker_task__":{"args":[],"task":"a.b"}}')
    enqueue(conn, payload=call_of("a.bc"))
    enqueue(conn, payload='{"task": "a.b"}')
    enqueue(conn, payload='{"__honker_task__": "no JSON')
    assert ids(conn, task="a.b") == [second, first]
    assert [job["task"] for job in page(conn)["jobs"]] == [None, None, "a.bc", "a.b", "a.b"]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"user.id": 5}, [1]),
        ({"0": "x"}, [1]),
        ({"0": "x", "user.id": 6}, []),
        ({"user.id": "5"}, []),
        ({"n": 7}, [2]),
        ({"list.1": True}, [2]),
        ('"n": 7', [2]),
        ("nothing", []),
    ],
)
def test_arguments_are_filtered_by_path_or_by_text(conn, args, expected):
    enqueue(conn, payload=call_of("t", "x", user={"id": 5}))
    enqueue(conn, payload='{"n": 7, "list": [false, true]}')
    enqueue(conn, payload="no JSON")
    assert ids(conn, args=args) == expected


def test_a_path_with_a_quotation_mark_is_refused(conn):
    with refused("HONKER_INVALID_ARGUMENT", "quotation marks"):
        page(conn, args={'a"b': 1})


def test_an_error_is_filtered_by_a_part_of_it(conn):
    for error in ("ValueError: 1", "KeyError: 2"):
        fail(conn, claim(conn, *[])[0]["id"] if enqueue(conn) else 0, error)
    assert ids(conn, error="ValueError") == [1]
    assert ids(conn, error="Error") == [2, 1]


def test_a_list_of_jobs_enqueued_since_leaves_out_older_ones(conn):
    enqueue(conn)
    advance(conn, 100)
    now = value(conn, "SELECT honker_clock()")
    enqueue(conn)
    assert ids(conn, since=now - 10) == [2]
    assert ids(conn, since=now - 1_000) == [2, 1]


def test_a_list_shortens_long_texts(conn):
    enqueue(conn, payload=json.dumps({"text": "é" * 100_000}))
    claim(conn)
    fail(conn, 1, "first line\nsecond line")
    (job,) = page(conn)["jobs"]
    assert len(job["payload"]) == 200
    assert job["error"] == "first line"
    assert len(detail(conn, 1)["payload"]) > 200
    assert detail(conn, 1)["error"] == "first line\nsecond line"


def test_an_expired_finished_job_is_not_listed(conn):
    configure(conn, keep_finished_s=60)
    enqueue(conn)
    claim(conn)
    call(conn, "honker_ack", 1, "w")
    assert ids(conn) == ids(conn, queue="q") == [1]
    advance(conn, 120)
    assert ids(conn) == ids(conn, queue="q") == []
    assert call(conn, "honker_job_detail", 1) is None


def test_an_expired_finished_job_takes_no_place_on_a_page(conn):
    configure(conn, keep_finished_s=600)
    configure(conn, "brief", keep_finished_s=60)
    for queue in ("q", "brief"):
        enqueue(conn, queue)
        call(conn, "honker_ack", claim(conn, queue)[0]["id"], "w")
    advance(conn, 120)
    assert ids(conn, n=1) == [1]
    assert apply(conn, "delete")["done"] == 1


def test_a_state_of_a_newer_program_is_shown_as_it_is(conn):
    put(conn, state="scheduled", run_at=5)
    put(conn, state="dreaming")
    assert [job["state"] for job in page(conn)["jobs"]] == ["dreaming", "delayed"]
    assert ids(conn, state="delayed") == ids(conn, state="delayed", queue="q") == [1]
    assert "dreaming" in why(conn, 2)


def test_a_row_edited_by_hand_is_listed(conn):
    put(conn, payload=b"\xff", priority="high", run_at="soon")
    (job,) = page(conn)["jobs"]
    assert (job["payload"], job["priority"], job["run_at"]) == ("", 0, None)


def fill(conn, how_many, queue="q", payload="{}"):
    conn.execute(
        """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
           INSERT INTO _honker_live (queue, payload) SELECT ?, ? FROM n""",
        (how_many, queue, payload),
    )


def test_a_filter_without_an_index_stops_at_the_bound_and_goes_on(conn):
    wanted = enqueue(conn, payload=call_of("rare"))
    fill(conn, 60_000)
    found, pages = page(conn, task="rare"), 1
    assert (found["jobs"], found["is_complete"]) == ([], False)
    while found["next"] is not None:
        found, pages = page(conn, found["next"], task="rare"), pages + 1
    assert [job["id"] for job in found["jobs"]] == [wanted]
    assert pages > 1


def test_few_jobs_of_a_state_are_found_among_many(conn):
    delayed, running = enqueue(conn, delay=60), enqueue(conn, "other")
    claim(conn, "other")
    fill(conn, 60_000)
    assert ids(conn, state="delayed") == [delayed]
    assert ids(conn, state="running") == [running]
    assert ids(conn, queue="other") == [running]


def test_a_queue_with_too_many_jobs_to_sort_is_walked(conn):
    fill(conn, 60_000)
    assert ids(conn, queue="q", n=2) == ids(conn, queue="q", state="ready", n=2) == [60_000, 59_999]


# ----------------------------------------------------------------------------------------------------------------- why


def test_a_delayed_job_says_until_when(conn):
    assert why(conn, enqueue(conn, run_at=4_102_444_800)) == "delayed until 2100-01-01 00:00:00 UTC"


def test_a_job_between_attempts_says_after_how_many(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", 1, "w", 600, "boom")
    assert why(conn, 1).startswith("delayed until ")
    assert why(conn, 1).endswith(", after 1 attempts")


def test_a_running_job_names_its_worker_and_a_request_to_end(conn):
    enqueue(conn)
    claim(conn, worker="host:1")
    assert why(conn, 1).startswith("running: held by host:1 until ")
    call(conn, "honker_cancel_request", 1)
    assert "; asked to end at " in why(conn, 1)


def test_a_lapsed_lease_is_named(conn):
    enqueue(conn)
    claim(conn, worker="host:1")
    advance(conn, 100)
    assert why(conn, 1).startswith("the lease of host:1 expired at ")


def test_a_paused_queue_gives_its_reason_until_it_is_resumed(conn):
    enqueue(conn)
    call(conn, "honker_queue_pause", "q", None, "deployment")
    assert why(conn, 1) == "queue paused: deployment"
    call(conn, "honker_queue_pause", "q", 4_102_444_800, None)
    assert why(conn, 1) == "queue paused until 2100-01-01 00:00:00 UTC"
    call(conn, "honker_queue_resume", "q")
    assert "no worker has claimed it yet" in why(conn, 1)


def test_a_full_key_names_the_jobs_that_hold_its_slots(conn):
    configure(conn, concurrency_per_key=2)
    for _ in range(3):
        enqueue_with(conn, key="acme")
    claim(conn, n=2)
    assert why(conn, 3) == "key acme: 2 of 2 slots held by 1, 2"
    call(conn, "honker_ack", 1, "w")
    assert "no worker has claimed it yet" in why(conn, 3)


def test_a_paused_key_gives_its_reason(conn):
    enqueue_with(conn, key="acme")
    call(conn, "honker_key_pause", "q", "acme", None, "they asked")
    assert why(conn, 1) == "key acme paused: they asked"


@pytest.mark.parametrize("verb", ["retry", "fail"])
def test_an_ordered_line_names_its_head(conn, verb):
    configure(conn, ordered=True)
    for _ in range(2):
        enqueue_with(conn, key="acme")
    claim(conn)
    assert why(conn, 2) == "key acme: 1 of 1 slots held by 1"
    call(conn, f"honker_{verb}", 1, "w", *([600] if verb == "retry" else []), "boom")
    assert why(conn, 2) == "key acme: in order, and job 1 goes first"


def test_a_job_behind_a_better_one_of_its_key_names_it(conn):
    configure(conn, concurrency_per_key=1)
    for _ in range(3):
        enqueue_with(conn, key="acme")
    conn.execute("UPDATE _honker_live SET state = 'blocked' WHERE id = 1")
    conn.execute("UPDATE _honker_live SET state = 'pending' WHERE id = 2")
    assert why(conn, 2) == "key acme: job 1 goes first"


def test_a_full_queue_names_the_jobs_that_hold_its_slots(conn):
    configure(conn, concurrency=12)
    for _ in range(13):
        enqueue(conn)
    claim(conn, n=12)
    held = ", ".join(str(job_id) for job_id in range(1, 11))
    assert why(conn, 13) == f"queue: all of its 12 slots held by {held} and others"


def test_a_rate_of_the_queue_gives_the_next_start(conn):
    configure(conn, rate=[1, 600])
    for _ in range(2):
        enqueue(conn)
    assert len(claim(conn, n=2)) == 1
    assert why(conn, 2).startswith("rate: next start at ")
    conn.execute("UPDATE _honker_queues SET next_start_ms = next_start_ms - 601000")
    assert "no worker has claimed it yet" in why(conn, 2)


def test_a_rate_of_the_key_gives_the_next_start_before_and_after_a_claim_gave_it(conn):
    configure(conn, rate_per_key=[1, 600])
    for _ in range(2):
        enqueue_with(conn, key="acme")
    assert len(claim(conn)) == 1
    before = why(conn, 2)
    assert before.startswith("rate of key acme: next start at ")
    assert claim(conn) == []
    assert why(conn, 2) == before


def test_a_waiting_job_names_the_parents_that_have_not_ended(conn):
    first, second = enqueue(conn), enqueue(conn)
    child = enqueue_with(conn, "other", after=[first, second])
    assert why(conn, child) == "waits for parents 1, 2"
    claim(conn)
    call(conn, "honker_ack", first, "w")
    assert why(conn, child) == "waits for parent 2"
    assert detail(conn, child)["parents"] == [{"job_id": 2, "outcome": None}, {"job_id": 1, "outcome": "done"}]
    assert detail(conn, second)["children"] == [{"job_id": 3, "outcome": None}]


def test_an_expired_job_says_so(conn):
    enqueue(conn, expires=10)
    advance(conn, 20)
    assert why(conn, 1) == "expired: the next claim makes it a dead letter"


def test_an_unknown_task_is_named(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_release", 1, "w", None, 0, 1)
    assert why(conn, 1).startswith("no worker that has claimed it since ")


def test_an_ended_job_says_how(conn, every_state):
    for state in ("done", "cancelled", "dead"):
        assert why(conn, every_state[state]).startswith(f"it has ended: {state} at ")


# --------------------------------------------------------------------------------------------------------------- verbs


def test_requeue_takes_the_dead_letters_that_match(conn):
    for queue in ("q", "q", "other"):
        fail(conn, claim(conn, queue)[0]["id"] if enqueue(conn, queue) else 0)
    enqueue(conn)
    assert apply(conn, "requeue", queue="q")["done"] == 2
    assert ids(conn, state="dead") == [3]
    assert ids(conn, state="ready") == [4, 2, 1]


def test_a_verb_goes_on_after_the_last_job(conn):
    for _ in range(5):
        enqueue(conn)
    first = apply(conn, "cancel", n=2)
    assert (first["done"], first["next"]) == (2, 4)
    enqueue(conn)
    second = apply(conn, "cancel", after=first["next"])
    assert (second["done"], second["next"]) == (3, None)
    assert ids(conn) == [6]


def test_a_requeue_whose_unique_key_is_taken_is_refused_and_the_others_go_on(conn):
    for unique_key in ("a", "b"):
        enqueue_with(conn, unique_key=unique_key)
    claim(conn, n=2)
    fail(conn, 1)
    fail(conn, 2)
    enqueue_with(conn, unique_key="a")
    found = apply(conn, "requeue")
    assert (found["done"], found["skipped"], found["reasons"]) == (1, 1, {"unique key is taken": 1})
    assert ids(conn, state="dead") == [1]


def test_cancel_removes_waiting_jobs_and_asks_running_ones(conn, every_state):
    found = apply(conn, "cancel")
    assert found["done"] == 5
    assert live(conn, "cancel_requested_at IS NOT NULL", every_state["running"]) == 1
    assert count(conn, "_honker_live") == 1


def test_cancel_by_id_refuses_jobs_that_have_ended(conn, every_state):
    names = ("dead", "done", "ready")
    found = apply(conn, "cancel", ids=[*(every_state[name] for name in names), 999])
    assert (found["done"], found["skipped"]) == (1, 3)
    assert found["reasons"] == {"has ended": 2, "no such job": 1}


def test_delete_forgets_dead_letters_and_finished_jobs_with_their_attempts(conn, every_state):
    assert count(conn, "_honker_attempts") > 0
    assert apply(conn, "delete")["done"] == 3
    assert [count(conn, table) for table in ("_honker_dead", "_honker_finished", "_honker_attempts")] == [0, 0, 0]
    assert count(conn, "_honker_live") == 5
    assert apply(conn, "delete", ids=[every_state["ready"]])["reasons"] == {"has not ended": 1}


def test_deleting_a_dead_letter_fails_the_jobs_that_wait_for_its_requeue(conn):
    enqueue(conn)
    child = enqueue_with(conn, "other", after=[1], on_parent_failure="wait")
    claim(conn)
    fail(conn, 1, "boom")
    assert why(conn, child) == "waits for parent 1"
    apply(conn, "delete", ids=[1])
    assert detail(conn, child)["error"] == "parent 1 failed: boom"
    assert call_json(conn, "honker_flow_violations", 10) == []


def test_deleting_the_dead_head_of_an_ordered_line_lets_the_line_go_on(conn):
    configure(conn, ordered=True)
    for _ in range(2):
        enqueue_with(conn, key="k")
    claim(conn)
    fail(conn, 1)
    assert claim(conn) == []
    apply(conn, "delete", ids=[1])
    assert [job["id"] for job in claim(conn)] == [2]


def test_run_now_makes_delayed_jobs_due(conn, every_state):
    assert apply(conn, "run_now")["done"] == 1
    assert ids(conn, state="delayed") == []
    claimed = [job["id"] for job in claim(conn, n=10)]
    assert claimed == [every_state["ready"], every_state["delayed"]]


def test_run_now_refuses_the_others_with_the_reason(conn, every_state):
    found = apply(conn, "run_now", ids=list(every_state.values()))
    assert (found["done"], found["skipped"]) == (1, 7)
    assert found["reasons"] == {
        "blocked by its key": 1, "has ended": 3, "is due already": 1, "is running": 1, "waits for its parents": 1,
    }  # fmt: skip


def test_run_now_takes_a_job_into_the_line_of_its_key(conn):
    configure(conn, concurrency_per_key=1)
    enqueue_with(conn, key="k")
    claim(conn)
    enqueue_with(conn, key="k", delay=600)
    assert apply(conn, "run_now")["done"] == 1
    assert live(conn, "state", 2) == "blocked"
    call(conn, "honker_ack", 1, "w")
    assert [job["id"] for job in claim(conn)] == [2]
    assert call_json(conn, "honker_flow_violations", 10) == []


def test_run_now_does_not_break_the_rate_of_a_key(conn):
    configure(conn, rate_per_key=[1, 600])
    for _ in range(2):
        enqueue_with(conn, key="k")
    assert len(claim(conn, n=2)) == 1
    assert apply(conn, "run_now")["reasons"] == {"the rate of its key has set its start": 1}


def test_a_batch_of_which_one_job_fails_changes_nothing(conn):
    for _ in range(3):
        enqueue(conn)
    conn.execute(
        "CREATE TRIGGER no BEFORE DELETE ON _honker_live WHEN OLD.id = 1 BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "not this one"):
        apply(conn, "cancel")
    assert dump(conn) == before


def test_a_verb_in_a_transaction_of_the_caller_is_part_of_it(conn):
    enqueue(conn)
    conn.execute("BEGIN")
    assert apply(conn, "cancel")["done"] == 1
    conn.execute("ROLLBACK")
    assert ids(conn) == [1]


# ------------------------------------------------------------------------------------- dead letters, streams, workflows


def test_dead_letters_are_grouped_by_queue_task_and_error(conn):
    errors = ["ValueError: 1", "ValueError: 2", "x\nTraceback (most recent call last):\n  File\nKeyError: 3\n"]
    for error in errors:
        enqueue(conn, payload=call_of("mail"))
        fail(conn, claim(conn)[0]["id"], error)
    found = call_json(conn, "honker_dead_groups", None, None, 10)
    assert [(each["task"], each["error"], each["count"], each["newest_id"]) for each in found["groups"]] == [
        ("mail", "ValueError", 2, 2),
        ("mail", "KeyError", 1, 3),
    ]
    assert call_json(conn, "honker_dead_groups", "q", None, 1)["groups"] == found["groups"][:1]
    assert call_json(conn, "honker_dead_groups", "other", None, 10)["groups"] == []


def test_dead_letters_are_grouped_within_a_time(conn):
    for _ in range(2):
        fail(conn, claim(conn)[0]["id"] if enqueue(conn) else 0)
        advance(conn, 100)
    for queue in ("q", None):
        assert call_json(conn, "honker_dead_groups", queue, 150, 10)["groups"][0]["count"] == 1


def test_the_groups_of_many_dead_letters_are_lower_bounds(conn):
    fill(conn, 60_000)
    conn.execute(
        "INSERT INTO _honker_dead (id, queue, payload, last_error) SELECT id, queue, payload, 'e' FROM _honker_live"
    )
    for queue in ("q", None):
        found = call_json(conn, "honker_dead_groups", queue, None, 10)
        assert found["is_bounded"]
        assert found["groups"][0]["count"] == found["looked_at"] < 60_000


def test_the_lag_of_a_consumer_counts_the_events_of_its_topic_only(conn):
    for topic in ("a", "b", "a", "a"):
        call(conn, "honker_stream_publish", topic, None, "{}")
    call(conn, "honker_stream_save_offset", "c", "a", 1)
    (first, second) = call_json(conn, "honker_stream_list", None, 10)["streams"]
    assert (first["topic"], first["count"], first["consumers"][0]["lag"]) == ("a", 3, 2)
    assert (second["topic"], second["count"], second["consumers"]) == ("b", 1, [])


def test_a_long_stream_is_counted_up_to_a_limit(conn):
    conn.execute("""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)
        INSERT INTO _honker_stream (topic, payload) SELECT 't', '{}' FROM n
    """)
    (found,) = call_json(conn, "honker_stream_list", None, 10)["streams"]
    assert (found["count"], found["count_is_exact"]) == (10_000, False)


def test_a_lock_is_listed_while_it_is_held(conn):
    for name, ttl in (("a", 10), ("b", 100)):
        call(conn, "honker_lock_acquire", name, "me", ttl)
    listed = lambda: [lock["name"] for lock in call_json(conn, "honker_lock_list", None, 10)["locks"]]  # noqa: E731
    assert listed() == ["a", "b"]
    advance(conn, 20)
    assert listed() == ["b"]
    call(conn, "honker_lock_release", "b", "me")
    assert listed() == []


def test_a_workflow_shows_the_states_of_its_jobs(conn):
    first = enqueue(conn)
    child = enqueue_with(conn, after=[first])
    record = {"name": "etl", "jobs": {"clean": child, "load": first}}
    call(conn, "honker_stream_publish", "_workflows", "etl", json.dumps(record))
    call(conn, "honker_stream_publish", "_workflows", None, '"something else"')
    (found,) = call_json(conn, "honker_workflow_list", None, 10)["workflows"]
    assert [(job["name"], job["state"]) for job in found["jobs"]] == [("load", "ready"), ("clean", "waiting")]
    claim(conn)
    call(conn, "honker_ack", first, "w")
    claim(conn)
    fail(conn, child)
    (found,) = call_json(conn, "honker_workflow_list", None, 10)["workflows"]
    assert found["states"] == {"done": 1, "dead": 1}


def test_a_cancelled_job_of_a_workflow_is_not_taken_for_a_success(conn):
    call(conn, "honker_stream_publish", "_workflows", None, json.dumps({"name": "", "jobs": {"a": enqueue(conn)}}))
    call(conn, "honker_cancel", 1)
    assert call_json(conn, "honker_workflow_list", None, 10)["workflows"][0]["states"] == {"cancelled": 1}


def test_a_list_of_a_file_that_was_restored_with_a_job_twice_shows_both(conn):
    enqueue(conn)
    conn.execute("INSERT INTO _honker_dead (id, queue, payload) VALUES (1, 'q', '{}')")
    assert sorted(job["state"] for job in page(conn)["jobs"]) == ["dead", "ready"]
    assert rows(conn, "SELECT count(*) FROM _honker_live") == [(1,)]
