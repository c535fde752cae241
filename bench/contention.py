"""Several processes enqueue and work on one file: their total throughput, and the errors that reach their callers.

    python bench/contention.py [--quick | --full]

Each process enqueues its share, one job per commit, with a claim and ack after each, and then works until the queue is
empty. Errors are counted and the call is repeated. Every job must be handed out once: a peer that hands one out twice
or never has no figure, and a note in the table.

Then eight processes enqueue, claim and ack for some seconds, alone and beside a process of plain `sqlite3` with a busy
timeout of five seconds, which does the same in a table of its own. The time of each call is measured, which is the wait
for the write lock and the work, and the jobs of each process.
"""

import contextlib
import sys
import time
from collections import Counter

from support import floor, numbers, program, rounds
from support.checks import CheckError, SideError
from support.sides import OURS, PLAIN, start

PROCESSES = (1, 2, 4, 8)
BUSY_TIMEOUT_MS = 5_000
ROUNDS = {program.QUICK: 1, program.STANDARD: 3, program.FULL: 9}


def measure(run):
    errors = Counter()
    counts = run.size((1, 3), PROCESSES)
    with contextlib.ExitStack() as stack:
        teams = [stack.enter_context(start(run)) for _ in range(counts[-1])]
        names = list(teams[0])
        ways = {}
        for name in names:
            for count in counts if name == OURS else (counts[0], counts[-1]):
                ways[title(name, count)] = once(run, [team[name] for team in teams[:count]], errors)
        figures = rounds.interleave(run, ways)
    one, most = (title(OURS, count) for count in (counts[0], counts[-1]))
    run.measure("contention", "enqueue, claim and ack by several processes: jobs/s of all", figures, ours=most)
    run.extra["errors"] = [[*key, count] for key, count in errors.items()]
    for (name, text), count in errors.most_common():
        print(f"{name}: {count:,} times {text}")
    ours = sum(count for (name, _), count in errors.items() if name == OURS)
    run.judge("contention_errors", ours)
    run.judge("contention", numbers.ratio(figures[most], figures[one])["median"])
    measure_crowd(run)


def measure_crowd(run):
    """The waits and the fairness of processes that work for the same time."""
    count = run.size(3, PROCESSES[-1])
    alone, beside = title(OURS, count), f"{title(OURS, count)} beside sqlite3"
    seen = {}
    with contextlib.ExitStack() as stack:
        ours = [stack.enter_context(start(run, OURS))[OURS] for _ in range(count)]
        plain = stack.enter_context(start(run, PLAIN))[PLAIN]
        seen[alone] = [crowd(run, ours) for _ in range(run.rounds)]
        seen[beside] = [crowd(run, ours, plain) for _ in range(run.rounds)]
    for key, heading, unit in (
        ("p99_ms", "p99 of a call, of the process with the longest", "ms"),
        ("fairness", "jobs of the slowest process, of those of the fastest", "x"),
        ("jobs_s", "enqueue, claim and ack by all: jobs", "/s"),
    ):
        figures = {name: [each[key] for each in rows] for name, rows in seen.items()}
        run.measure(f"crowd_{key}", heading, figures, unit, ours=alone)
    plains = [each["plain"] for each in seen[beside]]
    run.extra["plain_beside"] = plains
    for jobs_s, longest_ms, errors in plains:
        print(f"sqlite3 beside honker: {jobs_s:,.0f} jobs/s, longest call {longest_ms:,.0f} ms, {errors} errors")
    run.judge("crowd_p99", median(seen[alone], "p99_ms"))
    run.judge("crowd_fairness", median(seen[alone], "fairness"))
    run.judge("crowd_plain_errors", sum(errors for _, _, errors in plains))


def median(rows, key):
    return numbers.spread([row[key] for row in rows])["median"]


def crowd(run, ours, plain=None):
    """One round: the figures of our processes, and jobs per second, longest call and errors of the plain one."""
    seconds = run.size(0.2, 3)
    team = ours if plain is None else [*ours, plain]
    with run.new_folder() as folder:
        path = str(folder / "crowd.db")
        for side in ours:
            side.open(path=path)
        if plain is not None:
            plain.open(path=path, settings={"synchronous": 1, "busy_timeout": BUSY_TIMEOUT_MS})
            plain.create_queue()
        for side in team:
            side.ask("crowd", seconds=seconds)
        answers = [side.answer() for side in team]
        for side in team:
            side.close()
    counts = [count for count, _, _ in answers[: len(ours)]]
    figures = {
        "p99_ms": max(times_ms[len(times_ms) * 99 // 100] for _, times_ms, _ in answers[: len(ours)]),
        "fairness": min(counts) / max(counts),
        "jobs_s": sum(counts) / seconds,
    }
    if plain is not None:
        count, times_ms, errors = answers[-1]
        figures["plain"] = (count / seconds, times_ms[-1], sum(errors.values()))
    return figures


def title(name, count):
    return f"{name}, {count} process{'es' if count > 1 else ''}"


def once(run, team, errors):
    """Jobs per second from the first request to the last answer."""
    name = team[0].name
    is_durable = "FULL" in run.sides[name]["durability"]
    share = (run.size(40, 80) if is_durable else run.size(80, 4_000)) // len(team)

    def measure_once():
        with run.new_folder() as folder:
            path = floor.open_new(team[0], folder)
            for side in team[1:]:
                side.open(path=path)
            began = time.perf_counter()
            for number, side in enumerate(team):
                side.ask("mix", first=number * share, count=share)
            answers = [side.answer() for side in team]
            seconds = time.perf_counter() - began
            for side in team:
                side.close()
        keep_errors(name, answers, errors)
        check_once_each(team[0], answers, share * len(team))
        return share * len(team) / seconds

    return measure_once


def keep_errors(name, answers, errors):
    for _, _, seen in answers:
        for text, count in seen.items():
            errors[name, text] += count


def check_once_each(side, answers, count):
    handed_out = Counter(number for _, numbers, _ in answers for number in numbers)
    twice = sum(times > 1 for times in handed_out.values())
    never = count - len(handed_out)
    if twice or never:
        text = f"{side.name}: of {count:,} jobs {twice:,} were handed out more than once and {never:,} never"
        raise SideError(text, is_peer=True) if side.is_peer else CheckError(text)


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, rounds=ROUNDS))
