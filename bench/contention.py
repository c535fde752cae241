"""Several processes enqueue and work on one file: their total throughput, and the errors that reach their callers.

    python bench/contention.py [--quick | --full]

Each process enqueues its share, one job per commit, with a claim and ack after each, and then works until the queue is
empty. Errors are counted and the call is repeated. Every job must be handed out once: a peer that hands one out twice
or never has no figure, and a note in the table.
"""

import contextlib
import sys
import time
from collections import Counter

from support import floor, numbers, program, rounds
from support.checks import CheckError, SideError
from support.sides import OURS, start

PROCESSES = (1, 2, 4, 8)
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
