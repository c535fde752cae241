"""Two schedulers in separate processes, whose leader is killed repeatedly: each boundary fires exactly once.

The natural schedules have a boundary every second, and boundaries without a leader are made up for. The driven ones
have boundaries as fast as they fire: after each firing, a thread gives a new boundary in the past, no two alike. The
expiry of a job identifies its boundary.
"""

import json
import random
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager

import honker
import pytest
from honker import Scheduler, crontab, every_s

from ..support.locking import Plain, ask, is_sound
from ..support.processes import Child
from ..support.waiting import wait_until

KILLS = {"sqlite": 12, "postgres": 8}
EXPIRES_S = 100_000
NATURAL = {"cron": crontab("* * * * * *"), "interval": every_s(1)}
DRIVEN = [f"driven {number}" for number in range(4)]
FIRST_DRIVEN_BOUNDARY = 1_000_000

# A short lease, so that a dead leader is replaced soon. A leader that the machine delays for longer stands by again.
# The owner of a lock is a random number; here it is the process, so that the test can kill it.
SCHEDULER = """
import asyncio, os, sys, uuid
import honker
import honker.schedule.scheduler
uuid.uuid4 = lambda: uuid.UUID(int=os.getpid())
honker.schedule.scheduler._STANDBY_POLL_S = 0.02
db = honker.open(sys.argv[1])
scheduler = honker.Scheduler(db)
scheduler.lock_ttl, scheduler.heartbeat_interval = 0.4, 0.1
while True:
    try:
        asyncio.run(scheduler.run(standby=True))
    except honker.LeadershipLost:
        pass
"""


@pytest.fixture
def scheduled(path):
    """A database with the schedules."""
    with honker.open(path) as db:
        scheduler = Scheduler(db)
        for name, schedule in NATURAL.items():
            scheduler.add(name=name, queue="q", schedule=schedule, payload=name, expires=EXPIRES_S)
        for name in DRIVEN:
            schedule = every_s(86_400)
            scheduler.add(name=name, queue="q", schedule=schedule, payload=name, expires=EXPIRES_S, misfire="once")
    return path


def fires(path):
    """The fired boundaries, by name and boundary."""
    sql = "SELECT payload, expires_at - ? FROM _honker_live"
    return Counter((json.loads(payload), int(boundary)) for payload, boundary in ask(path, sql, EXPIRES_S))


def count(path):
    return ask(path, "SELECT count(*) FROM _honker_live")[0][0]


def leader(path, children):
    """The live child that holds the lock, or None."""
    rows = ask(path, "SELECT owner FROM _honker_locks WHERE name = 'honker-scheduler'")
    return next((child for child in children if rows and child.process.pid == int(rows[0][0], 16)), None)


@contextmanager
def driving(path, given):
    """Give each driven schedule a new boundary after it fired the last one, and record it in `given`."""
    is_over = threading.Event()

    def drive():
        with closing(Plain(path)) as conn:
            boundary = FIRST_DRIVEN_BOUNDARY
            while not is_over.wait(0.003):
                for name in DRIVEN:
                    boundary += 1
                    sql = "UPDATE _honker_scheduler_tasks SET next_fire_at = ? WHERE name = ? AND next_fire_at > ?"
                    if conn.execute(sql, boundary, name, time.time()).rowcount:
                        given.append((name, boundary))

    driver = threading.Thread(target=drive)
    driver.start()
    try:
        yield
    finally:
        is_over.set()
        driver.join()


def end(child):
    child.kill()
    child.process.stdin.close()
    child.process.stdout.close()


def test_leaders_killed_again_and_again_fire_each_boundary_exactly_once(engine, scheduled):
    chance, given, children = random.Random(1), [], [Child(SCHEDULER, scheduled) for _ in range(2)]
    try:
        with driving(scheduled, given):
            for _ in range(KILLS[engine]):
                wait_until(lambda: leader(scheduled, children))
                before, some = count(scheduled), chance.randint(1, 50)
                wait_until(lambda before=before, some=some: count(scheduled) >= before + some)
                victim = wait_until(lambda: leader(scheduled, children))
                children.remove(victim)
                end(victim)
                children.append(Child(SCHEDULER, scheduled))
        wait_until(lambda: not set(given) - set(fires(scheduled)))
        last = int(time.time())
        wait_until(lambda: all(fires(scheduled)[name, last] for name in NATURAL))
    finally:
        for child in children:
            end(child)
    fired = fires(scheduled)
    assert [fire for fire, times in fired.items() if times > 1] == []
    for name in NATURAL:
        boundaries = sorted(boundary for fired_name, boundary in fired if fired_name == name)
        assert boundaries == list(range(boundaries[0], boundaries[-1] + 1))
    assert sorted(fire for fire in fired if fire[0] in DRIVEN) == sorted(given)
    assert len(given) > KILLS[engine]
    assert is_sound(scheduled)
