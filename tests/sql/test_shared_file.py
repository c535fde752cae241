"""Files that the reference works beside us.

The reference reads INTEGER and TEXT only: one instant with a fraction makes its claims fail or its jobs late. So in a
shared file every column that it reads holds whole seconds, whatever the arguments are, and nothing is early.
"""

import shutil
import threading

import pytest

from ..support.waiting import wait_until
from .contract import functions, ordinary_arguments, signatures, types
from .database import call, call_json, claim, dump, enqueue, refused, rows, value
from .test_schema import REFERENCE_COLUMNS, REFERENCE_FILE

FRACTION = 7.381


@pytest.fixture
def shared(conn):
    """A bootstrapped file that is marked as shared."""
    assert call(conn, "honker_file_share", 1) == 1
    return conn


def fractions(conn):
    """Values that a reader of integers and texts refuses, in the columns that the reference reads."""
    for table, columns in REFERENCE_COLUMNS.items():
        for column in columns.split(", "):
            for (kind,) in rows(conn, f"SELECT DISTINCT typeof({column}) FROM {table}"):
                if kind not in {"integer", "text", "null"}:
                    yield table, column, kind


def with_fractions(name, arity):
    """Ordinary arguments, with a fraction in each place where seconds may have one."""
    parameters = next(parameters for known, parameters, arities in signatures() if known == name and arity in arities)
    arguments = ordinary_arguments(name, arity) if parameters is functions()[name]["parameters"] else None
    if arguments is None:
        return None
    for index, parameter in enumerate(parameters[:arity]):
        if types().base_of(parameter["type"]) == "number" and parameter["type"] != "tokens":
            arguments[index] = {"instant": 2_000_000_000.25, "future_instant": 4_000_000_000.25}.get(
                parameter["type"], FRACTION
            )
    return arguments


def populate(conn):
    """Rows in every table, made by calls with fractions."""
    for _ in range(3):
        enqueue(conn, "n", delay=-0.5, expires=1000.5)
    enqueue(conn, "n", delay=FRACTION)
    enqueue(conn, "n", delay=FRACTION + 0.5)
    claim(conn, "n", "n", 2, 60.5)
    call(conn, "notify", "n", "{}")
    call(conn, "honker_stream_publish", "n", None, "{}")
    call(conn, "honker_lock_acquire", "n", "n", 60.25)
    call(conn, "honker_rate_limit_try", "n", 5, 0.5)
    call(conn, "honker_result_save", 9, "1", 60.25)
    call(conn, "honker_scheduler_register", "n", "n", "@every 60s", "{}", 0, None)
    call(conn, "honker_fail", 2, "n", "broken")


CALLS = [
    (name, arity)
    for name, function in functions().items()
    if function["effect"] in {"statement", "transition"} and name != "honker_file_share"
    for arity in function["arities"]
]


@pytest.mark.parametrize(("name", "arity"), CALLS)
def test_a_reader_of_integers_reads_every_row_after_every_function(shared, name, arity):
    if name.startswith("honker_test_clock_"):
        call(shared, "honker_test_clock_run", 0)  # refused once there is a job
    populate(shared)
    call(shared, name, *with_fractions(name, arity))
    assert list(fractions(shared)) == []


def test_the_same_calls_leave_fractions_in_a_file_of_ours(conn):
    """So the test above can fail."""
    populate(conn)
    assert ("_honker_live", "run_at", "real") in list(fractions(conn))


def test_settlements_leave_whole_seconds(shared):
    for _ in range(4):
        enqueue(shared, expires=90.5)
    claim(shared, n=3, timeout_s=0.75)
    call(shared, "honker_retry", 1, "w", 1, "broken")
    settlements = (
        '[{"id": 2, "attempt": 1, "do": "release", "delay_s": 1.5},'
        ' {"id": 3, "attempt": 1, "do": "retry", "delay_s": 2.5, "result": "1", "result_ttl_s": 3.5}]'
    )
    round_ = call_json(shared, "honker_work", "q", "w", 1, 0.3, settlements)
    assert round_["settled"] == [1, 1]
    assert type(round_["jobs"][0]["claim_expires_at"]) is int
    call(shared, "honker_heartbeat", 4, "w", 30.5)
    call(shared, "honker_cancel", 1)
    assert list(fractions(shared)) == []


