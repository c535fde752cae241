"""Processes that die in a move of flow control: keyed, ordered, unique, dependent, snoozed, cancelled jobs, pauses.

As `test_kill_at_every_step`, with a workload of flow control. One move often writes several tables: the ack of a keyed
job ends it, promotes the next one of its key, settles its children, frees its unique key and keeps it as finished.
After each death the file must hold the move as a whole or not at all, no invariant of `honker_flow_violations` may be
broken, and the next process must finish the workload with the same result as without a death.
"""

from collections import Counter

import pytest

from ..sql import loading
from ..sql.database import rows, value
from . import flow_workload
from .rehearsal import Rehearsal, die_at_instants, die_at_places

pytestmark = pytest.mark.sqlite_only(
    "statements inside of functions; on PostgreSQL a function is one statement of one transaction"
)

LENGTH = 36
TABLES = ("attempts", "finished", "unique", "dependencies", "outcomes", "progress", "dead", "results")
COLUMNS = [
    *(("live", column) for column in ("unique_key", "snoozes", "cancel_requested_at", "waiting_for")),
    *(("keys", column) for column in ("paused_at", "head_id", "next_start_ms")),
    *(("queues", column) for column in ("paused_at", "next_start_ms", "paused_keys")),
]


def rehearsals(torture, path):
    for number in torture.rounds():
        yield Rehearsal(flow_workload.make(torture.seed + number, LENGTH), path, flow_workload.check)


@pytest.mark.parametrize("place", ["statement boundary", "operation of the disk"])
@pytest.mark.torture(short_s=6, share=6)
def test_a_process_killed_in_a_move_of_flow_control_leaves_it_whole_or_not_begun(torture, zygote, path, place):
    kinds = {step.name for step in flow_workload.make(0, LENGTH).steps}
    for rehearsal in rehearsals(torture, path):
        die_at_places(rehearsal, zygote, torture, place, kinds)


@pytest.mark.torture(short_s=2, share=3)
def test_a_process_killed_at_any_instant_of_flow_control_loses_nothing_it_acknowledged(torture, zygote, path):
    for rehearsal in rehearsals(torture, path):
        die_at_instants(rehearsal, zygote, torture)


def test_the_workload_has_every_state_and_every_effect(path):
    """Without this a change of the settings could leave the deaths above without a job that is blocked or waits."""
    seen = Counter()
    for seed in range(3):
        planned = flow_workload.make(seed, LENGTH)
        planned.lay(path)
        conn = loading.connect(path)
        conn.execute("PRAGMA synchronous = OFF")
        for step in planned.steps:
            step.run(conn)
            if step.name == "bootstrap":
                continue
            seen.update(state for (state,) in rows(conn, "SELECT DISTINCT state FROM _honker_live"))
            for table in TABLES:
                seen[table] += value(conn, f"SELECT EXISTS (SELECT 1 FROM _honker_{table})")
            for table, column in COLUMNS:
                exists = (
                    f"SELECT EXISTS (SELECT 1 FROM _honker_{table} WHERE {column} > 0 OR typeof({column}) = 'text')"
                )
                seen[column] += value(conn, exists)
        conn.close()
    assert {"pending", "processing", "blocked", "waiting"} <= seen.keys()
    assert [name for name, count in seen.items() if not count] == []
