"""Rate limits and token buckets of several sessions: exactly as many uses pass as the limit allows."""

import pytest

from .sessions import advance, call, together
from .waiting_sessions import open_sessions

USES_EACH = 2000
TRY = "SELECT honker.honker_rate_limit_try('r', 1, 3600)"
TAKE = "SELECT honker.honker_token_bucket_take('b', 1, 0.001, 1)"


@pytest.fixture
def sessions(url):
    with open_sessions(url, 2) as opened:
        yield opened


def stop_clock(conn):
    """So that a busy machine reaches no further window."""
    conn.execute("SET honker.clock_ms = 1800000000000")


def test_eight_thousand_uses_of_four_sessions_pass_up_to_the_limit(url):
    def use(conn, _number):
        stop_clock(conn)
        return sum(call(conn, "honker_rate_limit_try", "r", 3000, 60) for _ in range(USES_EACH))

    assert sum(together(url, 4, use)) == 3000


def test_eight_thousand_takes_of_four_sessions_pass_up_to_the_capacity(url):
    def take(conn, _number):
        stop_clock(conn)
        return sum(call(conn, "honker_token_bucket_take", "b", 3000, 1, 1) == 0 for _ in range(USES_EACH))

    assert sum(together(url, 4, take)) == 3000


def test_a_bucket_that_is_refilled_meanwhile_gives_no_token_twice(conn, url):
    def take(session, _number):
        return sum(call(session, "honker_token_bucket_take", "b", 100, 200, 1) == 0 for _ in range(500))

    began = conn.execute("SELECT _now()").fetchone()[0]
    taken = sum(together(url, 4, take))
    passed_s = (conn.execute("SELECT _now()").fetchone()[0] - began) / 1000
    assert 100 <= taken <= 100 + 200 * passed_s


@pytest.mark.parametrize(("sql", "passes"), [(TRY, 1), (TAKE, 0)])
def test_a_use_that_is_undone_does_not_count(sessions, sql, passes):
    first, second = sessions
    first.one("BEGIN")
    assert first.one(sql) == passes
    waiting = second.begin(sql)
    first.one("ROLLBACK")
    assert waiting.result(30) == passes


@pytest.mark.parametrize(("sql", "passes"), [(TRY, 1), (TAKE, 0)])
def test_a_use_waits_for_an_earlier_one_and_finds_it(sessions, sql, passes):
    first, second = sessions
    first.one("BEGIN")
    assert first.one(sql) == passes
    waiting = second.begin(sql)
    first.one("COMMIT")
    assert waiting.result(30) != passes


def test_windows_that_have_ended_and_full_buckets_are_deleted(conn):
    for number in range(6):
        call(conn, "honker_rate_limit_try", f"r{number}", 1, 60)
        call(conn, "honker_token_bucket_take", f"b{number}", 1, 1, 1)
    advance(conn, 3600)
    for number in range(2):
        call(conn, "honker_rate_limit_try", f"s{number}", 1, 60)
        call(conn, "honker_token_bucket_take", f"c{number}", 1, 1, 1)
    assert conn.execute("SELECT array_agg(name ORDER BY name) FROM rate_limits").fetchone()[0] == ["s0", "s1"]
    assert conn.execute("SELECT array_agg(name ORDER BY name) FROM token_buckets").fetchone()[0] == ["c0", "c1"]


def test_a_clock_that_is_set_back_neither_makes_nor_withholds_tokens(conn):
    def take(tokens):
        return call(conn, "honker_token_bucket_take", "b", 10, 1, tokens)

    stop_clock(conn)
    assert take(4) == 0
    advance(conn, -1_000_000)
    assert take(7) == 1
    assert take(6) == 0
    advance(conn, 9)
    assert take(10) == 1
    advance(conn, 1)
    assert take(10) == 0
