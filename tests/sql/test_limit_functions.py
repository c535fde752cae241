"""Limits of a queue and of its keys: concurrency, order and rate."""

import json
import time

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, enqueue, refused, rows
from .jobs import live, put


def configure(conn, **settings):
    return call_json(conn, "honker_queue_configure", "q", json.dumps(settings))


def keyed(conn, key, **options):
    return call(conn, "honker_enqueue", "q", "{}", json.dumps({"key": key} | options))


def states(conn):
    return dict(rows(conn, "SELECT id, state FROM _honker_live ORDER BY id"))


def violations(conn):
    return call_json(conn, "honker_flow_violations", 100)


# ---------------------------------------------------------------------------------------------------------- concurrency


def test_a_queue_hands_out_no_more_than_its_concurrency(conn):
    configure(conn, concurrency=2)
    for _ in range(5):
        enqueue(conn)
    assert claimed_ids(conn, n=10) == [1, 2]
    assert claimed_ids(conn, n=10) == []
    call(conn, "honker_ack", 1, "w")
    assert claimed_ids(conn, n=10) == [3]


def test_a_full_queue_says_when_its_first_lease_lapses(conn):
    configure(conn, concurrency=1)
    enqueue(conn)
    enqueue(conn)
    claim(conn)
    assert call(conn, "honker_queue_next_claim_at", "q") == live(conn, "claim_expires_at", 1) + 1
    advance(conn, 62)
    assert claimed_ids(conn, worker="w2", n=10) == [1]


@pytest.mark.parametrize("end", ["ack", "fail", "retry", "release", "cancel", "snooze"])
def test_every_end_of_a_claim_gives_its_slot_back(conn, end):
    configure(conn, concurrency=1, concurrency_per_key=1)
    keyed(conn, "k", max_attempts=1 if end == "fail" else 3)
    keyed(conn, "k")
    assert claimed_ids(conn, n=10) == [1]
    finish(conn, end)
    assert states(conn)[2] == "pending"
    assert violations(conn) == []
    assert claimed_ids(conn, n=10) == [2]


def finish(conn, end):
    calls = {
        "ack": ("honker_ack", 1, "w"),
        "fail": ("honker_fail", 1, "w", "x"),
        "retry": ("honker_retry", 1, "w", 60, "x"),
        "release": ("honker_release", 1, "w", 1, 60, 0),
        "cancel": ("honker_cancel", 1),
        "snooze": ("honker_snooze", 1, "w", 60),
    }
    assert call(conn, *calls[end]) == 1


def test_a_lapsed_lease_gives_its_slot_back_to_the_same_key(conn):
    configure(conn, concurrency_per_key=1)
    keyed(conn, "k")
    keyed(conn, "k")
    claim(conn, n=10)
    advance(conn, 62)
    assert claimed_ids(conn, worker="w2", n=10) == [1]
    assert states(conn) == {1: "processing", 2: "blocked"}


def test_a_lower_limit_stops_nothing_and_a_higher_one_lets_more_start(conn):
    configure(conn, concurrency_per_key=2)
    for _ in range(4):
        keyed(conn, "k")
    assert claimed_ids(conn, n=10) == [1, 2]
    configure(conn, concurrency_per_key=1)
    call(conn, "honker_ack", 1, "w")
    assert claimed_ids(conn, n=10) == []
    configure(conn, concurrency_per_key=3)
    assert claimed_ids(conn, n=10) == [3, 4]


def test_dropping_the_limit_frees_every_blocked_job(conn):
    configure(conn, concurrency_per_key=1)
    for _ in range(5):
        keyed(conn, "k")
    assert claimed_ids(conn) == [1]
    configure(conn, concurrency_per_key=None)
    assert claimed_ids(conn, n=10) == [2, 3, 4, 5]


# ----------------------------------------------------------------------------------------------------------------- keys


def test_jobs_of_one_key_run_one_at_a_time_in_the_order_of_their_enqueue(conn):
    configure(conn, concurrency_per_key=1)
    for key in "aabab":
        keyed(conn, key)
    assert states(conn) == {1: "pending", 2: "blocked", 3: "pending", 4: "blocked", 5: "blocked"}
    order = []
    while claimed := claimed_ids(conn, n=1):
        order += claimed
        call(conn, "honker_ack", claimed[0], "w")
    assert [job for job in order if job in {1, 2, 4}] == [1, 2, 4]
    assert [job for job in order if job in {3, 5}] == [3, 5]


def test_jobs_without_a_key_are_not_limited(conn):
    configure(conn, concurrency_per_key=1)
    for _ in range(3):
        enqueue(conn)
    assert claimed_ids(conn, n=10) == [1, 2, 3]


