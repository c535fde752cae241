"""Locks and rate limits against a model, under a clock that is set by an hour either way.

At any instant of the locks' clock, at most one owner holds a name, and each new holder has a larger token than all
before. A window of a rate limit never allows more uses than its limit, and the next one begins on time.
"""

import copy
from dataclasses import dataclass, field

import honker
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from .profiles import explore

pytestmark = pytest.mark.timeout(600)  # time to shrink a failing example

HOUR_MS = 3_600_000
LOCKS, OWNERS = ["l", "m"], ["o1", "o2", "o3"]
LIMITS = {"per 1 s": (2, 1000), "per 90 ms": (1, 90), "per hour": (3, HOUR_MS)}

locks = st.sampled_from(LOCKS)
owners = st.sampled_from(OWNERS)
ttls = st.sampled_from([1, 500, 1000, 60_000, HOUR_MS - 1, 2 * HOUR_MS])
limits = st.sampled_from(sorted(LIMITS))


@dataclass
class Model:
    """The holder, the end and the length of each lock, and the uses of each window."""

    held: dict = field(default_factory=dict)  # by name: owner, end, token, time from which the length counts
    last_token: int = 0
    used: dict = field(default_factory=dict)  # by name and start of the window
    latest_ms: int = 0

    def holder(self, now, name):
        owner, end, *_ = self.held.get(name, (None, now))
        return owner if now < end else None

    def acquire(self, now, name, owner, ttl):
        holder = self.holder(now, name)
        if holder is None:
            self.last_token += 1
            self.held[name] = owner, now + ttl, self.last_token, now
        elif holder == owner:
            self.renew(now, name, owner, ttl)
        else:
            self.measure_again(now, name)
        return self.holder(now, name) == owner

    def measure_again(self, now, name):
        """The clock was set back since the lock was taken: it is held for its length from now."""
        owner, end, token, taken = self.held[name]
        if now < taken:
            self.held[name] = owner, now + end - taken, token, now

    def renew(self, now, name, owner, ttl):
        if self.holder(now, name) != owner:
            return False
        self.held[name] = owner, now + ttl, self.held[name][2], now
        return True

    def release(self, name, owner):
        if self.held.get(name, (None,))[0] == owner:
            del self.held[name]

    def token(self, now, name, owner):
        return self.held[name][2] if self.holder(now, name) == owner else None

    def use(self, now, name, *, is_let_pass):
        """Count the decision of the limit, which must be right.

        An exception is a clock set back into a window that had ended: such a window may have been deleted.
        """
        limit, per = LIMITS[name]
        window = name, now - now % per
        count = self.used.get(window, 0)
        if window[1] + per > self.latest_ms:
            assert is_let_pass == (count < limit)
        self.used[window] = count + is_let_pass


