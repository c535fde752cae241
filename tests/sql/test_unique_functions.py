"""Unique jobs: one job of a unique key at a time in a queue."""

import json

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, dump, enqueue, refused, rows, value
from .jobs import count, live, states

LONG_KEY = "k" * 254


def unique(conn, payload="{}", *, queue="q", unique_key="k", **options):
    """Enqueue a unique job: its id, and true if it was a duplicate."""
    given = json.dumps({"unique_key": unique_key, **options})
    added = call_json(conn, "honker_enqueue_unique", queue, payload, given)
    return added["id"], added["is_duplicate"]


def start(conn, job_id, worker="w"):
    assert claimed_ids(conn, worker=worker) == [job_id]


def unique_key(conn, job_id):
    return live(conn, "unique_key", job_id)


def test_a_duplicate_gets_the_id_of_the_job_that_waits_or_runs(conn):
    assert unique(conn, "1") == (1, False)
    assert unique(conn, "2") == (1, True)
    start(conn, 1)
    assert unique(conn, "3") == (1, True)
    assert rows(conn, "SELECT payload FROM _honker_live") == [("1",)]


def test_honker_enqueue_returns_the_id_alone(conn):
    assert call(conn, "honker_enqueue", "q", "1", '{"unique_key": "k"}') == 1
    assert call(conn, "honker_enqueue", "q", "2", '{"unique_key": "k"}') == 1


def test_keys_belong_to_their_queue_and_compare_whole(conn):
    assert unique(conn) == (1, False)
    assert unique(conn, queue="other") == (2, False)
    assert unique(conn, unique_key=LONG_KEY + "1") == (3, False)
    assert unique(conn, unique_key=LONG_KEY + "2") == (4, False)
    assert unique(conn, unique_key=LONG_KEY + "1") == (3, True)
    assert unique(conn, unique_key="K") == (5, False)


