"""The ledger: at the end, every order has exactly the effects that were promised."""

import itertools
import json
import re
import sqlite3
from collections import defaultdict, deque

from honker.task.message import read_envelope

from ..support.locking import ask
from .promises import CONSUMERS, LEASE_S, LOCK_S, POISON_EVERY

EVENTS = "SELECT json_extract(payload, '$.number'), offset FROM _honker_stream WHERE topic = 'orders' ORDER BY offset"
# The last lines of tracebacks that the chaos explains.
EXPECTED_ERRORS = re.compile(
    r"(ValueError: poison"
    r"|honker\.errors\.(DatabaseBusy|DatabaseFull|DatabaseIO|DatabaseOpen|Watcher)Error: .*"
    r"|honker\.errors\.LeadershipLost: .*"
    r"|OSError: \[Errno (24|27|28)\] .*"
    r"|sqlite3\.OperationalError: (database or disk is full|disk I/O error|unable to open database file|"
    r"database is locked|locking protocol)"
    # A loop that asyncio could not make without descriptors is left open by it.
    r"|ResourceWarning: unclosed event loop .*)"
)
# The boundaries that one tick fires at most.
CATCH_UP_FIRES = 64
# The ticks of a process while its clock is set back, at most.
REWINDS = 4
# 1: the command line, after an error that it printed; 75: a role, after an error that passes.
EXPECTED_CODES = {0, 1, 75, -9, -15}


class Ledger:
    """Checks the end of a run, given its file, its journal and its disturbances."""

    def __init__(self, path, lines, disturbances):
        self.path = path
        self.disturbances = disturbances
        self.lines = defaultdict(list)
        for line in lines:
            self.lines[line.kind].append(line)
        self.orders = self.numbers("SELECT number FROM orders")

    def numbers(self, sql):
        return [number for (number,) in ask(self.path, f"{sql} ORDER BY 1")]

    def check(self):
        self.check_file()
        self.check_orders()
        self.check_effects()
        self.check_dead_letters()
        self.check_stream()
        self.check_schedule()
        self.check_operator()
        self.check_lock()
        self.check_waits()

    def check_file(self):
        assert ask(self.path, "PRAGMA integrity_check") == [("ok",)]
        assert ask(self.path, "SELECT queue, state, count(*) FROM _honker_live GROUP BY 1, 2") == []

    def check_orders(self):
        acknowledged = [line.facts[0] for line in self.lines["ordered"]]
        assert len(set(acknowledged)) == len(acknowledged)
        assert set(acknowledged) <= set(self.orders)

    def check_effects(self):
        assert self.numbers("SELECT number FROM charged") == self.orders
        for kind in ("mail", "render"):
            assert {line.facts[0] for line in self.lines[kind]} == set(self.orders)
            assert self.unexplained_repeats(kind) == []

    def unexplained_repeats(self, kind):
        """Repeats without a disturbance of the process that held the job at the first of the two attempts."""
        attempts = defaultdict(list)
        for line in self.lines[kind]:
            attempts[line.facts[0]].append(line)
        return [
            (first, second)
            for lines in attempts.values()
            for first, second in itertools.pairwise(lines)
            if not self.is_explained(first, second)
        ]

    def is_explained(self, first, second):
        # A worker may be disturbed between its claim and the handler's line.
        began = first.at - LEASE_S
        return any(
            each.pid in {first.facts[2], None} and each.began <= second.at and each.ended >= began
            for each in self.disturbances
        )

    def repeats(self):
        return sum(len(self.lines[kind]) - len(self.orders) for kind in ("mail", "render"))

    def check_dead_letters(self):
        dead = ask(self.path, "SELECT queue, payload, last_error FROM _honker_dead")
        assert {queue for queue, _, _ in dead} <= {"poison"}, [row for row in dead if row[0] != "poison"][:5]
        poisoned = sorted(read_envelope(json.loads(payload)).args[0] for _, payload, _ in dead)
        assert poisoned == [number for number in self.orders if number % POISON_EVERY == 0]
        assert self.numbers("SELECT number FROM poisoned") == []

    def check_stream(self):
        events = ask(self.path, EVENTS)
        assert sorted(number for number, _ in events) == self.orders
        for consumer in CONSUMERS:
            seen = ask(self.path, "SELECT number, offset FROM projected WHERE consumer = ? ORDER BY rowid", consumer)
            assert seen == events
            saved = ask(self.path, "SELECT offset FROM _honker_stream_consumers WHERE name = ?", consumer)
            assert saved == [(events[-1][1],)]

    def check_schedule(self):
        """Each second is passed in order and has one job, which had its effect once.

        Under a clock that was set back, a tick begins again at the second of that clock, and a second that has had its
        job may have one more if it comes on time. Under the right clock the schedule goes on where it had been.
        """
        steps = ask(self.path, "SELECT passed, next FROM boundaries ORDER BY rowid")
        assert all(following == passed for (_, following), (passed, _) in itertools.pairwise(steps))
        # A leader whose clock is set back loses the leadership by the clock of others; for some ticks there are two.
        rewinds = [step for step in steps if step[1] < step[0]]
        assert len(rewinds) <= REWINDS * sum(each.is_clock for each in self.disturbances), rewinds
        fired = ask(self.path, "SELECT second FROM fired ORDER BY job_id")
        check_seconds(steps, deque(second for (second,) in fired))
        assert self.numbers("SELECT job_id FROM ticked") == self.numbers("SELECT job_id FROM fired")

    def check_operator(self):
        fulfilled = self.numbers("SELECT job_id FROM fulfilled")
        assert len(set(fulfilled)) == len(fulfilled)
        assert {line.facts[0] for line in self.lines["enqueued"]} <= set(fulfilled)
        assert all(line.facts[1] for line in self.lines["tailed"])
        for line in self.lines["command failed"]:
            assert_expected_errors(line.facts[2], f"honker {line.facts[0]}")

    def check_lock(self):
        """Each token has one holder. Two holders overlap only if one is late, or a clock was stepped."""
        held = [line.facts for line in self.lines["held"]]
        tokens = [token for token, *_ in held]
        assert len(set(tokens)) == len(tokens)
        on_time = sorted((began, ended) for _, began, ended in held if ended - began < LOCK_S / 2)
        for (_, ended), (began, _) in itertools.pairwise(on_time):
            assert ended <= began or any(
                each.began <= ended and began <= each.ended for each in self.disturbances if each.is_clock
            )

    def check_waits(self):
        """ "database is locked" comes only after the whole timeout."""
        assert [line for line in self.lines["locked"] if line.facts[0] < 4.5] == []


