"""A process of each language on one file: nothing lost, nothing doubled."""

import os
import time

import pytest

from tests.support.waiting import wait_until

from .agent import Agent
from .conftest import BINDINGS

SECONDS = float(os.environ.get("CONFORMANCE_S", "5"))


@pytest.mark.timeout(SECONDS + 120)
def test_all_languages_work_one_queue(tmp_path):
    path = str(tmp_path / "app.db")
    agents = [Agent(each).__enter__() for each in BINDINGS if not each.missing()]
    try:
        enqueued, done = run_together(agents, path)
    finally:
        for each in agents:
            each.__exit__(None, None, None)
    assert sorted(job for jobs in done.values() for job in jobs) == sorted(enqueued)
    idle = [name for name, jobs in done.items() if not jobs]
    assert not idle, f"{idle} did no job of {len(enqueued)}"


def run_together(agents, path):
    """The ids that were enqueued, and by language the ids that were done."""
    for agent in agents:
        agent.call("open", store_as="db", path=path)
        agent.call("queue", on="db", store_as="q", name="q")
    workers = {each: each.send("work", on="q", background=True, worker=each.name) for each in agents}
    enqueued = []
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        sent = [each.send("enqueue", on="q", payload={"by": each.name}) for each in agents for _ in range(5)]
        enqueued += [each.value() for each in sent]
    first = agents[0]
    wait_until(lambda: first.call("sql", on="db", sql="SELECT count(*) FROM _honker_live")["value"] == 0, 60, 0.05)
    for each in workers.values():
        each.cancel()
    done = {agent.name: pending.value() for agent, pending in workers.items()}
    for agent in agents:
        agent.call("close", on="db")
    return enqueued, done
