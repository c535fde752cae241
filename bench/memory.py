"""Memory of a process that claims from 1,000,000 jobs, and of a process that works for a long time.

    python bench/memory.py [--quick | --full] [--minutes N]

The first process opens a file with 1,000,000 waiting jobs, and claims and acknowledges one by one and then in batches.
The figure is its peak memory, interpreter included. In a long run the peers do the same. The second process runs a
worker and enqueues for it, with results, streams and notifications. The figure is the growth of its memory after the
first tenth, judged only over an hour (`--full`, or `--minutes 60`).
"""

import statistics
import sys
import time

from support import churn, floor, program
from support.checks import check
from support.sides import OURS, PLAIN, start
from support.tables import tabulate

AN_HOUR_MIN = 60


def measure(run):
    claiming(run)
    working(run)


def claiming(run):
    waiting, count = run.size(2_000, 1_000_000), run.size(100, 2_000)
    peaks = {}
    # Filling takes longer than measuring, and the memory of the other sides is no target.
    names = () if run.mode == program.FULL else (OURS, PLAIN)
    with start(run, *names) as fillers:
        for name in fillers:
            with run.new_folder() as folder:
                path = floor.open_new(fillers[name], folder)
                fillers[name].fill(waiting=waiting)
                fillers[name].close()
                peaks[name] = [peak_of_a_fresh_process(run, name, path, count) / 1e6]
    run.measure("memory", f"the most memory when claiming from {waiting:,} jobs: MB", peaks, "MB")
    run.judge("memory", peaks[OURS][0])


def peak_of_a_fresh_process(run, name, path, count):
    """Measure a new process, so that the memory used for filling does not count."""
    with start(run, name) as sides:
        side = sides[name]
        side.open(path=path)
        done, _ = side.claim(count=count, seconds=5.0)
        check(done > 0, True, f"{name} claimed jobs")
        if name == OURS:
            side.claim_in_batches(count=count, size=100)
        return side.peak_bytes()


def working(run):
    minutes = run.options.minutes or run.size(0.03, 0.2, AN_HOUR_MIN)
    with run.new_folder() as folder, churn.running(folder / "churn.db") as worker:
        samples = sample(run, worker, minutes * 60)
        jobs, resident = worker.jobs(), [each for _, each in samples]
    tenth = max(1, len(resident) // 10)
    before, after = (statistics.median(each) / 1e6 for each in (resident[tenth : 2 * tenth], resident[-tenth:]))
    check(jobs > 0, True, "whether the worker worked")
    print(f"\nafter {minutes:g} min and {jobs:,} jobs")
    print(tabulate([["resident MB", before, after]], ["", "after the first tenth", "at the end"], floatfmt=".1f"))
    run.extra.update(minutes=minutes, jobs=jobs, resident_mb=[[at, each / 1e6] for at, each in samples])
    note = f"{minutes:g} min, {jobs:,} jobs"
    run.judge("memory_growth", after - before, note, is_full_scale=minutes >= AN_HOUR_MIN)


def sample(run, worker, seconds):
    """Instant and resident bytes, sampled a hundred times."""
    samples = []
    began = time.monotonic()
    with run.progress(100, "sample") as bar:
        for number in range(1, 101):
            time.sleep(max(0, began + seconds * number / 100 - time.monotonic()))
            samples.append((time.monotonic() - began, worker.resident_bytes()))
            bar.update()
    return samples


def add_arguments(parser):
    parser.add_argument("--minutes", type=float, help="minutes of work (default: 0.2, with --full 60)")


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, add_arguments))