def test_a_claim_tells_the_end_that_is_stored(shared):
    enqueue(shared)
    job = claim(shared, timeout_s=30.7)[0]
    assert job["claim_expires_at"] == value(shared, "SELECT claim_expires_at FROM _honker_live")
    assert type(job["claim_expires_at"]) is int


def test_the_results_of_the_functions_of_the_reference_are_whole(shared):
    enqueue(shared, delay=FRACTION, expires=100.5)
    assert type(call(shared, "honker_queue_next_claim_at", "q")) is int
    job = call_json(shared, "honker_get_job", 1)
    assert {type(job["run_at"]), type(job["expires_at"]), type(job["created_at"])} == {int}


def test_a_due_job_makes_the_next_claim_a_whole_second(conn):
    enqueue(conn)
    assert type(call(conn, "honker_queue_next_claim_at", "q")) is int


# ---------------------------------------------------------------------------------------------------------- the mark


def test_a_new_file_is_not_shared(conn):
    assert call(conn, "honker_file_is_shared") == 0


def test_a_file_of_the_reference_is_shared_once_it_is_upgraded(path, connect):
    shutil.copy(REFERENCE_FILE, path)
    conn = connect()
    call(conn, "honker_bootstrap")
    assert call(conn, "honker_file_is_shared") == 1
    enqueue(conn, delay=1)
    assert list(fractions(conn)) == []


def test_a_file_in_which_the_reference_made_notifications_only_is_shared(connect):
    conn = connect()
    conn.execute(
        "CREATE TABLE _honker_notifications (id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, "
        "payload TEXT NOT NULL, created_at INTEGER NOT NULL DEFAULT (unixepoch()))"
    )
    call(conn, "honker_bootstrap")
    assert call(conn, "honker_file_is_shared") == 1


def test_a_file_that_an_earlier_release_of_ours_upgraded_is_shared_and_rounded(conn):
    """The index that only the reference makes shows its origin."""
    populate(conn)
    conn.execute("CREATE INDEX _honker_live_claim ON _honker_live (queue, priority DESC, run_at, id)")
    conn.execute("DROP INDEX _honker_index_live_other")
    conn.execute("UPDATE _honker_meta SET value = 7 WHERE key IN ('schema_version', 'min_writer_version')")
    call(conn, "honker_bootstrap")
    assert call(conn, "honker_file_is_shared") == 1
    assert list(fractions(conn)) == []


def test_marking_a_file_rounds_its_rows_and_nothing_becomes_early(conn):
    populate(conn)
    ends = {table: dict(rows(conn, f"SELECT rowid, {column} FROM {table}")) for table, column in ROUNDED_UP}
    leases = dict(rows(conn, "SELECT id, claim_expires_at FROM _honker_live WHERE claim_expires_at IS NOT NULL"))
    assert call(conn, "honker_file_share", 1) == 1
    assert list(fractions(conn)) == []
    for table, column in ROUNDED_UP:
        for row, end in rows(conn, f"SELECT rowid, {column} FROM {table}"):
            assert ends[table][row] <= end < ends[table][row] + 1
    for job_id, end in rows(conn, "SELECT id, claim_expires_at FROM _honker_live WHERE claim_expires_at IS NOT NULL"):
        assert end <= leases[job_id] < end + 1, "the last second in which the lease holds"


ROUNDED_UP = [
    ("_honker_live", "run_at"),
    ("_honker_dead", "run_at"),
    ("_honker_locks", "expires_at"),
    ("_honker_results", "expires_at"),
]


