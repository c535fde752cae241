"""The cost of `import honker`, of the first job of a process, and of the pytest plugin: processor time.

    python bench/import_time.py [--quick | --full]

Each figure is the processor time of a whole fresh process with cached bytecode, in user and system mode; `nothing` is
the bare interpreter. `import asyncio` and `import sqlite3` are there for comparison: a process that opens a database
imports both.
"""

import os
import statistics
import sys
from pathlib import Path

from support import program, rounds
from support.checks import check

ROUNDS = {program.QUICK: 1, program.STANDARD: 25, program.FULL: 99}

NOTHING, OURS = "nothing", "import honker"
OPEN = "import honker; db = honker.open(path)"
PROGRAMS = {
    NOTHING: "pass",
    "import asyncio": "import asyncio",
    "import sqlite3": "import sqlite3",
    OURS: "import honker",
    "open a database": OPEN,
    "enqueue a job": f"{OPEN}; db.queue('q').enqueue({{}})",
    "import pytest": "import pytest",
    "import pytest and the plugin": "import pytest; import honker.testing.plugin",
}


def measure(run):
    with run.new_folder() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONWARNINGS": "ignore"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        sides = {name: once(text, folder, environment) for name, text in PROGRAMS.items()}
        figures = rounds.interleave(run, sides)  # its first round writes the bytecode
    run.measure("import", "processor time of a fresh process: ms", figures, "ms", ours=OURS)
    added = {name: over(values, figures[NOTHING]) for name, values in figures.items()}
    run.extra["added_ms"] = added
    others = ", ".join(f"{name}: {ms:.1f}" for name, ms in added.items() if name not in {NOTHING, OURS})
    run.judge("import", max(added[OURS], 0.0), f"median over the bare interpreter; {others}")


def once(text, folder, environment):
    code = f"path = {str(folder / 'honker.db')!r}; {text}"

    def measure_once():
        for file in Path(folder).glob("honker.db*"):
            file.unlink()
        # Not `subprocess`: `wait4` gives the processor time of this child alone.
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], environment)
        _, status, used = os.wait4(pid, 0)
        check(status, 0, f"the exit status of {text!r}")
        return (used.ru_utime + used.ru_stime) * 1000

    return measure_once


def over(values, base):
    """The median of the differences within each round."""
    return statistics.median(value - bare for value, bare in zip(values, base, strict=True))


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, rounds=ROUNDS))