def check_seconds(steps, fired):
    """Check the seconds that fired, in their order, against the steps of the schedule."""
    reached = 0
    for passed, following in steps:
        # Of the seconds below `reached`, the last one of a step fires again if it is on time.
        if fired and passed <= fired[0] == following - 1 < reached:
            fired.popleft()
        for second in range(max(passed, reached), following)[:CATCH_UP_FIRES]:
            assert fired, f"{second} did not fire"
            assert fired.popleft() == second
        reached = max(reached, following)
    assert not fired, f"{fired} fired without a step"


def assert_expected_errors(text, source):
    """Check that each traceback in a standard error ends with an error that the chaos explains."""
    blocks = text.split("Traceback (most recent call last):\n")[1:]
    for block in blocks:
        last = next((line for line in block.splitlines() if line and not line.startswith((" ", "\t"))), "")
        assert EXPECTED_ERRORS.match(last), f"{source}: {last}\n{block[:3000]}"


def assert_clean_ends(ended, stderr_folder):
    """Check exit codes and standard errors."""
    assert [each for each in ended if each[2] not in EXPECTED_CODES] == []
    for file in sorted(stderr_folder.glob("*.stderr")):
        assert_expected_errors(file.read_text("utf-8", errors="replace"), file.name)


def restore(backup, path):
    """Copy a backup over the live file with SQLite's backup API, as one transaction."""
    source, target = sqlite3.connect(backup), sqlite3.connect(path, timeout=30)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
