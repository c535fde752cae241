"""Lists of jobs, dead letters, streams, locks and workflows."""

import json

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, enqueue, refused, rows, value
from .inspecting import apply, call_of, configure, detail, enqueue_with, fail, ids, page, why
from .jobs import put


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
    fill(conn, 400, payload=call_of("other", "\n" * 100_000))  # each is parsed, which takes a fraction of a millisecond
    found, pages = page(conn, task="rare"), 1
    assert (found["jobs"], found["is_complete"]) == ([], False)
    while found["next"] is not None:
        found, pages = page(conn, found["next"], task="rare"), pages + 1
    assert [job["id"] for job in found["jobs"]] == [wanted]
    assert pages > 1


def test_a_task_is_found_whose_name_is_escaped_in_its_payload(conn):
    enqueue(conn, payload='{"__honker_task__":{"task":"\\u0061.b","args":[]}}')
    assert ids(conn, task="a.b") == [1]
    assert ids(conn, task="\\u0061.b") == []


def test_a_walk_sees_a_job_once_that_matches_while_others_come_and_go(conn):
    first = [enqueue(conn) for _ in range(6)]
    seen, after = [], None
    for change in (enqueue, claim, lambda conn: fail(conn, claim(conn)[0]["id"]), enqueue, claim, claim, claim):
        found = page(conn, after, 1, queue="q")
        seen += [job["id"] for job in found["jobs"]]
        after = found["next"]
        change(conn)
        if after is None:
            break
    assert (seen, after) == (first[::-1], None)


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


def test_each_consumer_has_the_lag_of_its_own_offset(conn):
    """Lags are counted from one consumer to the next, the one that is furthest ahead first."""
    conn.execute("""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
        INSERT INTO _honker_stream (topic, payload) SELECT iif(i % 2, 'other', 't'), '{}' FROM n""")
    conn.execute("""
        WITH RECURSIVE n (i) AS (SELECT 12001 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO _honker_stream (topic, payload) SELECT 't', '{}' FROM n""")
    offsets = {"z": 20_000, "beyond": 30_000, "a": 19_990, "same": 19_990, "at": 8_000, "behind": 7_999, "new": 0}
    for name, offset in offsets.items():
        call(conn, "honker_stream_save_offset", name, "t", offset)
    (_, found) = call_json(conn, "honker_stream_list", None, 10)["streams"]
    lags = {each["name"]: (each["lag"], each["lag_is_exact"]) for each in found["consumers"]}
    behind = {
        name: value(conn, f"SELECT count(*) FROM _honker_stream WHERE topic = 't' AND offset > {offset}")
        for name, offset in offsets.items()
    }
    assert list(lags) == sorted(offsets)
    assert lags == {name: (min(lag, 10_000), lag <= 10_000) for name, lag in behind.items()}
    assert sorted(is_exact for _, is_exact in lags.values()) == [False] * 2 + [True] * 5


def test_a_file_with_too_many_consumers_says_so(conn):
    call(conn, "honker_stream_publish", "t", None, "{}")
    conn.execute("""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
        INSERT INTO _honker_stream_consumers (name, topic, offset) SELECT printf('c%04d', i), 't', 0 FROM n""")
    (found,) = call_json(conn, "honker_stream_list", None, 10)["streams"]
    assert (len(found["consumers"]), found["consumers_are_complete"]) == (4_000, True)
    call(conn, "honker_stream_save_offset", "d", "t", 1)
    (found,) = call_json(conn, "honker_stream_list", None, 10)["streams"]
    assert (len(found["consumers"]), found["consumers_are_complete"]) == (4_000, False)
    assert found["consumers"][-1]["name"] == "c4000"


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


def recorded(conn, jobs, name=""):
    """Record a workflow, and return its id."""
    return call(conn, "honker_stream_publish", "_workflows", None, json.dumps({"name": name, "jobs": jobs}))


def test_a_filter_finds_the_jobs_of_a_workflow_in_any_state(conn):
    configure(conn, keep_finished_s=60)
    jobs = [enqueue(conn) for _ in range(4)]
    enqueue(conn)
    workflow = recorded(conn, {f"step {number}": job_id for number, job_id in enumerate(jobs)})
    other = recorded(conn, {"only": enqueue(conn)})
    assert claimed_ids(conn, n=3) == jobs[:3]
    assert call(conn, "honker_ack", jobs[0], "w") == 1
    fail(conn, jobs[1])
    assert ids(conn, workflow=workflow) == jobs[::-1]
    states = [job["state"] for job in page(conn, workflow=workflow)["jobs"]]
    assert states == ["ready", "running", "dead", "done"]
    assert ids(conn, workflow=workflow, state="dead") == [jobs[1]]
    assert ids(conn, workflow=workflow, ids=[jobs[2], *ids(conn, workflow=other)]) == [jobs[2]]
    assert ids(conn, n=2, workflow=workflow) == jobs[:1:-1]
    assert page(conn, jobs[2], workflow=workflow)["jobs"][0]["id"] == jobs[1]


@pytest.mark.parametrize("payload", ['"something else"', '{"name": "x", "jobs": {"a": "b"}}', "not JSON"])
def test_a_workflow_without_a_record_has_no_jobs(conn, payload):
    enqueue(conn)
    number = call(conn, "honker_stream_publish", "_workflows", None, payload)
    assert ids(conn, workflow=number) == ids(conn, workflow=number + 1) == ids(conn, workflow=2**63 - 1) == []


def test_an_event_of_another_topic_is_no_workflow(conn):
    number = call(conn, "honker_stream_publish", "t", None, json.dumps({"name": "", "jobs": {"a": enqueue(conn)}}))
    assert ids(conn, workflow=number) == []


def test_a_workflow_that_is_no_number_is_refused(conn):
    with refused("HONKER_INVALID_ARGUMENT", "workflow"):
        ids(conn, workflow="etl")


def test_a_verb_changes_the_jobs_of_a_workflow(conn):
    jobs = [enqueue(conn) for _ in range(3)]
    claimed_ids(conn)
    workflow = recorded(conn, {"a": jobs[0], "b": jobs[1]})
    assert apply(conn, "cancel", workflow=workflow)["done"] == 2
    assert [job["state"] for job in page(conn)["jobs"]] == ["ready", "running"]
    assert apply(conn, "requeue", workflow=workflow)["done"] == 0
