"""Rate limits: a number of uses of a name in a window of time."""

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from honker import HonkerError, InvalidArgumentError

from ..support.locking import ask
from ..support.processes import several
from ..support.waiting import wait_until

LONG_S = 86_400_000  # one window holds the whole test

TAKER = """
import sys
import honker
with honker.open(sys.argv[1]) as db:
    sys.stdin.readline()
    print(sum(db.try_rate_limit("api", 50, 86_400_000) for _ in range(40)))
"""


def windows(path):
    return ask(path, "SELECT name, count FROM _honker_rate_limits ORDER BY name, window_start")


def age(path, seconds):
    ask(
        path,
        "UPDATE _honker_rate_limits SET window_start = window_start - ?, expires_at = expires_at - ?",
        seconds,
        seconds,
    )


def test_a_window_admits_as_many_uses_as_its_limit(db):
    admitted = [db.try_rate_limit("api", 3, LONG_S) for _ in range(5)]
    assert admitted == [True, True, True, False, False]
    assert all(type(each) is bool for each in admitted)


def test_uses_that_were_refused_are_not_counted(db, path):
    for _ in range(5):
        db.try_rate_limit("api", 2, LONG_S)
    assert windows(path) == [("api", 2)]
    assert db.try_rate_limit("api", 3, LONG_S)


def test_the_next_window_starts_anew(db, path):
    assert [db.try_rate_limit("api", 1, LONG_S) for _ in range(2)] == [True, False]
    age(path, LONG_S)
    assert [db.try_rate_limit("api", 1, LONG_S) for _ in range(2)] == [True, False]


def test_names_have_windows_of_their_own(db):
    assert [db.try_rate_limit(name, 1, LONG_S) for name in ("a", "b", "a")] == [True, True, False]


@pytest.mark.parametrize("per", [7, 60, timedelta(minutes=1), Decimal(3600), 2.5], ids=repr)
def test_windows_begin_at_multiples_of_their_length(db, path, per):
    length = per.total_seconds() if isinstance(per, timedelta) else float(per)
    before = time.time()
    assert db.try_rate_limit("api", 1, per)
    ((start,),) = ask(path, "SELECT window_start FROM _honker_rate_limits")
    assert before // length * length <= start <= time.time() // length * length


def test_a_window_may_be_shorter_than_a_second(db):
    def refused_and_then_admitted():
        admitted = db.try_rate_limit("api", 1, 0.05), db.try_rate_limit("api", 1, 0.05)
        return admitted == (True, False)

    wait_until(refused_and_then_admitted)
    wait_until(lambda: db.try_rate_limit("api", 1, 0.05), timeout_s=3)


@pytest.mark.parametrize(("limit", "per"), [(0, 60), (-1, 60), (1, 0), (1, -60), (1, 0.0), (1, -0.5), (0, 0)])
def test_limit_and_per_must_be_positive(db, path, limit, per):
    with pytest.raises(ValueError, match="limit and per must be positive"):
        db.try_rate_limit("api", limit, per)
    assert windows(path) == []


@pytest.mark.parametrize(
    ("limit", "per"),
    [(1, "60"), (1, None), (1, float("nan")), (1, float("inf")), ("1", 60), (1.5, 60), (None, 60), (2**63, 60)],
)
def test_what_is_no_number_or_too_large_is_refused_by_an_error_of_honker(db, path, limit, per):
    with pytest.raises((HonkerError, TypeError)):
        db.try_rate_limit("api", limit, per)
    assert windows(path) == []


def test_a_limit_must_have_a_name(db):
    with pytest.raises(InvalidArgumentError, match="empty"):
        db.try_rate_limit("", 1, 60)


def test_a_use_in_a_transaction_is_counted_if_it_commits(db, path):
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
        assert db.try_rate_limit("api", 1, LONG_S, tx=tx)
        assert not db.try_rate_limit("api", 1, LONG_S, tx=tx)
        raise ZeroDivisionError
    assert windows(path) == []
    with db.transaction() as tx:
        assert db.try_rate_limit("api", 1, LONG_S, tx=tx)
    assert not db.try_rate_limit("api", 1, LONG_S)


def test_processes_share_a_window(db, path):
    with several(3, TAKER, path) as takers:
        for taker in takers:
            taker.say()
        admitted = [int(taker.finish()[0]) for taker in takers]
    assert sum(admitted) == 50
    assert windows(path) == [("api", 50)]


# ------------------------------------------------------------------------------------------------------------- sweeping


def begin(path, name, seconds_ago):
    """Insert a window without an end, as older files may have it."""
    ask(
        path,
        "INSERT INTO _honker_rate_limits (name, window_start, count) VALUES (?, unixepoch() - ?, 1)",
        name,
        seconds_ago,
    )


@pytest.fixture
def begun(db, path):
    for name, seconds_ago in (("old", 5000), ("middle", 3000), ("new", 100)):
        begin(path, name, seconds_ago)
    return db


def names(path):
    return [row[0] for row in ask(path, "SELECT name FROM _honker_rate_limits ORDER BY window_start")]


def test_sweep_deletes_the_windows_that_began_more_than_an_hour_ago(begun, path):
    assert begun.sweep_rate_limits() == 1
    assert names(path) == ["middle", "new"]
    assert begun.sweep_rate_limits() == 0


@pytest.mark.parametrize(
    "older_than_s", [2000, 2000.5, timedelta(seconds=2000)], ids=lambda value: type(value).__name__
)
def test_sweep_deletes_the_windows_that_began_longer_ago_than_asked(begun, path, older_than_s):
    assert begun.sweep_rate_limits(older_than_s) == 2
    assert names(path) == ["new"]


def test_sweeping_in_a_transaction_is_undone_with_it(begun, path):
    with pytest.raises(ZeroDivisionError), begun.transaction() as tx:  # noqa: PT012
        assert begun.sweep_rate_limits(tx=tx) == 1
        raise ZeroDivisionError
    assert names(path) == ["old", "middle", "new"]


@pytest.mark.parametrize("older_than_s", ["3600", None, float("nan")], ids=repr)
def test_an_age_that_is_no_number_is_refused(begun, path, older_than_s):
    with pytest.raises((HonkerError, TypeError)):
        begun.sweep_rate_limits(older_than_s)
    assert names(path) == ["old", "middle", "new"]


def test_a_limit_may_be_a_whole_float(db):
    assert [db.try_rate_limit("api", 2.0, 60.0) for _ in range(3)] == [True, True, False]