class LockMachine(RuleBasedStateMachine):
    lay = None

    def __init__(self):
        super().__init__()
        self.place = self.lay()
        self.path, self.clock = self.place.path, self.place.clock
        self.dbs = [honker.open(self.path), honker.open(self.path)]
        self.model, self.committed, self.tx = Model(latest_ms=self.now), None, None
        self.tokens_seen = dict.fromkeys(LOCKS, 0)

    def teardown(self):
        self.tx = None
        for db in self.dbs:
            db.close()
        self.place.close()

    @property
    def now(self):
        return self.clock.now_ms

    def call(self, function, *arguments):
        marks = ", ".join("?" * len(arguments))
        return self.dbs[0].engine.call(f"SELECT {function}({marks})", *arguments, tx=self.tx)

    # ------------------------------------------------------------------------------------------------------- operations

    @rule(name=locks, owner=owners, ttl=ttls, through=st.sampled_from(["SQL", "Python"]))
    def acquire(self, name, owner, ttl, through):
        expected = self.model.acquire(self.now, name, owner, ttl)
        if through == "SQL" or self.tx:
            assert self.call("honker_lock_acquire", name, owner, ttl / 1000) == expected
        else:
            assert self.dbs[0].lock(name, ttl / 1000, owner).try_acquire() == expected

    @rule(name=locks, owner=owners, ttl=ttls, through=st.sampled_from(["SQL", "Python"]))
    def renew(self, name, owner, ttl, through):
        expected = self.model.renew(self.now, name, owner, ttl)
        if through == "SQL" or self.tx:
            assert self.call("honker_lock_renew", name, owner, ttl / 1000) == expected
            return
        lock = self.dbs[0].lock(name, ttl / 1000, owner)
        lock.acquired = True  # from the view of this handle
        assert lock.renew() == lock.acquired == expected

    @rule(name=locks, owner=owners)
    def release(self, name, owner):
        had = self.model.held.get(name, (None,))[0] == owner
        self.model.release(name, owner)
        assert self.call("honker_lock_release", name, owner) == had

    @rule(name=locks, before_ms=st.sampled_from([0, 0, 1]), owner=owners)
    def a_lock_lapses(self, name, before_ms, owner):
        """Or is in its last millisecond; then another owner tries to take it."""
        if name in self.model.held:
            self.move(self.model.held[name][1] - before_ms - self.now)
            self.acquire(name, owner, 60_000, "SQL")

    @rule(name=limits, times=st.integers(1, 4))
    def use(self, name, times):
        limit, per = LIMITS[name]
        for _ in range(times):
            is_let_pass = bool(self.call("honker_rate_limit_try", name, limit, per / 1000))
            self.model.use(self.now, name, is_let_pass=is_let_pass)

    @rule(name=limits)
    def use_up_the_window_and_wait_for_the_next(self, name):
        """The last millisecond still belongs to the window, and the next one does not."""
        limit, per = LIMITS[name]
        self.use(name, limit)
        self.move(per - self.now % per - 1)
        self.use(name, 1)
        self.move(1)
        self.use(name, 1)

    @rule(older_than_s=st.sampled_from([0, 1, 3600, 10_000]))
    def sweep_rate_limits(self, older_than_s):
        self.dbs[0].sweep_rate_limits(older_than_s, tx=self.tx)
        before = self.now - older_than_s * 1000
        self.model.used = {window: count for window, count in self.model.used.items() if window[1] >= before}

    # -------------------------------------------------------------------------------------- time, transactions, crashes

    @rule(ms=st.sampled_from([1, 89, 500, 1000, 60_000, HOUR_MS, HOUR_MS, -HOUR_MS, -HOUR_MS]))
    def time_passes(self, ms):
        """Or the clock is set, by an hour either way."""
        self.move(ms)

    def move(self, ms):
        self.clock.move(ms)
        for model in filter(None, (self.model, self.committed)):
            model.latest_ms = max(model.latest_ms, self.now)

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
            last_token, self.model = self.model.last_token, self.committed
            if self.place.engine == "postgres":  # a sequence, which does not go back
                self.model.last_token = last_token
        self.committed = None

    @precondition(lambda self: self.tx is None)
    @rule(is_new=st.booleans())
    def go_on_elsewhere(self, is_new):
        self.dbs.reverse()
        if is_new:
            self.dbs[0].close()
            self.dbs[0] = honker.open(self.path)

    # ------------------------------------------------------------------------------------------------------- invariants

    @invariant()
    def a_lock_has_the_holder_of_the_model_and_no_other(self):
        for name in LOCKS:
            tokens = {owner: self.dbs[0].engine.ask(TOKEN, name, owner, tx=self.tx) for owner in OWNERS}
            assert tokens == {owner: self.model.token(self.now, name, owner) for owner in OWNERS}
            elsewhere = [self.dbs[1].lock(name, owner=owner).token for owner in OWNERS]
            assert sum(token is not None for token in elsewhere) <= 1

    @invariant()
    def a_token_is_larger_than_those_of_all_holders_before(self):
        if self.tx is not None:
            return  # An uncommitted lock has protected nothing.
        for name in LOCKS:
            if name in self.model.held:
                token = self.model.held[name][2]
                assert token >= self.tokens_seen[name]
                self.tokens_seen[name] = token


TOKEN = "SELECT honker_lock_token(?, ?)"


@pytest.mark.torture(short_s=4, share=1)
def test_locks_and_rate_limits_do_what_their_model_does(lay, torture):
    explore(LockMachine, lay, torture, examples=80)