def test_a_better_priority_goes_first_within_a_key(conn):
    configure(conn, concurrency_per_key=1)
    keyed(conn, "k")
    keyed(conn, "k")
    keyed(conn, "k", priority=5)
    assert claimed_ids(conn, n=10) == [3]
    assert states(conn) == {1: "blocked", 2: "blocked", 3: "processing"}
    call(conn, "honker_ack", 3, "w")
    assert claimed_ids(conn, n=10) == [1]


def test_a_job_that_is_not_due_blocks_nothing_and_joins_the_line_when_due(conn):
    configure(conn, concurrency_per_key=1)
    keyed(conn, "k", delay=3600)
    keyed(conn, "k")
    keyed(conn, "k")
    assert claimed_ids(conn, n=10) == [2]
    advance(conn, 3601)
    conn.execute("UPDATE _honker_live SET claim_expires_at = unixepoch() + 60 WHERE id = 2")
    assert claimed_ids(conn, n=10) == []
    call(conn, "honker_ack", 2, "w")
    assert claimed_ids(conn, n=10) == [1]  # enqueued before 3
    call(conn, "honker_ack", 1, "w")
    assert claimed_ids(conn, n=10) == [3]


def test_a_promoted_job_joins_the_back_of_its_priority_so_that_keys_take_turns(conn):
    configure(conn, concurrency_per_key=1)
    for _ in range(3):
        keyed(conn, "hot")
    conn.execute("UPDATE _honker_live SET created_at = created_at - 10, run_at = run_at - 10")
    keyed(conn, "cold")
    conn.execute("UPDATE _honker_live SET run_at = run_at - 5 WHERE id = 4")
    assert claimed_ids(conn) == [1]
    call(conn, "honker_ack", 1, "w")
    assert claimed_ids(conn) == [4]


def test_a_dead_job_of_a_key_lets_the_next_one_run(conn):
    configure(conn, concurrency_per_key=1)
    keyed(conn, "k", max_attempts=1)
    keyed(conn, "k")
    claim(conn)
    call(conn, "honker_retry", 1, "w", 0, "x")
    assert claimed_ids(conn, n=10) == [2]
    assert call(conn, "honker_requeue", 1) == 1
    assert states(conn) == {1: "blocked", 2: "processing"}
    call(conn, "honker_ack", 2, "w")
    assert claimed_ids(conn, n=10) == [1]


def test_expired_jobs_of_a_key_do_not_strand_it(conn):
    configure(conn, concurrency_per_key=1)
    keyed(conn, "k", expires=-1)
    keyed(conn, "k", expires=-1)
    keyed(conn, "k")
    while not (claimed := claimed_ids(conn, n=10)):
        assert call(conn, "honker_queue_next_claim_at", "q") > 0
    assert claimed == [3]
    assert rows(conn, "SELECT id FROM _honker_dead ORDER BY id") == [(1,), (2,)]


def test_a_sweep_promotes_behind_the_jobs_that_it_buries(conn):
    configure(conn, concurrency_per_key=1)
    keyed(conn, "k", expires=-1)
    keyed(conn, "k")
    assert call(conn, "honker_sweep_expired", "q") == 1
    assert states(conn) == {2: "pending"}


def test_a_key_that_another_program_has_stranded_is_rescued(conn):
    """By a reference process, an older honker or a DELETE by hand: nothing promotes then."""
    configure(conn, concurrency_per_key=1)
    for number in range(40):
        keyed(conn, f"k{number}")
        keyed(conn, f"k{number}")
    conn.execute("DELETE FROM _honker_live WHERE state = 'pending'")
    assert len(violations(conn)) == 40
    rescued = set()
    for _ in range(4):
        rescued.update(claimed_ids(conn, n=100))
    assert len(rescued) == 40
    assert violations(conn) == []


def test_a_row_of_the_reference_is_a_plain_job(conn):
    configure(conn, concurrency=3, concurrency_per_key=1)
    put(conn)
    put(conn)
    assert claimed_ids(conn, n=10) == [1, 2]


def test_one_claim_parks_a_bounded_number_of_jobs(conn):
    for _ in range(200):
        keyed(conn, "k")
    configure(conn, concurrency_per_key=1)
    assert claimed_ids(conn, n=10) == [1]
    assert sum(state == "blocked" for state in states(conn).values()) <= 64


def test_settings_demand_a_writer_that_knows_them(conn):
    assert rows(conn, "SELECT value FROM _honker_meta WHERE key = 'min_writer_version'")[0][0] < 10
    keyed(conn, "k")
    assert rows(conn, "SELECT value FROM _honker_meta WHERE key = 'min_writer_version'") == [(10,)]


# ---------------------------------------------------------------------------------------------------------------- order


