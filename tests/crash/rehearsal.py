"""A workload that ran once without a death, and runs again in children that die in it."""

import json
from collections import Counter

from ..sql import loading
from . import workload
from .zygote import acknowledged


class Rehearsal:
    """A workload that ran once without a death: the file before each step, and its expected contents."""

    def __init__(self, planned, path, check=workload.check_integrity):
        """Run a workload. `check` raises if the invariants of a file do not hold."""
        self.path = path
        self.log = path.with_suffix(".log")
        self.workload = planned
        self.check = check
        self.workload.lay(path)
        conn = loading.connect(path)
        conn.execute("PRAGMA journal_mode = WAL").fetchall()
        conn.execute("PRAGMA synchronous = OFF")
        self.states, self.files = [workload.contents(conn)], [conn.serialize()]
        for step in self.workload.steps:
            step.run(conn)
            check(conn)
            self.states.append(workload.contents(conn))
            self.files.append(conn.serialize())
        conn.close()

    def lay(self, step=0):
        """Make the file as it is before a step."""
        self.workload.lay(self.path)
        if step:
            self.path.write_bytes(self.files[step])
        self.log.unlink(missing_ok=True)

    def flow(self, first=0, end=None):
        """The arguments of a child that runs the steps from `first` up to, but without, `end`."""
        return "steps", self.path, first, json.dumps([step.statements for step in self.workload.steps[first:end]])

    def run(self, zygote, place, number, first, step):
        """Run the steps from `first` up to `step` and die at the numbered place, unless it is 0. True if it died."""
        self.lay(first)
        flow = self.flow(first, step + 1)
        if place == "statement boundary":
            return zygote.run(self.log, *flow, failpoint=number)
        return zygote.run(self.log, *flow, number)

    def places(self, zygote, place, first, step):
        """The numbers of the places of a step, for a child that begins with the step `first`."""
        assert not self.run(zygote, place, 0, first, step)
        *_, before, after = [int(number) for word, number in acknowledged(self.log) if word == "passed"]
        return range(before + 1, after + 1)

    def in_an_order(self, rng):
        """The numbers of the steps in random order, with one of each kind first."""
        numbers = list(range(len(self.workload.steps)))
        rng.shuffle(numbers)
        seen = Counter()
        places = {}
        for number in numbers:
            name = self.workload.steps[number].name
            places[number] = seen[name]
            seen[name] += 1
        return sorted(numbers, key=places.get)

    def acknowledged(self, first):
        """The last acknowledged step of a child that began with `first`."""
        return max((int(number) for word, number in acknowledged(self.log) if word == "step"), default=first)

    def check_survivor(self, first):
        """Open the file after the death of a child that began with `first`. Returns a connection and its last step."""
        done = max(first, self.acknowledged(first))
        # The next process must not have to wait: no lock and no half transaction may remain.
        conn = loading.connect(self.path, timeout=0)
        conn.execute("PRAGMA synchronous = OFF")
        self.check(conn)
        found = workload.contents(conn)
        allowed = self.states[done : done + 2]
        assert found in allowed, f"after step {done}:\n" + workload.difference(found, allowed[0])
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("CREATE TABLE next_writer (x)")
        conn.execute("ROLLBACK")
        # A step without a compared change is repeated, which is harmless.
        return conn, done + allowed.index(found)

    def check_end(self, conn, reached):
        """Continue the workload to its end."""
        conn.execute("PRAGMA journal_mode = WAL").fetchall()
        for step in self.workload.steps[reached:]:
            step.run(conn)
        self.check(conn)
        found = workload.contents(conn)
        assert found == self.states[-1], workload.difference(found, self.states[-1])


def some(places, rng):
    """A selection that fits into the short form."""
    return rng.sample(places, min(len(places), 6))


def dies(rehearsal, zygote, torture, place, number, first, step):
    """Die at a place of a step. True if that succeeded.

    A step may pass fewer places than it was measured with: what has expired, and is swept, depends on the time. Then
    another place is tried, by a new measurement.
    """
    for _ in range(5):
        if rehearsal.run(zygote, place, number, first, step):
            return True
        places = rehearsal.places(zygote, place, first, step)
        if not places:
            return False
        number = torture.random.choice(places)
    return False


def die_at_places(rehearsal, zygote, torture, place, kinds):
    """Die in each step, in a random order with one of each kind first, until the time is over and `kinds` is empty.

    Begins up to three steps before the fatal one, so that recovery finds a filled log.
    """
    for step in rehearsal.in_an_order(torture.random):
        first = max(step - torture.random.randrange(4), 0)
        places = rehearsal.places(zygote, place, first, step)
        for number in places if torture.is_long else some(places, torture.random):
            assert dies(rehearsal, zygote, torture, place, number, first, step)
            torture.count(f"deaths by {place}")
            conn, reached = rehearsal.check_survivor(first)
            if torture.random.random() < 0.1:
                rehearsal.check_end(conn, reached)
            conn.close()
        torture.count("steps died in")
        kinds.discard(rehearsal.workload.steps[step].name)
        if torture.left_s < 0 and not kinds:
            return


def die_at_instants(rehearsal, zygote, torture):
    """Die four times in a row: each next process continues at the step where the last one died."""
    reached = 0
    rehearsal.lay()
    for _ in range(4):
        pid = zygote.start(rehearsal.log, *rehearsal.flow(reached))
        was_killed = zygote.kill(pid, after_s=torture.random.uniform(0, 0.08))
        torture.count("processes killed at an instant", was_killed)
        conn, reached = rehearsal.check_survivor(reached)
        conn.close()
    conn, reached = rehearsal.check_survivor(reached)
    rehearsal.check_end(conn, reached)
    conn.close()
