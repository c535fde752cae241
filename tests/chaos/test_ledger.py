"""The ledger finds broken promises: each of its checks fails for a run in which one was broken on purpose."""

import honker
import pytest
from honker.task.message import envelope

from ..support.locking import ask
from .agents import Disturbance
from .journal import Line
from .ledger import Ledger
from .promises import LOCK_S, POISON_EVERY
from .schema import create

ORDERS = POISON_EVERY + 1
HOLDER, OTHER = 11, 22


@pytest.fixture
def path(tmp_path):
    """The file of a shop with orders, one of which has been dead-lettered."""
    path = tmp_path / "shop.db"
    create(path)
    for _ in range(ORDERS):
        ask(path, "INSERT INTO orders DEFAULT VALUES")
    with honker.open(path) as db:
        bury(db, "poison", POISON_EVERY)
    return path


def bury(db, queue, number):
    db.queue(queue).enqueue(envelope("poison", (number,)))
    db.queue(queue).claim_one("w").fail("poison")


def breaks(path, check, *lines, disturbances=()):
    """True if the check does not accept the run."""
    try:
        getattr(Ledger(path, lines, disturbances), check)()
    except AssertionError:
        return True
    return False


def held(token, began, ended):
    return Line(ended, HOLDER, "held", [token, began, ended])


@pytest.mark.parametrize(("lines", "is_broken"), [
    ([held(1, 0, 0.5), held(2, 0.6, 0.7)], False),
    ([held(1, 0, 0.5), held(2, 0.4, 0.7)], True),
    ([held(1, 0, 0.5), held(1, 0.6, 0.7)], True),
    ([held(1, 0, LOCK_S + 1), held(2, LOCK_S + 0.1, LOCK_S + 0.2)], False),
], ids=["one after the other", "two at once", "one token twice", "one that was late"])  # fmt: skip
def test_two_holders_of_a_lock_are_found(path, lines, is_broken):
    assert breaks(path, "check_lock", *lines) is is_broken


def test_a_stepped_clock_excuses_two_holders_and_a_kill_does_not(path):
    lines = held(1, 0, 0.5), held(2, 0.4, 0.7)
    assert breaks(path, "check_lock", *lines, disturbances=[Disturbance(OTHER, 0, 1)])
    assert not breaks(path, "check_lock", *lines, disturbances=[Disturbance(OTHER, 0, 1, is_clock=True)])


def test_a_lost_dead_letter_is_found(path):
    assert not breaks(path, "check_dead_letters")
    ask(path, "DELETE FROM _honker_dead")
    assert breaks(path, "check_dead_letters")


@pytest.mark.parametrize(("queue", "number"), [("poison", POISON_EVERY), ("poison", 1), ("mails", POISON_EVERY)])
def test_a_dead_letter_too_many_is_found(path, queue, number):
    with honker.open(path) as db:
        bury(db, queue, number)
    assert breaks(path, "check_dead_letters")


def test_an_effect_of_a_failed_attempt_is_found(path):
    ask(path, "INSERT INTO poisoned VALUES (?)", POISON_EVERY)
    assert breaks(path, "check_dead_letters")


def test_a_wait_that_ended_before_its_timeout_is_found(path):
    assert not breaks(path, "check_waits", Line(1, HOLDER, "locked", [5.01]))
    assert breaks(path, "check_waits", Line(1, HOLDER, "locked", [5.01]), Line(2, HOLDER, "locked", [0.02]))


@pytest.mark.parametrize(("disturbances", "is_broken"), [
    ([], True),
    ([Disturbance(HOLDER, 10.5, 16)], False),
    ([Disturbance(OTHER, 10.5, 16)], True),
    ([Disturbance(None, 10.5, 16)], False),
    ([Disturbance(HOLDER, 14.5, 16)], True),
    ([Disturbance(HOLDER, 1, 6)], True),
], ids=["nothing", "its holder", "the next holder", "everything", "too late", "too early"])  # fmt: skip
def test_a_repeat_needs_a_disturbance_of_the_process_that_held_the_job(path, disturbances, is_broken):
    mails = [
        Line(1, HOLDER, kind, [number, 1, HOLDER]) for kind in ("mail", "render") for number in range(1, ORDERS + 1)
    ]
    ask(path, "INSERT INTO charged SELECT number, number, 1 FROM orders")
    assert not breaks(path, "check_effects", *mails)
    first, again = Line(10, HOLDER, "mail", [1, 1, HOLDER]), Line(14, OTHER, "mail", [1, 2, OTHER])
    run = [line for line in mails if line.kind == "render" or line.facts[0] != 1]
    assert breaks(path, "check_effects", *run, first, again, disturbances=disturbances) is is_broken
    assert breaks(path, "check_effects", *run)


NOON = 43_200
SET_BACK = (Disturbance(HOLDER, 0, 1, is_clock=True),)


AHEAD = [(NOON, NOON + 1), (NOON + 1, 39_601)]


@pytest.mark.parametrize(("steps", "fired", "disturbances", "is_broken"), [
    ([(NOON, NOON + 1), (NOON + 1, NOON + 3)], [NOON, NOON + 1, NOON + 2], (), False),
    ([(NOON, NOON + 1), (NOON + 1, NOON + 3)], [NOON, NOON + 1], (), True),
    ([(NOON, NOON + 1), (NOON + 1, NOON + 3)], [NOON, NOON + 1, NOON + 1, NOON + 2], (), True),
    ([(NOON, NOON + 1), (NOON + 2, NOON + 3)], [NOON, NOON + 2], (), True),
    ([*AHEAD, (39_601, NOON + 2)], [NOON, NOON + 1], (), True),
    ([*AHEAD, (39_601, NOON + 2)], [NOON, NOON + 1], SET_BACK, False),
    ([*AHEAD, (39_601, 39_602), (39_602, NOON + 2)], [NOON, 39_601, NOON + 1], SET_BACK, False),
    ([*AHEAD, (39_601, NOON + 2)], [NOON, 39_601, 39_602, NOON + 1], SET_BACK, True),
    ([*AHEAD, (39_601, NOON + 2)], [NOON, NOON, NOON + 1], SET_BACK, True),
    ([*AHEAD, (39_601, NOON + 2)], [NOON], SET_BACK, True),
    ([(NOON, NOON + 100)], range(NOON, NOON + 64), (), False),
], ids=["exact", "lost", "repeated", "out of order", "unexplained", "set back", "on time again", "caught up again",
        "repeated after all", "lost after all", "capped"])  # fmt: skip
def test_a_second_without_a_job_or_with_two_is_found(path, steps, fired, disturbances, is_broken):
    for passed, following in steps:
        ask(path, "INSERT INTO boundaries VALUES (?, ?)", passed, following)
    for job_id, second in enumerate(fired):
        ask(path, "INSERT INTO fired VALUES (?, ?)", job_id, second)
        ask(path, "INSERT INTO ticked VALUES (?)", job_id)
    assert breaks(path, "check_schedule", disturbances=disturbances) is is_broken


def test_a_second_without_its_effect_is_found(path):
    ask(path, "INSERT INTO boundaries VALUES (1, 2)")
    ask(path, "INSERT INTO fired VALUES (1, 1)")
    assert breaks(path, "check_schedule")
