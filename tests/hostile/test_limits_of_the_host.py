"""A lowered SQLITE_LIMIT_LENGTH, and rows so large that a result cannot hold all of them."""

import json
import sqlite3

import pytest

from ..sql.database import call, call_json, dump, enqueue, rows

LENGTH = sqlite3.SQLITE_LIMIT_LENGTH


@pytest.fixture
def conn(connect):
    conn = connect()
    call(conn, "honker_bootstrap")
    return conn


@pytest.mark.parametrize("character", ["x", chr(1)], ids=["plain", "control"])
@pytest.mark.parametrize("function", ["claim", "detailed claim", "work"])
def test_a_claim_takes_as_many_jobs_as_its_result_can_hold(conn, function, character):
    for _ in range(30):
        enqueue(conn, payload=character * 20_000)
    conn.setlimit(LENGTH, 200_000)
    delivered = []
    while True:
        if function == "work":
            jobs = call_json(conn, "honker_work", "q", "w", 30, 60, "[]")["jobs"]
        else:
            detailed = [1] if function == "detailed claim" else []
            jobs = call_json(conn, "honker_claim_batch", "q", "w", 30, 60, *detailed)
        if not jobs:
            break
        delivered += [job["id"] for job in jobs]
    assert delivered == list(range(1, 31))
    assert rows(conn, "SELECT DISTINCT attempts FROM _honker_live") == [(1,)]


@pytest.mark.parametrize("settlements", [[], [{"id": 1, "attempt": 1, "do": "ack"}]], ids=["claim", "settle and claim"])
def test_a_job_that_no_result_can_hold_is_not_charged(conn, settlements):
    enqueue(conn)
    call(conn, "honker_claim_batch", "q", "w", 1, 60)
    enqueue(conn, payload=chr(1) * 20_000)
    conn.setlimit(LENGTH, 50_000)
    before = dump(conn)
    with pytest.raises(sqlite3.Error, match="too big"):
        call(conn, "honker_work", "q", "w", 1, 60, json.dumps(settlements))
    conn.setlimit(LENGTH, 1_000_000_000)
    assert dump(conn) == before
    assert not conn.in_transaction


@pytest.mark.parametrize(
    "arguments",
    [
        ("honker_enqueue_many", "q", json.dumps([0] * 9_000), None, None, 0, 3, None),
        ("honker_stream_publish_many", "t", json.dumps([[None, 0]] * 2_500)),
        ("honker_scheduler_tick", 4_000_000_000),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_write_whose_result_is_too_long_is_undone(conn, arguments):
    for number in range(12):
        call(conn, "honker_scheduler_register", f"s{number}", "q" * 200, "@every 1h", "{}", 0, None)
    # So that the offsets are longer than the events.
    conn.execute("INSERT INTO _honker_stream (offset, topic, payload) VALUES (1000000000000000, 't', '1')")
    conn.setlimit(LENGTH, 32_000 if "tick" not in arguments[0] else 60_000)
    before = dump(conn)
    with pytest.raises(sqlite3.Error, match="too big"):
        call(conn, *arguments)
    conn.setlimit(LENGTH, 1_000_000_000)
    assert dump(conn) == before
    assert not conn.in_transaction


@pytest.mark.parametrize("log", ["stream", "notification"])
def test_a_read_stops_after_16_mib_and_goes_on_after_the_last_row(conn, log):
    limit = call_json(conn, "honker_limits")["read_max_bytes"]
    payload = "x" * 3_000_000
    for number in range(12):
        call(
            conn, *(("honker_stream_publish", "t", None) if log == "stream" else ("notify", "t")), f"{number}{payload}"
        )
    place, seen, lengths = 0, [], []
    while page := call(conn, f"honker_{log}_read_since", "t", place, -1):
        if page == "[]":
            break
        lengths.append(len(page))
        found = json.loads(page)
        place = found[-1]["offset" if log == "stream" else "id"]
        seen += [int(row["payload"].partition("x")[0]) for row in found]
    assert seen == list(range(12))
    assert max(lengths) < limit + 2 * len(payload)


@pytest.mark.parametrize("log", ["stream", "notification"])
def test_a_read_returns_a_row_that_is_larger_than_a_page(conn, log):
    payload = chr(1) * 20_000_000
    call(conn, *(("honker_stream_publish", "t", None) if log == "stream" else ("notify", "t")), payload)
    assert call_json(conn, f"honker_{log}_read_since", "t", 0, 10)[0]["payload"] == payload
