"""Streams against a model: committed events are read in order and once, rolled back ones never.

Publishers and consumers share a file through several handles. A reader that always continues after its last event runs
all the time, and must get every committed event: no offset may appear late.
"""

import copy
import json
from dataclasses import dataclass, field

import honker
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ..support.engines import placed
from .profiles import explore

pytestmark = pytest.mark.timeout(600)  # time to shrink a failing example

TOPICS, CONSUMERS = ["t", "u"], ["c", "d"]

topics = st.sampled_from(TOPICS)
consumers = st.sampled_from(CONSUMERS)
keys = st.sampled_from([None, "", "k"])
some_offsets = st.integers(-1, 30)


@dataclass
class Model:
    """Events as (offset, topic, key, number, second), and the offsets of consumers by name and topic."""

    events: list = field(default_factory=list)
    last_offset: int = 0
    saved: dict = field(default_factory=dict)

    def publish(self, topic, key, number, second):
        self.last_offset += 1
        self.events.append((self.last_offset, topic, key, number, second))
        return self.last_offset

    def since(self, topic, offset):
        return [event for event in self.events if event[1] == topic and event[0] > offset]

    def save(self, consumer, topic, offset):
        saved = self.saved.get((consumer, topic))
        if saved is not None and offset <= saved:
            return False
        self.saved[consumer, topic] = offset
        return True


def as_modelled(event):
    return event.offset, event.topic, event.key, event.payload, event.created_at


