"""Consumers of one stream in separate processes; two of them die repeatedly while a producer publishes.

``exact`` writes its effect and its offset in one transaction, and is killed many times: each of its effects must exist
exactly once. ``auto`` lets the subscription save its offset every few events, and is killed at times: it sees every
event, and sees only unsaved ones again. ``watch`` is never killed and sees everything once.
"""

import random
from collections import Counter
from contextlib import ExitStack

import honker
import pytest

from ..support.engines import placed
from ..support.locking import ask, is_sound
from ..support.processes import Child, running
from ..support.waiting import wait_until

KILLS, EVENTS_PER_KILL = {"sqlite": 30, "postgres": 10}, 30
AUTO_DIES_EVERY, AUTO_SAVES_EVERY = 5, 3

PRODUCER = """
import sys
import honker
with honker.open(sys.argv[1]) as db:
    stream, number = db.stream("t"), 0
    for line in sys.stdin:
        for _ in range(int(line)):
            stream.publish(number)
            number += 1
"""

CONSUMERS = {
    "exact": """
import sys
import honker
with honker.open(sys.argv[1]) as db:
    stream = db.stream("t")
    for event in stream.subscribe("exact", save_every_n=0, save_every_s=0):
        with db.transaction() as tx:
            tx.execute("INSERT INTO effects (consumer, n) VALUES ('exact', ?)", [event.payload])
            stream.save_offset("exact", event.offset, tx=tx)
""",
    "auto": f"""
import sys
import honker
with honker.open(sys.argv[1]) as db:
    for event in db.stream("t").subscribe("auto", save_every_n={AUTO_SAVES_EVERY}, save_every_s=0):
        with db.transaction() as tx:
            tx.execute("INSERT INTO effects (consumer, n) VALUES ('auto', ?)", [event.payload])
""",
    "watch": """
import asyncio, sys
import honker
async def main(db):
    async for event in db.stream("t").subscribe("watch"):
        async with db.transaction() as tx:
            tx.execute("INSERT INTO effects (consumer, n) VALUES ('watch', ?)", [event.payload])
with honker.open(sys.argv[1]) as db:
    asyncio.run(main(db))
""",
}


class Consumer:
    """A consumer that can be killed and restarted."""

    def __init__(self, name, path):
        self.name = name
        self._path = path
        self._child = Child(placed(path, CONSUMERS[name]), path)

    def effects(self):
        return [row[0] for row in ask(self._path, "SELECT n FROM effects WHERE consumer = ? ORDER BY id", self.name)]

    def progress(self):
        return ask(self._path, "SELECT count(*) FROM effects WHERE consumer = ?", self.name)[0][0]

    def is_alive(self):
        return self._child.process.poll() is None

    def end(self):
        assert self.is_alive(), f"{self.name} died by itself"
        self._child.kill()
        self._child.process.stdin.close()
        self._child.process.stdout.close()

    def die_and_come_back(self):
        self.end()
        self._child = Child(placed(self._path, CONSUMERS[self.name]), self._path)


@pytest.fixture
def db_path(path):
    """A database with a table for the consumers' effects."""
    with honker.open(path) as db, db.transaction() as tx:
        tx.execute(placed(tx, "CREATE TABLE effects (id INTEGER PRIMARY KEY, consumer TEXT, n INTEGER)"))
    return path


def test_consumers_that_die_over_and_over_lose_no_event_and_repeat_no_transaction(engine, db_path):
    kills = KILLS[engine]
    chance = random.Random(1)
    with ExitStack() as stack:
        producer = stack.enter_context(running(PRODUCER, db_path))
        exact, auto, watch = consumers = [Consumer(name, db_path) for name in CONSUMERS]
        for consumer in consumers:
            stack.callback(consumer.end)
        for kill in range(kills):
            producer.say(EVENTS_PER_KILL)
            before = exact.progress()
            some = chance.randint(1, EVENTS_PER_KILL - 5)
            wait_until(lambda before=before, some=some: exact.progress() >= before + some, timeout_s=30)
            exact.die_and_come_back()
            if kill % AUTO_DIES_EVERY == 0:
                auto.die_and_come_back()
        producer.finish()
        published = list(range(kills * EVENTS_PER_KILL))
        wait_until(lambda: exact.progress() >= len(published) and watch.progress() >= len(published), timeout_s=20)
        wait_until(lambda: auto.effects()[-1:] == published[-1:], timeout_s=20)
    assert exact.effects() == published
    assert watch.effects() == published
    seen = Counter(auto.effects())
    assert sorted(seen) == published
    assert seen.total() - len(published) <= (AUTO_SAVES_EVERY + 1) * -(-kills // AUTO_DIES_EVERY)
    offset = "SELECT offset FROM _honker_stream_consumers WHERE name = 'exact'"
    assert ask(db_path, offset) == ask(db_path, "SELECT max(offset) FROM _honker_stream")
    assert is_sound(db_path)
