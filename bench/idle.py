"""The cost of waiting: processor time and wake-ups of 100 listeners, and the remains of a thousand subscriptions.

    python bench/idle.py [--quick | --full]

Each form of listening runs in a separate process, measured as a whole and from outside: 100 asyncio listeners, 100
threads, 100 claim iterators. For comparison, the same asyncio listeners run with the polling watcher, and Huey's
consumer runs with one worker and no listeners.
"""

import sys

from support import listeners, program
from support.checks import SideError, check
from support.sides import start
from support.tables import tabulate


def measure(run):
    seconds = run.options.seconds or run.size(0.5, 10, 60)
    with run.new_folder() as folder, start(run, "huey", "huey tuned") as sides:
        others = {f"{name} consumer": side.pid for name, side in sides.items() if is_waiting(run, side, folder)}
        forms = listeners.measure(seconds, folder, others)
        churned = run.size(100, 1_000)
        churn = listeners.churn(churned, folder)
    show(forms, seconds)
    show_churn(churn, churned)
    run.extra.update(seconds=seconds, forms=forms, churned=churned, churn=churn)
    check(churn["after"]["descriptors"], churn["before"]["descriptors"], "descriptors after the churn")
    check(churn["after"]["threads"], churn["before"]["threads"], "threads after the churn")
    own, note = [forms["asyncio"], forms["threads"]], f"over {seconds:g} s, the costlier of asyncio and threads"
    claims = f"; 100 claim iterators, which check every 5 s: {forms['claims']['core_percent']:.3f}"
    run.judge("idle_core", max(each["core_percent"] for each in own), note + claims)
    run.judge("idle_wakeups", max(each["wakeups_per_s"] for each in own), note)


def is_waiting(run, side, folder):
    try:
        side.open(path=str(folder / f"{side.name}.db"))
        side.idle()
    except SideError as error:
        run.leave_out(side.name, str(error))
        return False
    return True


def show(forms, seconds):
    columns = ("core_percent", "wakeups_per_s", "threads")
    lines = [[form, *(figures[column] for column in columns)] for form, figures in forms.items()]
    print(f"\n{listeners.LISTENERS} listeners for {seconds:g} s, the whole process")
    print(tabulate(lines, ["", "% of a core", "wake-ups/s", "threads"], floatfmt=("", ".3f", ".1f", "")))


def show_churn(churn, count):
    lines = [[name, before, churn["after"][name]] for name, before in churn["before"].items()]
    print(f"\n{count:,} subscriptions opened and closed")
    print(tabulate(lines, ["", "before", "after"]))


def add_arguments(parser):
    parser.add_argument("--seconds", type=float, help="seconds of idle time (default: 10, with --full 60)")


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, add_arguments))