def test_windows_of_one_second_become_one_with_all_their_uses(conn):
    windows = [(10, 1), (10.25, 2), (10.75, 4), (11.5, 8)]
    conn.executemany("INSERT INTO _honker_rate_limits VALUES ('n', ?, ?, NULL)", windows)
    call(conn, "honker_file_share", 1)
    assert rows(conn, "SELECT window_start, count FROM _honker_rate_limits ORDER BY 1") == [(10, 7), (11, 8)]


def test_a_limit_per_fraction_of_a_second_is_never_exceeded(shared):
    used = [call(shared, "honker_rate_limit_try", "n", 2, 0.25) for _ in range(20)]
    windows = value(shared, "SELECT count(*) FROM _honker_rate_limits")
    assert 2 <= sum(used) <= 2 * windows
    assert all(type(start) is int for (start,) in rows(shared, "SELECT window_start FROM _honker_rate_limits"))


def test_the_mark_can_be_removed(shared):
    assert call(shared, "honker_file_share", 1) == 0
    assert call(shared, "honker_file_share", 0) == 1
    assert call(shared, "honker_file_share", 0) == 0
    populate(shared)
    assert list(fractions(shared)) != []


def test_a_mark_that_fails_changes_nothing(conn):
    populate(conn)
    conn.execute("CREATE TRIGGER no AFTER UPDATE ON _honker_results BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = dump(conn)
    with refused("HONKER_CONSTRAINT"):
        call(conn, "honker_file_share", 1)
    assert dump(conn) == before


def test_a_mark_of_another_connection_is_seen_by_the_next_call(conn, connect):
    populate(conn)  # all statements are prepared
    call(connect(), "honker_file_share", 1)
    enqueue(conn, "n", delay=FRACTION)
    call(conn, "honker_lock_renew", "n", "n", 70)
    call(conn, "honker_heartbeat", 1, "n", 70.5)
    assert list(fractions(conn)) == []


WAITING_CALLS = [
    ("honker_enqueue", ("n", "{}", None, FRACTION, 0, 3, 60.5)),
    ("honker_lock_renew", ("n", "n", 70)),
    ("honker_heartbeat", (1, "n", 70.5)),
    ("honker_retry", (1, "n", 1.5, "later")),
    ("honker_result_save", (1, "1", 60)),
    ("honker_rate_limit_try", ("m", 1, 0.5)),
]


@pytest.mark.parametrize(("name", "arguments"), WAITING_CALLS, ids=[name for name, _ in WAITING_CALLS])
def test_a_call_that_waits_behind_the_mark_stores_whole_seconds(conn, connect, name, arguments):
    """The mark is read in the snapshot in which the instant is written, and not before the wait for the lock."""
    populate(conn)
    waiting, marking = connect(check_same_thread=False, timeout=30), connect()
    call(waiting, name, *arguments)
    marking.execute("BEGIN IMMEDIATE")
    call(marking, "honker_file_share", 1)
    waits = threading.Event()
    waiting.set_progress_handler(waits.set, 1)
    thread = threading.Thread(target=call, args=(waiting, name, *arguments))
    thread.start()
    wait_until(waits.is_set)
    marking.execute("COMMIT")
    thread.join()
    assert list(fractions(conn)) == []


# ------------------------------------------------------------------------------------------------------ the schedules


def schedule(conn, expression, name="n", time_zone=None):
    return call(conn, "honker_scheduler_register", name, "q", expression, "{}", 0, None, 3, time_zone, None)


def expressions(conn):
    return [expression for (expression,) in rows(conn, "SELECT cron_expr FROM _honker_scheduler_tasks ORDER BY name")]


@pytest.mark.parametrize(("written", "stored"), [
    ("0 9 * * MON-FRI", "0 9 * * 1-5"),
    ("0 9 * JAN,mar SUN", "0 9 * 1,3 0"),
    ("0 9 * * FRI-SUN", "0 9 * * 0,5,6"),
    ("0 9 * * 7", "0 9 * * 0"),
    ("0 9 * * 1-7/2", "0 9 * * 0,1,3,5"),
    ("0 9 ? * MON", "0 9 * * 1"),
    ("0 9 13 * +FRI", "0 9 13 * +5"),
    ("@daily", "0 0 * * *"),
    ("*/5 0 9 * * *", "*/5 0 9 * * *"),
    ("@every 5s", "@every 5s"),
])  # fmt: skip
def test_an_expression_is_stored_as_the_reference_reads_it_and_fires_as_before(shared, written, stored):
    schedule(shared, written)
    assert expressions(shared) == [stored]
    after = 1_800_000_000
    for _ in range(20):
        next_at = call(shared, "honker_cron_next_after", written, after)
        assert call(shared, "honker_cron_next_after", stored, after) == next_at
        after = next_at


@pytest.mark.parametrize("expression", ["0 9 L * *", "0 9 15W * *", "0 9 LW * *", "0 9 * * 5L", "0 9 * * FRI#2"])
def test_an_expression_without_such_a_form_is_refused_in_a_shared_file_only(conn, expression):
    schedule(conn, expression)
    with refused("HONKER_INVALID_ARGUMENT", 'the schedule "n"'):
        call(conn, "honker_file_share", 1)
    assert call(conn, "honker_file_is_shared") == 0
    call(conn, "honker_scheduler_unregister", "n")
    call(conn, "honker_file_share", 1)
    with refused("HONKER_INVALID_ARGUMENT", "shared"):
        schedule(conn, expression)
    schedule(conn, "0 9 * * *")
    with refused("HONKER_INVALID_ARGUMENT", "shared"):
        call(conn, "honker_scheduler_update", "n", expression, None, None, None, 0)
    assert expressions(conn) == ["0 9 * * *"]


def test_marking_a_file_rewrites_its_schedules_and_an_update_is_rewritten_too(conn):
    schedule(conn, "0 9 * * MON")
    next_fire_at = call(conn, "honker_scheduler_soonest")
    call(conn, "honker_file_share", 1)
    assert expressions(conn) == ["0 9 * * 1"]
    schedule(conn, "0 9 * * MON")
    assert call(conn, "honker_scheduler_soonest") == next_fire_at
    call(conn, "honker_scheduler_update", "n", "0 9 * * TUE", None, None, None, 0)
    assert expressions(conn) == ["0 9 * * 2"]


def test_a_file_of_ours_keeps_expressions_as_they_are_written(conn):
    schedule(conn, "0 9 L * MON")
    assert expressions(conn) == ["0 9 L * MON"]


def test_an_upgrade_tells_which_schedules_fire_at_other_times_than_before(path, connect):
    shutil.copy(REFERENCE_FILE, path)
    conn = connect()
    columns = "name, queue, cron_expr, payload, next_fire_at"
    added = f"INSERT INTO _honker_scheduler_tasks ({columns}) VALUES (?, 'q', ?, '{{}}', 0)"
    conn.executemany(added, [("both", "0 9 13 * 5"), ("one", "0 9 * * 5"), ("odd", "0 9 */2 * 5")])
    call(conn, "honker_bootstrap")
    hazards = call_json(conn, "honker_hazards")
    assert [(hazard["kind"], hazard["name"]) for hazard in hazards] == [("schedule", "both")]
    assert "only if both" in hazards[0]["problem"]


def test_a_time_zone_in_a_shared_file_is_a_hazard(shared):
    schedule(shared, "0 9 * * *", time_zone="Asia/Tokyo")
    assert [hazard["problem"] for hazard in call_json(shared, "honker_hazards")] == [
        "it has a time zone, which the reference ignores"
    ]


def test_a_file_of_ours_that_the_reference_has_opened_is_a_hazard(conn):
    schedule(conn, "0 9 13 * 5", time_zone="Asia/Tokyo")
    assert call_json(conn, "honker_hazards") == []
    conn.execute("CREATE INDEX _honker_live_claim ON _honker_live (queue, priority DESC, run_at, id)")
    assert [hazard["kind"] for hazard in call_json(conn, "honker_hazards")] == ["file"]