ENDS = {
    "ack": "honker_ack(1, 'w')",
    "ack of several": "honker_ack_batch('[1]', 'w')",
    "work": """honker_work('q', 'w', 0, 60, '[{"id": 1, "attempt": 1, "do": "ack"}]')""",
    "fail": "honker_fail(1, 'w', 'x')",
    "last retry": "honker_retry(1, 'w', 0, 'x')",
    "cancel": "honker_cancel(1)",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_each_end_of_the_job_frees_its_key(conn, end):
    unique(conn, max_attempts=1)
    start(conn, 1)
    value(conn, f"SELECT {end}")
    assert unique(conn) == (2, False)


def test_expiry_frees_the_key_by_the_sweep_and_by_the_claim(conn):
    unique(conn, expires=1)
    unique(conn, queue="other", expires=1)
    advance(conn, 2)
    assert unique(conn) == (1, True)
    assert call(conn, "honker_sweep_expired", "q") == 1
    assert claim(conn, "other") == []
    assert unique(conn) == (3, False)
    assert unique(conn, queue="other") == (4, False)


def test_a_lapsed_last_attempt_frees_the_key(conn):
    unique(conn, max_attempts=1)
    start(conn, 1)
    advance(conn, 62)
    assert claim(conn) == []
    assert unique(conn) == (2, False)


def test_a_program_that_deletes_the_row_frees_the_key(conn):
    unique(conn)
    conn.execute("DELETE FROM _honker_live")
    assert unique(conn) == (2, False)


@pytest.mark.parametrize("back", ["honker_retry(1, 'w', 0, 'x')", "honker_release(1, 'w')"])
def test_a_job_that_waits_again_keeps_its_key(conn, back):
    unique(conn)
    start(conn, 1)
    assert value(conn, f"SELECT {back}") == 1
    assert unique(conn) == (1, True)
    start(conn, 1)


def test_a_lapsed_job_keeps_its_key(conn):
    unique(conn)
    start(conn, 1)
    advance(conn, 62)
    start(conn, 1, "w2")
    assert unique(conn) == (1, True)


def test_a_key_until_the_start_is_free_from_then_on_and_a_retry_does_not_retake_it(conn):
    unique(conn, unique_until="started")
    assert unique(conn) == (1, True)
    start(conn, 1)
    assert unique(conn, unique_until="started") == (2, False)
    assert call(conn, "honker_retry", 1, "w", 0, "x") == 1
    assert sorted(claimed_ids(conn, n=2)) == [1, 2]
    assert call(conn, "honker_ack_batch", "[1, 2]", "w") == 2
    assert count(conn, "_honker_live") == 0


def test_a_rival_that_rolls_back_leaves_the_key_free(conn, connect):
    other = connect()
    conn.execute("BEGIN IMMEDIATE")
    assert unique(conn) == (1, False)
    conn.execute("ROLLBACK")
    assert unique(other) == (1, False)
    assert count(conn, "_honker_live") == 1


# ------------------------------------------------------------------------------------------------------------- raise


def test_raise_names_the_key_and_its_job_and_changes_nothing(conn):
    unique(conn)
    before = dump(conn)
    with refused("HONKER_UNIQUE_KEY_TAKEN", 'unique_key "k" of queue "q" is taken by job 1; wait'):
        unique(conn, on_conflict="raise")
    assert dump(conn) == before


def test_raise_in_a_transaction_leaves_it_open(conn):
    conn.execute("BEGIN")
    enqueue(conn)
    unique(conn)
    with refused("HONKER_UNIQUE_KEY_TAKEN"):
        unique(conn, on_conflict="raise")
    conn.execute("COMMIT")
    assert count(conn, "_honker_live") == 2


# ----------------------------------------------------------------------------------------------------------- replace


def test_replace_gives_a_waiting_job_the_new_contents_under_its_id(conn):
    unique(conn, "1", delay=60)
    created_at = live(conn, "created_at", 1)
    large = json.dumps("x" * 5000)
    given = {"priority": 7, "run_at": 4_000_000_000, "max_attempts": 9, "expires": 100}
    assert unique(conn, large, on_conflict="replace", **given) == (1, True)
    columns = "payload, priority, run_at, max_attempts, length(slack), created_at, expires_at > created_at"
    assert rows(conn, f"SELECT {columns} FROM _honker_live") == [(large, 7, 4_000_000_000, 9, 57, created_at, 1)]
    assert unique(conn, "2", on_conflict="replace") == (1, True)
    assert rows(conn, "SELECT payload, slack, expires_at FROM _honker_live") == [("2", None, None)]
    start(conn, 1)


@pytest.mark.parametrize("again", [False, True], ids=["running", "between two attempts"])
def test_replace_leaves_a_started_job_alone(conn, again):
    unique(conn, "1")
    start(conn, 1)
    if again:
        call(conn, "honker_retry", 1, "w", 60, "x")
    before = dump(conn)
    assert unique(conn, "2", on_conflict="replace") == (1, True)
    assert dump(conn) == before


def limit_keys(conn, **settings):
    call(conn, "honker_queue_configure", "q", json.dumps({"concurrency_per_key": 1, **settings}))


def test_replace_keeps_the_place_of_a_blocked_job_in_the_line_of_its_key(conn):
    limit_keys(conn)
    for number in range(3):
        unique(conn, str(number), unique_key=str(number), key="a")
    assert live(conn, "state", 2) == "blocked"
    assert unique(conn, "new", unique_key="1", key="a", on_conflict="replace") == (2, True)
    for expected in (1, 2, 3):
        start(conn, expected)
        assert claim(conn) == []
        assert call(conn, "honker_ack", expected, "w") == 1


def test_a_job_that_replace_puts_off_lets_the_next_of_its_key_run(conn):
    limit_keys(conn)
    for number in range(2):
        unique(conn, unique_key=str(number), key="a")
    assert live(conn, "state", 2) == "blocked"
    unique(conn, unique_key="0", key="a", on_conflict="replace", delay=60)
    assert live(conn, "state", 2) == "pending"
    start(conn, 2)


def test_replace_makes_a_blocked_job_the_first_of_its_key(conn):
    limit_keys(conn)
    for number in range(3):
        unique(conn, unique_key=str(number), key="a")
    start(conn, 1)
    unique(conn, unique_key="2", key="a", on_conflict="replace", priority=5)
    assert call(conn, "honker_ack", 1, "w") == 1
    start(conn, 3)


# ------------------------------------------------------------------------------------------------------------- rerun


def test_rerun_of_a_waiting_job_is_that_job(conn):
    unique(conn, "1")
    assert unique(conn, "2", on_conflict="rerun") == (1, True)
    assert live(conn, "payload", 1) == "1"


def test_rerun_gives_the_key_of_the_running_job_to_one_more(conn):
    unique(conn, "1")
    start(conn, 1)
    assert unique(conn, "2", on_conflict="rerun") == (2, False)
    assert (unique_key(conn, 1), unique_key(conn, 2)) == (None, "k")
    assert unique(conn, "3", on_conflict="rerun") == (2, True)
    assert call(conn, "honker_ack", 1, "w") == 1
    start(conn, 2)


def test_a_rerun_waits_for_the_end_of_the_running_job(conn):
    unique(conn, "1", max_attempts=1)
    start(conn, 1)
    unique(conn, "2", on_conflict="rerun")
    assert live(conn, "state", 2) == "waiting"
    assert claim(conn) == []
    # A failure of the running job does not stop it.
    assert call(conn, "honker_fail", 1, "w", "x") == 1
    start(conn, 2)


# ---------------------------------------------------------------------------------------------------------- debounce


def test_a_debounced_job_starts_after_the_last_event_with_its_payload(conn):
    unique(conn, "1", debounce_s=10)
    advance(conn, 6)
    assert unique(conn, "2", debounce_s=10) == (1, True)
    advance(conn, 6)
    assert claim(conn) == []
    advance(conn, 6)
    assert [(job["id"], job["payload"]) for job in claim(conn)] == [(1, "2")]


def test_a_debounced_job_starts_no_later_than_its_longest_wait_after_the_first_event(conn):
    for number in range(4):
        unique(conn, str(number), debounce_s=10, debounce_max_s=15)
        advance(conn, 5)
    assert [(job["id"], job["payload"]) for job in claim(conn)] == [(1, "3")]


@pytest.mark.parametrize("again", [False, True], ids=["running", "between two attempts"])
def test_an_event_after_the_start_of_a_debounced_job_runs_in_one_more(conn, again):
    unique(conn, "1", debounce_s=1)
    advance(conn, 2)
    start(conn, 1)
    if again:
        call(conn, "honker_retry", 1, "w", 600, "x")
    assert unique(conn, "2", debounce_s=1) == (2, False)
    assert unique(conn, "3", debounce_s=1) == (2, True)
    assert call(conn, "honker_cancel", 1) == 1
    advance(conn, 2)
    assert [(job["id"], job["payload"]) for job in claim(conn)] == [(2, "3")]


# ------------------------------------------------------------------------------------------------------ unique_for_s


def finish(conn, **options):
    unique(conn, "1", unique_for_s=60, **options)
    start(conn, 1)
    assert call(conn, "honker_ack", 1, "w") == 1


@pytest.mark.parametrize("on_conflict", ["existing", "replace", "rerun"])
def test_a_key_stays_taken_after_the_success(conn, on_conflict):
    finish(conn)
    assert unique(conn, on_conflict=on_conflict) == (1, True)
    with refused("HONKER_UNIQUE_KEY_TAKEN", "job 1"):
        unique(conn, on_conflict="raise")
    assert count(conn, "_honker_live") == 0
    advance(conn, 62)
    assert unique(conn, on_conflict=on_conflict) == (2, False)
    assert count(conn, "_honker_unique") == 0


@pytest.mark.parametrize("end", ["honker_fail(1, 'w', 'x')", "honker_cancel(1)"])
def test_a_key_is_free_after_an_end_without_success(conn, end):
    unique(conn, unique_for_s=60)
    start(conn, 1)
    value(conn, f"SELECT {end}")
    assert unique(conn) == (2, False)


def test_a_fraction_of_a_second_counts_in_full(conn):
    unique(conn, unique_for_s=0.5)
    assert live(conn, "unique_for_s", 1) == 1


@pytest.mark.parametrize("back_s", [40, 100_000])
def test_a_clock_set_back_does_not_hold_a_key_for_longer_than_its_time(conn, back_s):
    finish(conn)
    advance(conn, -back_s)
    is_held = back_s < 60
    assert unique(conn) == (1 if is_held else 2, is_held)
    advance(conn, 62)
    assert unique(conn) == (2, not is_held)


def test_expired_keys_are_deleted_a_few_at_a_time(conn):
    for number in range(6):
        unique(conn, unique_key=str(number), unique_for_s=60)
    ids = claimed_ids(conn, n=6)
    call(conn, "honker_ack_batch", json.dumps(ids), "w")
    advance(conn, 70)
    for left in (3, 2):
        job_id, _ = unique(conn, unique_for_s=60, unique_key=f"new {left}")
        start(conn, job_id)
        assert call(conn, "honker_ack", job_id, "w") == 1
        assert count(conn, "_honker_unique") == left


# ----------------------------------------------------------------------------------------------------------- requeue


def bury(conn):
    unique(conn, "1")
    start(conn, 1)
    assert call(conn, "honker_fail", 1, "w", "x") == 1


def test_a_requeued_job_takes_its_key_again(conn):
    bury(conn)
    assert call(conn, "honker_requeue", 1) == 1
    assert unique(conn) == (1, True)


def test_a_requeue_whose_key_is_taken_is_refused_and_changes_nothing(conn):
    bury(conn)
    assert unique(conn, "2", unique_for_s=60) == (2, False)
    before = dump(conn)
    with refused("HONKER_UNIQUE_KEY_TAKEN", "job 2"):
        call(conn, "honker_requeue", 1)
    assert dump(conn) == before
    start(conn, 2)
    assert call(conn, "honker_ack", 2, "w") == 1
    with refused("HONKER_UNIQUE_KEY_TAKEN", "job 2"):
        call(conn, "honker_requeue", 1)
    advance(conn, 62)
    assert call(conn, "honker_requeue", 1) == 1


def test_a_requeue_beside_a_live_job_of_the_same_id_copies_nothing(conn):
    bury(conn)
    conn.execute("INSERT INTO _honker_live (id, queue, payload, unique_key) VALUES (1, 'q', '{}', 'k')")
    assert call(conn, "honker_requeue", 1) == 0


def test_a_job_that_had_started_does_not_take_its_key_again_by_a_requeue(conn):
    unique(conn, unique_until="started")
    start(conn, 1)
    call(conn, "honker_fail", 1, "w", "x")
    unique(conn)
    assert call(conn, "honker_requeue", 1) == 1
    assert {job: state for job, (state, _) in states(conn).items()} == {1: "pending", 2: "pending"}


# -------------------------------------------------------------------------------------------------------------- many


def many(conn, payloads, flow):
    return call_json(conn, "honker_enqueue_many", "q", json.dumps(payloads), None, None, 0, 3, None, json.dumps(flow))


def test_many_jobs_with_duplicates_keep_their_places(conn):
    unique(conn, unique_key="b")
    flow = [{"unique_key": "a"}, None, {"unique_key": "b"}, {"unique_key": "a"}]
    assert many(conn, [1, 2, 3, 4], flow) == [2, 3, 1, 2]
    assert count(conn, "_honker_live") == 3


def test_many_jobs_of_one_key_are_one(conn):
    assert many(conn, [1, 2, 3], {"unique_key": "a", "on_conflict": "replace"}) == [1, 1, 1]
    assert rows(conn, "SELECT payload FROM _honker_live") == [("3",)]


def test_a_taken_key_among_many_undoes_all_of_them(conn):
    with refused("HONKER_UNIQUE_KEY_TAKEN"):
        many(conn, [1, 2], {"unique_key": "a", "on_conflict": "raise"})
    assert count(conn, "_honker_live") == 0


# ---------------------------------------------------------------------------------------------------------- atomicity


def refuse(conn, where):
    conn.execute(f"CREATE TRIGGER refusal BEFORE {where} BEGIN SELECT RAISE(ABORT, 'refused'); END")


@pytest.mark.parametrize("where", ["UPDATE ON _honker_live", "INSERT ON _honker_live"])
def test_a_rerun_that_fails_halfway_leaves_nothing(conn, where):
    unique(conn)
    start(conn, 1)
    refuse(conn, where)
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "refused"):
        unique(conn, on_conflict="rerun")
    assert dump(conn) == before


