"""Tests that scale with the available time: short in `make test`, long in `make torture`.

The variable ``HONKER_TORTURE`` gives the total seconds of all such tests. Without it each runs its short form, for
about ``short_s`` seconds. With it the seconds are divided by ``share``, so the duration of a run does not depend on the
number of tests::

    @pytest.mark.torture(short_s=2, share=3)  # share is 1 if not given
    def test_workers_killed_at_random_lose_no_job(torture, path):
        for _ in torture.rounds(at_least=5):
            victim = torture.random.choice(...)
            ...
            torture.count("processes killed")

``rounds`` continues until the test's time is over, and runs ``at_least`` rounds even if that takes longer. The long
form ends with a table of the counts, and writes it to ``docs/torture.json``, the source of the figures in the
documentation. Each test has its own random numbers. A failure prints the seed, and ``HONKER_TORTURE_SEED`` repeats it.
"""

import json
import os
import platform
import random
import sqlite3
import time
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

SECONDS_VARIABLE = "HONKER_TORTURE"
SEED_VARIABLE = "HONKER_TORTURE_SEED"
FIGURES = Path(__file__).resolve().parents[2] / "docs" / "torture.json"

# The extra time of a test before it counts as stuck: one round and the checks at the end, on a busy machine.
SLACK_S = 180


class Torture:
    """The time of one test, its random numbers, and its figures."""

    def __init__(self, budget_s, seed, *, is_long):
        self.budget_s = budget_s
        self.seed = seed
        self.is_long = is_long
        self.random = random.Random(seed)
        self.figures = Counter()
        self._began = time.monotonic()

    @property
    def left_s(self):
        """Remaining seconds of the test's time; negative when it is over."""
        return self._began + self.budget_s - time.monotonic()

    def rounds(self, at_least=1):
        """Count rounds from 0 while time is left, and up to `at_least` in any case."""
        number = 0
        while number < at_least or self.left_s > 0:
            yield number
            number += 1

    def count(self, what, by=1):
        """Add to one of the figures that the run prints at its end, such as "processes killed"."""
        self.figures[what] += by


class Plugin:
    """Divides the time between the marked tests, and collects their figures."""

    def __init__(self):
        self.total_s = float(os.environ.get(SECONDS_VARIABLE) or 0)
        self.seed = int(os.environ.get(SEED_VARIABLE) or random.SystemRandom().randrange(2**32))
        self.figures = {}
        self._shares = 1

    @property
    def is_long(self):
        return self.total_s > 0

    @pytest.hookimpl(trylast=True)  # after -m and -k have selected the tests
    def pytest_collection_modifyitems(self, items):
        marked = [item for item in items if item.get_closest_marker("torture")]
        self._shares = sum(_share(item) for item in marked) or 1
        if self.is_long:
            for item in marked:
                item.add_marker(pytest.mark.timeout(self.budget_s(item) + SLACK_S), append=False)  # before its own

    def budget_s(self, item):
        if not self.is_long:
            return item.get_closest_marker("torture").kwargs["short_s"]
        return self.total_s * _share(item) / self._shares

    @pytest.fixture
    def torture(self, request):
        """The test's time, random numbers and figures; the test must be marked ``torture``."""
        given = Torture(self.budget_s(request.node), self.seed, is_long=self.is_long)
        print(f"{SEED_VARIABLE}={self.seed}")  # shown if the test fails
        yield given
        self.figures[request.node.nodeid] = dict(given.figures)

    def pytest_terminal_summary(self, terminalreporter):
        if not self.is_long or not self.figures:
            return
        terminalreporter.section(f"torture: {self.total_s:.0f} s, seed {self.seed}")
        for test, figures in self.figures.items():
            counted = ", ".join(f"{number} {what}" for what, number in figures.items())
            terminalreporter.write_line(f"{test}: {counted}")

    def pytest_sessionfinish(self, exitstatus):
        if self.is_long and self.figures and exitstatus == pytest.ExitCode.OK:
            write(self.figures, self.total_s)


def _share(item):
    return item.get_closest_marker("torture").kwargs.get("share", 1)


def write(figures, total_s):
    """Write the figures of this run, and keep the figures of tests that were not part of it."""
    known = json.loads(FIGURES.read_text("utf-8"))["tests"] if FIGURES.exists() else {}
    run = {"date": date.today().isoformat(), "seconds": total_s, "sqlite": sqlite3.sqlite_version}
    run |= {"python": platform.python_version(), "system": platform.system(), "processors": os.cpu_count()}
    tests = known | {test: {**counted, "run": run} for test, counted in figures.items() if counted}
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps({"tests": dict(sorted(tests.items()))}, indent=2) + "\n", "utf-8")
