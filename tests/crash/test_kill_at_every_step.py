"""Processes that die at every statement boundary, at every operation of the disk, and at any instant between.

A child runs a workload with forty kinds of steps: jobs with the rows of the application, claims, every way to settle
one, streams, schedules, locks, limits, results, notifications and reports of workers. The first step makes the tables
or upgrades a file of the reference. The child is killed at a chosen statement boundary: before, at each row of and
after every statement, including inner ones, BEGIN and COMMIT. Or it is killed at a chosen operation of the disk, such
as a write in the middle of a COMMIT, or from outside at a random instant.

At any instant, the file must be whole. It must hold exactly the contents after the last acknowledged step, or after the
step then under way. The next process must be able to write at once, without waiting, and to finish the workload with
the same result as without a death.

Seen to fail when `fail` deleted the job before it inserted the dead letter and had no bracket, when the bracket left
out BEGIN and COMMIT, when a tick, a claim, a report or an upgrade had no bracket, and when a step was acknowledged
before its COMMIT.
"""

import pytest

from . import workload
from .rehearsal import Rehearsal, die_at_instants, die_at_places

pytestmark = pytest.mark.sqlite_only(
    "statements inside of functions; on PostgreSQL a function is one statement of one transaction"
)

LENGTH = 46


def rehearsals(torture, path):
    """Workloads: the first begins without a file, the second with one of the reference, and so on."""
    for number in torture.rounds():
        seed, of_reference = torture.seed + number, number % 2 == 1
        yield Rehearsal(workload.make(seed, LENGTH, starts_with_reference=of_reference), path)


@pytest.mark.parametrize("place", ["statement boundary", "operation of the disk"])
@pytest.mark.torture(short_s=4, share=8)
def test_a_process_killed_at_any_place_loses_nothing_it_acknowledged(torture, zygote, path, place):
    kinds = {step.name for step in workload.make(0, LENGTH).steps}
    for rehearsal in rehearsals(torture, path):
        die_at_places(rehearsal, zygote, torture, place, kinds)


@pytest.mark.torture(short_s=2, share=4)
def test_a_process_killed_at_any_instant_loses_nothing_it_acknowledged(torture, zygote, path):
    for rehearsal in rehearsals(torture, path):
        die_at_instants(rehearsal, zygote, torture)