def test_an_ordered_key_waits_for_its_head_between_attempts(conn):
    configure(conn, ordered=True)
    for _ in range(3):
        keyed(conn, "k")
    claim(conn)
    call(conn, "honker_retry", 1, "w", 60, "x")
    assert claimed_ids(conn, n=10) == []
    assert keyed(conn, "k") == 4
    assert states(conn) == {1: "pending", 2: "blocked", 3: "blocked", 4: "blocked"}
    advance(conn, 61)
    assert claimed_ids(conn, n=10) == [1]
    call(conn, "honker_ack", 1, "w")
    assert claimed_ids(conn, n=10) == [2]


@pytest.mark.parametrize(("on_dead", "next_ids"), [(None, []), ("block", []), ("continue", [2])])
def test_a_dead_head_of_an_ordered_key_blocks_it_unless_told_otherwise(conn, on_dead, next_ids):
    configure(conn, ordered=True, on_dead=on_dead)
    for _ in range(2):
        keyed(conn, "k")
    claim(conn)
    call(conn, "honker_fail", 1, "w", "x")
    assert claimed_ids(conn, n=10) == next_ids


def test_a_requeued_head_of_an_ordered_key_runs_before_those_behind_it(conn):
    configure(conn, ordered=True)
    for _ in range(3):
        keyed(conn, "k")
    claim(conn)
    call(conn, "honker_fail", 1, "w", "x")
    assert call(conn, "honker_requeue", 1) == 1
    for expected in (1, 2, 3):
        assert claimed_ids(conn, n=10) == [expected]
        call(conn, "honker_ack", expected, "w")


def test_five_dead_jobs_of_one_key_are_requeued_one_at_a_time_and_in_order(conn):
    configure(conn, ordered=True, on_dead="continue")
    for _ in range(5):
        keyed(conn, "k")
    for job_id in range(1, 6):
        assert claimed_ids(conn, n=10) == [job_id]
        call(conn, "honker_fail", job_id, "w", "x")
    for job_id in (3, 1, 5, 2, 4):
        assert call(conn, "honker_requeue", job_id) == 1
    order = []
    while claimed := claimed_ids(conn, n=10):
        assert len(claimed) == 1
        order += claimed
        call(conn, "honker_ack", claimed[0], "w")
    assert order == [1, 2, 3, 4, 5]


# ----------------------------------------------------------------------------------------------------------------- rate


def test_a_rate_hands_out_its_burst_and_says_when_the_next_start_is(conn):
    configure(conn, rate=[10, 60], burst=3)
    for _ in range(10):
        enqueue(conn)
    before = time.time()
    assert claimed_ids(conn, n=10) == [1, 2, 3]
    assert claimed_ids(conn, n=10) == []
    at = call(conn, "honker_queue_next_claim_at", "q")
    assert before + 5.9 <= at <= time.time() + 6.1
    assert rows(conn, "SELECT count(*) FROM _honker_live WHERE state = 'pending'") == [(7,)]


def test_a_rate_costs_one_row_and_leaves_the_waiting_jobs_alone(conn):
    configure(conn, rate=[1, 3600])
    for _ in range(3):
        enqueue(conn)
    claim(conn, n=10)
    before = rows(conn, "SELECT * FROM _honker_live WHERE state = 'pending'")
    for _ in range(5):
        assert claimed_ids(conn, n=10) == []
    assert rows(conn, "SELECT * FROM _honker_live WHERE state = 'pending'") == before