class StreamMachine(RuleBasedStateMachine):
    lay = None

    def __init__(self):
        super().__init__()
        self.place = self.lay()
        self.path, self.clock = self.place.path, self.place.clock
        self.dbs = [honker.open(self.path), honker.open(self.path)]
        self.model, self.committed, self.tx = Model(), None, None
        self.published = 0
        self.tail = {topic: [] for topic in TOPICS}
        self.deleted_to = 0

    def teardown(self):
        self.tx = None
        for db in self.dbs:
            db.close()
        self.place.close()

    @property
    def second(self):
        """Now, as events are dated."""
        now_ms = self.clock.now_ms
        return (now_ms - now_ms % self.place.unit_ms) / 1000

    def number(self):
        """A payload unlike that of any other event, including rolled back ones."""
        self.published += 1
        return self.published

    # ------------------------------------------------------------------------------------------------------- operations

    @rule(topic=topics, key=keys)
    def publish(self, topic, key):
        number = self.number()
        offset = self.dbs[0].stream(topic).publish(number, key, tx=self.tx)
        assert offset == self.model.publish(topic, key, number, self.second)

    @rule(topic=topics, some=st.lists(keys, max_size=4))
    def publish_many(self, topic, some):
        numbers = [self.number() for _ in some]
        offsets = self.dbs[0].stream(topic).publish_many(numbers, some, tx=self.tx)
        expected = [
            self.model.publish(topic, key, number, self.second) for key, number in zip(some, numbers, strict=True)
        ]
        assert offsets == expected

    @rule(topic=topics, some=st.lists(keys, min_size=5, max_size=9))
    def publish_in_a_row(self, topic, some):
        """So many that, in a transaction, the last of them wait; see `honker.sqlite.batch`."""
        for key in some:
            self.publish(topic, key)

    @rule(topic=topics, offset=some_offsets, limit=st.integers(-1, 5))
    def read(self, topic, offset, limit):
        events = self.dbs[0].stream(topic).read_since(offset, limit, tx=self.tx)
        expected = self.model.since(topic, offset)
        assert [as_modelled(event) for event in events] == (expected if limit < 0 else expected[:limit])

    @rule(consumer=consumers, topic=topics, offset=some_offsets)
    def save_offset(self, consumer, topic, offset):
        expected = self.model.save(consumer, topic, offset)
        assert self.dbs[0].stream(topic).save_offset(consumer, offset, tx=self.tx) == expected

    @precondition(lambda self: self.tx is None)
    @rule(consumer=consumers, topic=topics, count=st.integers(1, 5), every=st.integers(0, 2), is_closed=st.booleans())
    def consume(self, consumer, topic, count, every, is_closed):
        """Take the events after the saved offset, and then stop properly or disappear."""
        waiting = self.model.since(topic, self.model.saved.get((consumer, topic), 0))
        taken = waiting[:count]
        subscription = self.dbs[0].stream(topic).subscribe(consumer, save_every_n=every, save_every_s=0)
        assert [as_modelled(next(subscription)) for _ in taken] == taken
        done = [event[0] for event in taken[:-1]]  # asking for the next event completes the current one
        saved = done[: len(done) // every * every] if every else []
        if is_closed and every:
            subscription.close()
            saved = done
        if saved:
            self.model.save(consumer, topic, saved[-1])

    @precondition(lambda self: self.tx is None)
    @rule(count=st.integers(1, 30))
    def an_operator_deletes_old_events(self, count):
        """Possibly all of them: their offsets must not be reused."""
        self.deleted_to = max([self.deleted_to, *(event[0] for event in self.model.events[:count])])
        with self.dbs[0].transaction() as tx:
            tx.execute(placed(tx, 'DELETE FROM _honker_stream WHERE "offset" <= ?'), [self.deleted_to])
        self.model.events = [event for event in self.model.events if event[0] > self.deleted_to]

    @precondition(lambda self: self.tx is None)
    @rule(ago_s=st.integers(-1, 4000))
    def replay_from_a_point_in_time(self, ago_s):
        since = self.second - ago_s
        offset = self.dbs[0].stream("t").offset_at(since)
        assert [event for event in self.model.events if event[0] > offset] == [
            event for event in self.model.events if event[4] >= since
        ]

    @rule(ms=st.sampled_from([1, 999, 1000, 60_000, 3_600_000]))
    def time_passes(self, ms):
        if self.tx is not None:
            self.tx.query("SELECT 1")  # pending events are written, and dated, before the next statement
        self.clock.move(ms)

    # -------------------------------------------------------------------------------------------- transactions, crashes

    @precondition(lambda self: self.tx is None)
    @rule()
    def begin(self):
        self.tx, self.committed = self.dbs[0].transaction().__enter__(), copy.deepcopy(self.model)

    @precondition(lambda self: self.tx is not None)
    @rule(how=st.sampled_from(["commit", "commit", "rollback", "abandon"]))
    def end_the_transaction(self, how):
        if how == "commit":
            self.tx.__exit__(None, None, None)
        elif how == "rollback":
            self.tx.__exit__(ValueError, ValueError("the application gave up"), None)
        self.tx = None  # dropping the last reference ends it
        if how != "commit":
            last_offset, self.model = self.model.last_offset, self.committed
            self.lose_offsets(last_offset)
        self.committed = None

    def lose_offsets(self, last_offset):
        """On PostgreSQL, offsets of events that were rolled back are not given again."""
        if self.place.engine == "postgres":
            self.model.last_offset = last_offset

    @precondition(lambda self: self.tx is None)
    @rule(topic=topics, has_committed=st.booleans())
    def a_publisher_is_killed(self, topic, has_committed):
        number = self.number()
        steps = [("honker_stream_publish_many", topic, json.dumps([[None, number], ["k", number]]))]
        self.place.die_in_transaction(steps, has_committed=has_committed)
        self.lose_offsets(self.model.last_offset + (0 if has_committed else 2))
        if has_committed:
            self.model.publish(topic, None, number, self.second)
            self.model.publish(topic, "k", number, self.second)

    @precondition(lambda self: self.tx is None)
    @rule(is_new=st.booleans())
    def go_on_elsewhere(self, is_new):
        self.dbs.reverse()
        if is_new:
            self.dbs[0].close()
            self.dbs[0] = honker.open(self.path)

    # ------------------------------------------------------------------------------------------------------- invariants

    @invariant()
    def a_reader_that_runs_along_misses_nothing_and_sees_nothing_twice(self):
        committed = self.committed or self.model
        for topic, seen in self.tail.items():
            last = seen[-1][0] if seen else 0
            seen += [as_modelled(event) for event in self.dbs[1].stream(topic).read_since(last)]
            assert [event for event in seen if event[0] > self.deleted_to] == committed.since(topic, 0)
            offsets = [event[0] for event in seen]
            assert offsets == sorted(set(offsets))

    @invariant()
    def consumers_are_where_the_model_says(self):
        for (consumer, topic), offset in self.model.saved.items():
            assert self.dbs[0].stream(topic).get_offset(consumer, tx=self.tx) == offset
        saved = self.place.look('SELECT name, topic, "offset" FROM _honker_stream_consumers')
        assert {(name, topic): offset for name, topic, offset in saved} == (self.committed or self.model).saved


@pytest.mark.torture(short_s=5, share=2)
def test_streams_do_what_their_model_does(lay, torture):
    explore(StreamMachine, lay, torture, examples=60)