@pytest.mark.parametrize("where", ["INSERT ON _honker_unique", "DELETE ON _honker_live"])
def test_an_ack_that_fails_halfway_leaves_the_job_and_its_key(conn, where):
    unique(conn, unique_for_s=60)
    start(conn, 1)
    refuse(conn, where)
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "refused"):
        call(conn, "honker_ack", 1, "w")
    assert dump(conn) == before


# --------------------------------------------------------------------------------------------------------- arguments

REFUSED = {
    "no key": ({}, "options_json"),
    "empty key": ({"unique_key": ""}, "unique_key"),
    "key too long": ({"unique_key": "k" * 256}, "unique_key"),
    "conflict": ({"unique_key": "k", "on_conflict": "ignore"}, "on_conflict"),
    "conflict alone": ({"on_conflict": "raise"}, "on_conflict"),
    "until": ({"unique_key": "k", "unique_until": "acked"}, "unique_until"),
    "for nothing": ({"unique_key": "k", "unique_for_s": 0}, "unique_for_s"),
    "until and for": ({"unique_key": "k", "unique_until": "started", "unique_for_s": 1}, "unique_for_s"),
    "debounce and for": ({"unique_key": "k", "debounce_s": 1, "unique_for_s": 1}, "unique_for_s"),
    "debounce and raise": ({"unique_key": "k", "debounce_s": 1, "on_conflict": "raise"}, "on_conflict"),
    "longest wait alone": ({"unique_key": "k", "debounce_max_s": 1}, "debounce_max_s"),
    "replace and after": ({"unique_key": "k", "on_conflict": "replace", "after": [1]}, "after"),
    "debounce and after": ({"unique_key": "k", "debounce_s": 1, "after": [1]}, "after"),
}


@pytest.mark.parametrize(("options", "argument"), REFUSED.values(), ids=REFUSED)
def test_options_that_do_not_go_together_are_refused(conn, options, argument):
    with refused("HONKER_INVALID_ARGUMENT", f": {argument} "):
        call(conn, "honker_enqueue_unique", "q", "{}", json.dumps(options))