def test_the_rate_of_a_key_gives_each_job_its_start_once(conn):
    configure(conn, rate_per_key=[1, 10])
    for _ in range(4):
        keyed(conn, "k")
    other = keyed(conn, "another")
    assert claimed_ids(conn, n=10) == [1, other]
    first = dict(rows(conn, "SELECT id, run_at FROM _honker_live WHERE key = 'k' AND id > 1"))
    starts = [first[job] for job in (2, 3, 4)]
    now = time.time()
    assert starts == pytest.approx([now + 10, now + 20, now + 30], abs=0.5)
    assert claimed_ids(conn, n=10) == []
    assert dict(rows(conn, "SELECT id, run_at FROM _honker_live WHERE key = 'k' AND id > 1")) == first


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 1001}, "concurrency"),
        ({"concurrency": "3"}, "concurrency"),
        ({"rate": [0, 1]}, "rate"),
        ({"rate": [1, 0]}, "rate"),
        ({"rate": 5}, "rate"),
        ({"rate_per_key": [1]}, "rate_per_key"),
        ({"ordered": 1}, "ordered"),
        ({"ordered": True, "concurrency_per_key": 2}, "concurrency_per_key"),
        ({"on_dead": "retry"}, "on_dead"),
        ({"burst": 0}, "burst"),
        ({"burst": 5}, "burst"),
        ({"burst": 5, "rate": None}, "burst"),
        ({"keep_finished_s": -1}, "keep_finished_s"),
        ({"colour": 1}, "settings_json"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(conn, settings, named):
    with refused("HONKER_INVALID_ARGUMENT", f"HONKER_INVALID_ARGUMENT: {named} "):
        configure(conn, **settings)


def test_settings_that_are_not_given_stay(conn):
    configure(conn, concurrency=3, rate=[5, 60])
    configure(conn, concurrency=4)
    assert configure(conn)["rate"] == [5, 60]
    call(conn, "honker_queue_pause", "q")
    configure(conn, concurrency=5)
    assert claimed_ids(conn) == []
    assert call(conn, "honker_queue_resume", "q") == 1
    assert call_json(conn, "honker_queue_settings", "q")["concurrency"] == 5


def test_an_ordered_key_runs_its_jobs_by_priority_and_then_by_id(conn):
    configure(conn, ordered=True)
    ids = [keyed(conn, "k", priority=priority) for priority in (0, 0, 5)]
    seen = []
    while taken := claimed_ids(conn, n=5):
        seen += taken
        call(conn, "honker_ack", taken[0], "w", 1)
    assert seen == [ids[2], ids[0], ids[1]]


@pytest.mark.parametrize("delay", [0, 3_600])
def test_a_better_priority_does_not_overtake_a_job_between_two_attempts_in_an_ordered_queue(conn, delay):
    configure(conn, ordered=True)
    first = keyed(conn, "k")
    assert claimed_ids(conn) == [first]
    second = keyed(conn, "k", priority=5)
    call(conn, "honker_retry", first, "w", delay, "again", 1)
    if delay:
        call(conn, "honker_jobs_apply", "run_now", json.dumps({"ids": [first]}), None, 10)
    assert "no worker has claimed it yet" in call_json(conn, "honker_job_detail", first)["why"]
    assert claimed_ids(conn, n=5) == [first]
    assert claimed_ids(conn, n=5) == []
    call(conn, "honker_ack", first, "w", 2)
    assert claimed_ids(conn, n=5) == [second]
    assert call_json(conn, "honker_flow_violations", 10) == []


# ------------------------------------------------------------------------------------------- settings that let jobs go


@pytest.mark.parametrize(
    ("before", "after", "pending"),
    [
        ({"concurrency_per_key": 1}, {"concurrency_per_key": 3}, 2),
        ({"concurrency_per_key": 1}, {"concurrency_per_key": None}, 4),
        ({"ordered": True}, {"ordered": False}, 4),
        ({"ordered": True}, {"ordered": False, "concurrency_per_key": 2}, 1),
    ],
)
def test_a_key_with_more_room_has_candidates_at_once(conn, before, after, pending):
    configure(conn, **before)
    for _ in range(5):
        keyed(conn, "k")
    assert claimed_ids(conn) == [1]
    configure(conn, **after)
    assert list(states(conn).values()).count("pending") == pending
    assert violations(conn) == []


def test_a_line_that_may_pass_its_dead_head_goes_on_at_once(conn):
    configure(conn, ordered=True)
    for _ in range(2):
        keyed(conn, "k")
    claimed_ids(conn)
    assert call(conn, "honker_fail", 1, "w", "e", 1) == 1
    assert states(conn) == {2: "blocked"}
    configure(conn, on_dead="continue")
    assert states(conn) == {2: "pending"}
    assert violations(conn) == []


def test_a_change_of_limits_promotes_the_jobs_of_many_keys(conn):
    configure(conn, concurrency_per_key=1)
    for number in range(200):
        for _ in range(3):
            keyed(conn, f"k{number}")
    configure(conn, concurrency_per_key=2)
    assert list(states(conn).values()).count("pending") == 400
    assert violations(conn) == []


def test_a_change_of_limits_is_undone_whole(conn):
    configure(conn, concurrency_per_key=1)
    for _ in range(3):
        keyed(conn, "k")
    conn.execute("BEGIN")
    configure(conn, concurrency_per_key=None)
    conn.execute("ROLLBACK")
    assert sorted(states(conn).values()) == ["blocked", "blocked", "pending"]


def test_a_key_that_was_edited_into_no_text_stops_no_change_of_limits(conn):
    configure(conn, concurrency_per_key=1)
    for _ in range(2):
        keyed(conn, "k")
        keyed(conn, "z")
    conn.execute("UPDATE _honker_live SET key = x'00ff' WHERE key = 'z'")
    configure(conn, concurrency_per_key=2)
    assert [state for job, state in states(conn).items() if job in {1, 3}] == ["pending", "pending"]
